//! What git says of a directory, and wrangler tells Pages of it.

use std::path::Path;

use crate::cli::PagesDeploy;
use crate::git::git;

/// Branch and commit that a site is built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Checkout {
    pub(super) branch: Option<String>,
    pub(super) hash: Option<String>,
    pub(super) message: Option<String>,
    pub(super) dirty: Option<bool>,
}

impl Checkout {
    /// `None` where there is no repository, no git or no commit.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        let ask = |arguments: &[&str]| git(directory, arguments);
        let hash = ask(&["rev-parse", "HEAD"])?;
        Some(Self {
            branch: ask(&["rev-parse", "--abbrev-ref", "HEAD"]),
            message: ask(&["show", "-s", "--format=%B", &hash]),
            dirty: ask(&["status", "--porcelain"]).map(|changed| !changed.is_empty()),
            hash: Some(hash),
        })
    }

    /// The same with what the flags say otherwise.
    pub(super) fn overridden(self, arguments: &PagesDeploy) -> Self {
        Self {
            branch: arguments.branch.clone().or(self.branch),
            hash: arguments.commit_hash.clone().or(self.hash),
            message: arguments.commit_message.clone().or(self.message),
            dirty: arguments.commit_dirty.or(self.dirty),
        }
    }
}
