//! One step of a plan, in words, and what undoes it.

use std::fmt;

use crossfade_core::Span;
use crossfade_core::table::{Origin, Version};

/// The control endpoints alone, as the end of a route.
pub(super) const DOOR: &str = "/__crossfade/*";

/// A change, or a look at what the changes so far have come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    CreateNamespace {
        title: String,
    },
    /// With all that is in it.
    DeleteNamespace {
        title: String,
    },
    /// Everybody on the site as it is.
    WriteTable {
        origin: Origin,
        version: Version,
    },
    DeleteTable,
    /// To all requests that come to the Worker, which are none unless it is live.
    Upload {
        worker: String,
        migrates: bool,
        /// The version that it replaces.
        before: Option<String>,
    },
    DeleteWorker {
        worker: String,
    },
    /// To nobody yet.
    UploadVersion {
        worker: String,
    },
    /// The new version gets so many percent, the old one the rest.
    Share {
        percent: u8,
        old: String,
    },
    /// One version gets all.
    ShareBack {
        version: String,
    },
    AddRoute {
        pattern: String,
        worker: String,
    },
    DeleteRoute {
        pattern: String,
        worker: String,
    },
    PutDomain {
        host: String,
        worker: String,
    },
    DeleteDomain {
        host: String,
        worker: String,
    },
    /// The Pages project's own host name serves the deployment that visitors have through the router.
    RollBackPages {
        from: String,
        to: String,
    },
    /// The namespace's id is written into the configuration.
    Note,
    /// It is taken out of there again.
    Forget,
    /// The router answers at its control endpoints, with its secret, environment and table. A host that was made for it needs
    /// its certificate first.
    CheckDoor {
        fresh: bool,
    },
    /// The same of the version that is being rolled out, and its pages.
    /// An override may take a moment until it is heeded everywhere, and until then another version answers
    /// (<https://developers.cloudflare.com/workers/versions-and-deployments/version-overrides/>).
    CheckVersion {
        after: Span,
    },
    /// Visitors get the site, through the router.
    CheckVisitors,
    /// They go on getting it.
    Watch {
        hold: Span,
    },
    /// The site answers without the router.
    CheckSite {
        origin: Origin,
    },
    /// Visitors get the site, without the router.
    CheckGone,
}

impl Step {
    /// Whether it changes anything.
    pub(crate) const fn is_change(&self) -> bool {
        !matches!(
            self,
            Self::CheckDoor { .. }
                | Self::CheckVersion { .. }
                | Self::CheckVisitors
                | Self::Watch { .. }
                | Self::CheckSite { .. }
                | Self::CheckGone
        )
    }

    /// Whether visitors can notice it.
    pub(crate) fn moves_visitors(&self) -> bool {
        match self {
            Self::AddRoute { pattern, .. } | Self::DeleteRoute { pattern, .. } => !pattern.ends_with(DOOR),
            Self::Share { percent, .. } => *percent > 0,
            Self::PutDomain { .. } | Self::DeleteDomain { .. } => true,
            _ => false,
        }
    }

    /// What undoes it; `None` when nothing has to be undone, or nothing can be.
    pub(crate) fn undo(&self) -> Option<Self> {
        match self.clone() {
            Self::CreateNamespace { title } => Some(Self::DeleteNamespace { title }),
            Self::WriteTable { .. } => Some(Self::DeleteTable),
            Self::Upload { worker, before: None, .. } => Some(Self::DeleteWorker { worker }),
            Self::Upload { before: Some(version), .. } | Self::Share { old: version, .. } => {
                Some(Self::ShareBack { version })
            }
            Self::AddRoute { pattern, worker } => Some(Self::DeleteRoute { pattern, worker }),
            Self::DeleteRoute { pattern, worker } => Some(Self::AddRoute { pattern, worker }),
            Self::PutDomain { host, worker } => Some(Self::DeleteDomain { host, worker }),
            Self::DeleteDomain { host, worker } => Some(Self::PutDomain { host, worker }),
            Self::RollBackPages { from, to } => Some(Self::RollBackPages { from: to, to: from }),
            // A version that nobody meets is in nobody's way; what is deleted last is deleted.
            Self::UploadVersion { .. }
            | Self::ShareBack { .. }
            | Self::DeleteNamespace { .. }
            | Self::DeleteTable
            | Self::DeleteWorker { .. }
            | Self::Note
            | Self::Forget
            | Self::CheckDoor { .. }
            | Self::CheckVersion { .. }
            | Self::CheckVisitors
            | Self::Watch { .. }
            | Self::CheckSite { .. }
            | Self::CheckGone => None,
        }
    }

