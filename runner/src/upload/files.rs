//! A build's output in, the files of a deployment out, or the first reason why Pages would not take them.
//!
//! What is left out is what wrangler leaves out. In two points we are stricter, because both publish secrets by accident:
//! `.env` and `.dev.vars` files are refused, and so are symbolic links that lead out of the directory.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::WalkDir;

use super::form::Form;

/// The largest file (<https://developers.cloudflare.com/pages/platform/limits/#file-size>).
const FILE_BYTES_MAX: u64 = 25 * 1024 * 1024;

/// A file that becomes an asset.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) index: usize,
    pub(super) file: PathBuf,
    pub(super) path: String,
    pub(super) size: u64,
}

/// Everything that a deployment is made of.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) assets: Vec<Found>,
    pub(super) extras: Extras,
}

/// What goes with a deployment beside its assets.
#[derive(Debug, Default)]
pub(super) struct Extras {
    headers: Option<Vec<u8>>,
    redirects: Option<Vec<u8>>,
    routes: Option<Vec<u8>>,
    worker: Option<Worker>,
}

/// A `_worker.js`, ready to be bundled.
#[derive(Debug)]
struct Worker {
    main: &'static str,
    /// Modules by name, the main one among them.
    modules: Vec<(String, Vec<u8>)>,
}

/// Why a directory is not one that Pages takes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// It does not exist.
    #[error("there is no directory `{}`", path.display())]
    Missing {
        /// Which.
        path: PathBuf,
    },
    /// It is a file.
    #[error("`{}` is not a directory", path.display())]
    NotADirectory {
        /// Which.
        path: PathBuf,
    },
    /// It has no file that could be uploaded.
    #[error("`{}` has no files to upload", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// A file is too large.
    #[error("`{}` is {bytes} bytes; Pages takes files up to {FILE_BYTES_MAX} (25 MiB)", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// How large.
        bytes: u64,
    },
    /// There are too many files.
    #[error("the directory has {files} files; Pages takes up to {max} in a deployment on this plan")]
    TooMany {
        /// How many.
        files: usize,
        /// How many could be.
        max: usize,
    },
    /// A file that is usually full of secrets.
    #[error("`{}` would be public: files of this name hold secrets", path.display())]
    Secret {
        /// Which.
        path: PathBuf,
    },
    /// A symbolic link that leads out of the directory, nowhere, or in a circle.
    #[error("the symbolic link `{}` {why}", path.display())]
    Link {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A name that is not UTF-8 can't be a URL's path.
    #[error("the name of `{}` is not UTF-8", path.display())]
    Name {
        /// Which.
        path: PathBuf,
    },
    /// Pages Functions need a compiler that we are not.
    #[error("`{}` has Pages Functions, which must be compiled first", path.display())]
    Functions {
        /// Where.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something still writes to the directory.
    #[error("`{}` changed while it was uploaded", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
}

impl FilesError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } | Self::NotADirectory { .. } | Self::Empty { .. } => {
                "build the site first, or name the build's output: `directory` in crossfade.toml or `crossfade deploy DIR`".into()
            }
            Self::TooLarge { .. } => "leave it out of the build, or serve it from R2".into(),
            Self::TooMany { .. } => "upload the build's output, not the whole project".into(),
            Self::Secret { path } => format!("keep `{}` out of the build's output", path.display()),
            Self::Link { .. } => "replace it by a copy of what it points to".into(),
            Self::Name { .. } => "rename it".into(),
            Self::Functions { .. } => {
                "run `wrangler pages functions build --outdir DIST/_worker.js` in the build hook and remove `functions/` from the output".into()
            }
            Self::Changed { .. } => "wait until the build has ended, then deploy again".into(),
            Self::Unreadable { .. } => return None,
        })
    }
}

