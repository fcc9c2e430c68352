//! How far an upload is, for people.

/// How far an upload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The directory was read.
    Scanned {
        /// How many files.
        files: usize,
        /// How large they are together.
        bytes: u64,
    },
    /// Assets are on their way.
    Uploading {
        /// Bytes stored.
        done: u64,
        /// Bytes that were missing.
        total: u64,
    },
    /// All assets are there.
    Stored {
        /// How many files.
        files: usize,
        /// How many of them had to be uploaded.
        new: usize,
    },
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scanned { files, bytes } => write!(f, "{files} files, {} KiB", bytes.div_ceil(1024)),
            Self::Uploading { done, total } => {
                write!(f, "{} of {} KiB uploaded", done.div_ceil(1024), total.div_ceil(1024))
            }
            Self::Stored { files, new } => write!(f, "{files} files, {new} of them new"),
        }
    }
}
