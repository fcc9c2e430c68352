//! A build's output in, the files of a deployment out, or the first reason why Pages would not take them.
//!
//! What is left out is what wrangler leaves out. In three points we are stricter, because all publish secrets by accident:
//! `.env` and `.dev.vars` files are refused, so are symbolic links that lead out of the directory, and `.git`, `node_modules` and
//! `.DS_Store` are left out below directories with a dot too.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::WalkDir;

use super::extras::Extras;

mod error;

pub use error::FilesError;

/// The largest file (<https://developers.cloudflare.com/pages/platform/limits/#file-size>).
pub(super) const FILE_BYTES_MAX: u64 = 25 * 1024 * 1024;

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

/// Reads a directory. No file's content is read but of the few special ones. `project` is where the site is built.
pub(super) fn scan(directory: &Path, project: &Path) -> Result<Site, FilesError> {
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
        if !entry.file_type().is_file() {
            return Err(FilesError::NotAFile { path: entry.path().into() });
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
    let extras = Extras::read(directory, project)?;
    if assets.is_empty() && !extras.has_worker() {
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

pub(super) fn link_error(directory: &Path, error: &walkdir::Error) -> FilesError {
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

#[cfg(test)]
mod tests;