/// Reads a directory. No file's content is read but of the few special ones.
pub(super) fn scan(directory: &Path) -> Result<Site, FilesError> {
    match std::fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(FilesError::NotADirectory { path: directory.into() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(FilesError::Missing { path: directory.into() });
        }
        Err(source) => return Err(unreadable(directory, source)),
    }
    let root = directory.canonicalize().map_err(|source| unreadable(directory, source))?;
    let left_out = left_out();
    let mut assets = Vec::new();
    let mut walk = WalkDir::new(directory).follow_links(true).min_depth(1).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry.map_err(|error| link_error(directory, &error))?;
        let relative = entry.path().strip_prefix(directory).unwrap_or(entry.path());
        let name = relative.to_str().ok_or_else(|| FilesError::Name { path: entry.path().into() })?;
        let name = name.replace(std::path::MAIN_SEPARATOR, "/");
        if left_out.is_match(&name) {
            if entry.file_type().is_dir() {
                walk.skip_current_dir();
            }
            continue;
        }
        if entry.path_is_symlink()
            && !entry.path().canonicalize().is_ok_and(|target| target.starts_with(&root))
        {
            return Err(FilesError::Link { path: entry.path().into(), why: "leads out of the directory" });
        }
        if entry.file_type().is_dir() {
            continue;
        }
        let base = name.rsplit('/').next().unwrap_or(&name);
        if base == ".env"
            || base.starts_with(".env.")
            || base == ".dev.vars"
            || base.starts_with(".dev.vars.")
        {
            return Err(FilesError::Secret { path: entry.path().into() });
        }
        let size = entry.metadata().map_err(|error| link_error(directory, &error))?.len();
        if size > FILE_BYTES_MAX {
            return Err(FilesError::TooLarge { path: entry.path().into(), bytes: size });
        }
        let index = assets.len();
        assets.push(Found { index, file: entry.path().into(), path: format!("/{name}"), size });
    }
    let extras = Extras::read(directory)?;
    if assets.is_empty() && extras.worker.is_none() {
        return Err(FilesError::Empty { path: directory.into() });
    }
    Ok(Site { assets, extras })
}

/// Refuses more files than the plan allows.
pub(super) const fn check_count(files: usize, max: usize) -> Result<(), FilesError> {
    if files > max { Err(FilesError::TooMany { files, max }) } else { Ok(()) }
}

pub(super) fn unreadable(path: &Path, source: std::io::Error) -> FilesError {
    FilesError::Unreadable { path: path.into(), source }
}

/// wrangler's list (IGNORE_LIST in
/// <https://github.com/cloudflare/workers-sdk/blob/main/packages/wrangler/src/pages/validate.ts>): six names at the root,
/// three at any depth.
fn left_out() -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in [
        "_worker.js",
        "_redirects",
        "_headers",
        "_routes.json",
        "functions",
        ".wrangler",
        "**/.DS_Store",
        "**/node_modules",
        "**/.git",
    ] {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        set.add(glob.expect("the patterns are constants that were tried"));
    }
    set.build().expect("nine small patterns make a set")
}

fn link_error(directory: &Path, error: &walkdir::Error) -> FilesError {
    let path = error.path().unwrap_or(directory).to_owned();
    if error.loop_ancestor().is_some() {
        return FilesError::Link { path, why: "leads in a circle" };
    }
    if path.is_symlink() {
        return FilesError::Link { path, why: "leads nowhere" };
    }
    let kind = error.io_error().map_or(std::io::ErrorKind::Other, std::io::Error::kind);
    FilesError::Unreadable { path, source: kind.into() }
}

impl Extras {
    fn read(directory: &Path) -> Result<Self, FilesError> {
        let optional = |name: &str| {
            let path = directory.join(name);
            match std::fs::read(&path) {
                Ok(bytes) if bytes.is_empty() => Ok(None),
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(unreadable(&path, source)),
            }
        };
        let worker = worker(&directory.join("_worker.js"))?;
        let functions = directory.join("functions");
        if worker.is_none() && functions.is_dir() {
            return Err(FilesError::Functions { path: functions });
        }
        // Without a Worker there is nothing that routes could lead to, and Pages refuses the file.
        let routes = if worker.is_some() { optional("_routes.json")? } else { None };
        Ok(Self { headers: optional("_headers")?, redirects: optional("_redirects")?, routes, worker })
    }

    /// The form's file parts: name and content.
    pub(super) fn parts(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut parts = Vec::new();
        let plain = [("_headers", &self.headers), ("_redirects", &self.redirects)];
        parts.extend(plain.into_iter().filter_map(|(name, bytes)| Some((name, bytes.clone()?))));
        if let Some(Worker { main, modules }) = &self.worker {
            let mut bundle = Form::new();
            bundle.text("metadata", &serde_json::json!({ "main_module": main }).to_string());
            for (name, bytes) in modules {
                bundle.module(name, module_type(name), bytes);
            }
            parts.push(("_worker.bundle", bundle.finish().1));
        }
        parts.extend(self.routes.clone().map(|routes| ("_routes.json", routes)));
        parts
    }
}

