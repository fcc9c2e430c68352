//! Why a directory is not one that Pages takes.

use std::path::PathBuf;

use super::FILE_BYTES_MAX;

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
    /// A pipe, a socket or a device, which may be read for ever; or a directory where a file belongs.
    #[error("`{}` is not a file", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
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
    #[error("`{}` has Pages Functions, which wrangler must compile, and there is no wrangler", path.display())]
    Functions {
        /// Where.
        path: PathBuf,
    },
    /// The compiler failed.
    #[error("wrangler could not compile the Pages Functions in `{}`:\n{why}", path.display())]
    NotCompiled {
        /// Where.
        path: PathBuf,
        /// What it said.
        why: String,
    },
    /// A Worker that begins nowhere.
    #[error("`{}` has no `index.js`, where a Worker begins", path.display())]
    NoEntry {
        /// Which directory.
        path: PathBuf,
    },
    /// `_routes.json` is not what Pages takes.
    #[error("`{}` {why}", path.display())]
    Routes {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
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
            Self::NotAFile { .. } => "keep it out of the build's output".into(),
            Self::Secret { path } => format!("keep `{}` out of the build's output", path.display()),
            Self::Link { .. } => "replace it by a copy of what it points to".into(),
            Self::Name { .. } => "rename it".into(),
            Self::Functions { .. } => {
                "install it in the project (`npm install --save-dev wrangler`), or compile them in the build: \
                 `wrangler pages functions build --outdir DIST/_worker.js`"
                    .into()
            }
            Self::NoEntry { .. } => "build the Worker to `_worker.js`, a file, or to `_worker.js/index.js`".into(),
            Self::Routes { .. } => {
                "https://developers.cloudflare.com/pages/functions/routing/#create-a-_routesjson-file shows what it may contain"
                    .into()
            }
            Self::Changed { .. } => "wait until the build has ended, then deploy again".into(),
            Self::NotCompiled { .. } | Self::Unreadable { .. } => return None,
        })
    }
}