    /// The phase that it is part of.
    pub(crate) const fn phase(&self) -> &'static str {
        match self {
            Self::CreateNamespace { .. } | Self::DeleteNamespace { .. } => "namespace",
            Self::WriteTable { .. } | Self::DeleteTable => "table",
            Self::Upload { .. } | Self::DeleteWorker { .. } | Self::UploadVersion { .. } => "worker",
            Self::Share { .. } | Self::ShareBack { .. } => "share",
            Self::AddRoute { .. } | Self::DeleteRoute { .. } => "route",
            Self::PutDomain { .. } | Self::DeleteDomain { .. } => "domain",
            Self::RollBackPages { .. } => "pages",
            Self::Note | Self::Forget => "config",
            Self::CheckDoor { .. }
            | Self::CheckVersion { .. }
            | Self::CheckVisitors
            | Self::Watch { .. }
            | Self::CheckSite { .. }
            | Self::CheckGone => "check",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateNamespace { title } => write!(f, "make the KV namespace {title}"),
            Self::DeleteNamespace { title } => write!(f, "delete the KV namespace {title}"),
            Self::WriteTable { origin, version } => {
                write!(f, "write the first routing table: everybody on {origin}, called {version}")
            }
            Self::DeleteTable => f.write_str("delete the routing table"),
            Self::Upload { worker, migrates, before } => {
                let verb = if before.is_some() { "replace" } else { "upload" };
                let objects = if *migrates { ", with the objects of its counters" } else { "" };
                write!(f, "{verb} the Worker {worker}{objects}")
            }
            Self::DeleteWorker { worker } => write!(f, "delete the Worker {worker} and its counters"),
            Self::UploadVersion { worker } => {
                write!(f, "upload a version of the Worker {worker} that no request meets")
            }
            Self::Share { percent: 0, .. } => f.write_str("deploy it at 0 %: only what asks for it meets it"),
            Self::Share { percent, .. } => write!(f, "send {percent} % of the requests to it"),
            Self::ShareBack { version } => write!(f, "send all requests to version {version}"),
            Self::AddRoute { pattern, worker } => write!(f, "lead {pattern} to the Worker {worker}"),
            Self::DeleteRoute { pattern, worker } => {
                write!(f, "lead {pattern} no longer to the Worker {worker}")
            }
            Self::PutDomain { host, worker } => {
                write!(f, "make {host} the custom domain of the Worker {worker}")
            }
            Self::DeleteDomain { host, worker } => write!(f, "take {host} away from the Worker {worker}"),
            Self::RollBackPages { from, to } => {
                write!(f, "make the Pages project serve deployment {to} instead of {from}")
            }
            Self::Note => f.write_str("write the namespace's id into the configuration"),
            Self::Forget => f.write_str("take the namespace's id out of the configuration"),
            Self::CheckDoor { .. } => f.write_str("check that the router answers, with its secret and table"),
            Self::CheckVersion { .. } => f.write_str("check that version through the public URL"),
            Self::CheckVisitors => f.write_str("check that visitors get the site through the router"),
            Self::Watch { hold } => write!(f, "watch what visitors get for {hold}"),
            Self::CheckSite { origin } => write!(f, "check that {origin} answers without the router"),
            Self::CheckGone => f.write_str("check that visitors get the site without the router"),
        }
    }
}