/// `_worker.js`, a module or a directory of modules with `index.js` among them.
fn worker(path: &Path) -> Result<Option<Worker>, FilesError> {
    if path.is_file() {
        let bytes = std::fs::read(path).map_err(|source| unreadable(path, source))?;
        return Ok(Some(Worker { main: "_worker.js", modules: vec![("_worker.js".into(), bytes)] }));
    }
    if !path.is_dir() {
        return Ok(None);
    }
    let mut modules = Vec::new();
    for entry in WalkDir::new(path).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| link_error(path, &error))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let name = entry.path().strip_prefix(path).unwrap_or(entry.path());
        let name = name.to_str().ok_or_else(|| FilesError::Name { path: entry.path().into() })?;
        let bytes = std::fs::read(entry.path()).map_err(|source| unreadable(entry.path(), source))?;
        modules.push((name.replace(std::path::MAIN_SEPARATOR, "/"), bytes));
    }
    Ok(Some(Worker { main: "index.js", modules }))
}

/// What the runtime takes a module for
/// (<https://developers.cloudflare.com/workers/configuration/multipart-upload-metadata/>).
fn module_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("wasm") => "application/wasm",
        Some("txt" | "html") => "text/plain",
        Some("bin") => "application/octet-stream",
        Some("map") => "application/source-map",
        Some(_) | None => "application/javascript+module",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        directory
    }

    fn paths(directory: &Path) -> Vec<String> {
        scan(directory).unwrap().assets.into_iter().map(|asset| asset.path).collect()
    }

    #[test]
    fn what_wrangler_leaves_out_is_left_out() {
        let site = site(&[
            ("index.html", "x"),
            ("_headers", "/*\n  a: b"),
            ("_redirects", ""),
            ("_routes.json", "{}"),
            ("_worker.js", "export default {}"),
            ("functions/a.js", ""),
            (".wrangler/x", ""),
            ("a/node_modules/b.js", ""),
            (".git/config", ""),
            (".DS_Store", ""),
            ("sub/_headers", "kept"),
            (".well-known/a.json", "kept"),
            ("with space/ünïcode %20#?&+.txt", "kept"),
        ]);
        assert_eq!(
            paths(site.path()),
            ["/.well-known/a.json", "/index.html", "/sub/_headers", "/with space/ünïcode %20#?&+.txt"]
        );
        let parts = scan(site.path()).unwrap().extras.parts();
        let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["_headers", "_worker.bundle", "_routes.json"], "an empty _redirects is nothing");
        let bundle = String::from_utf8(parts[1].1.clone()).unwrap();
        assert!(
            bundle.contains(r#"{"main_module":"_worker.js"}"#)
                && bundle.contains("application/javascript+module")
        );
    }

    #[test]
    fn bad_directories_are_refused_by_name() {
        let message = |path: &Path| scan(path).unwrap_err().to_string();
        let missing = Path::new("no-such-directory");
        assert_eq!(message(missing), "there is no directory `no-such-directory`");
        let empty = site(&[]);
        assert!(message(empty.path()).ends_with("has no files to upload"));
        let file = site(&[("x", "")]);
        assert!(message(&file.path().join("x")).ends_with("is not a directory"));
        for name in [".env", "sub/.env.production", ".dev.vars"] {
            let site = site(&[("index.html", "x"), (name, "KEY=secret")]);
            let text = message(site.path());
            assert!(text.contains("would be public") && !text.contains("secret="), "{text}");
        }
        let functions = site(&[("index.html", "x"), ("functions/api.js", "")]);
        assert!(message(functions.path()).ends_with("which must be compiled first"));
    }

    #[test]
    fn a_file_may_have_25_mib_and_not_one_byte_more() {
        let site = site(&[("index.html", "x")]);
        let big = std::fs::File::create(site.path().join("big.bin")).unwrap();
        big.set_len(FILE_BYTES_MAX).unwrap();
        assert_eq!(paths(site.path()).len(), 2);
        big.set_len(FILE_BYTES_MAX + 1).unwrap();
        assert!(matches!(scan(site.path()), Err(FilesError::TooLarge { bytes: 26_214_401, .. })));
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_inside() {
        use std::os::unix::fs::symlink;
        let inside = site(&[("index.html", "x"), ("a/b.css", "x")]);
        symlink("index.html", inside.path().join("link.html")).unwrap();
        assert!(paths(inside.path()).contains(&"/link.html".to_owned()));
        for (target, why) in [("/etc/hostname", "leads out of the directory"), ("gone", "leads nowhere")] {
            let link = inside.path().join("bad");
            symlink(target, &link).unwrap();
            assert!(scan(inside.path()).unwrap_err().to_string().ends_with(why));
            std::fs::remove_file(&link).unwrap();
        }
        symlink("..", inside.path().join("a/up")).unwrap();
        assert!(scan(inside.path()).unwrap_err().to_string().ends_with("leads in a circle"));
    }
}
