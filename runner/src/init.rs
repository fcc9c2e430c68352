//! From nothing to a configuration and a workflow. In: a directory. Out: two texts, and what they were taken from.

mod config;
mod framework;
mod look;
#[cfg(test)]
mod tests;
mod workflow;
mod wrangler;

pub use config::{PLACEHOLDER_NAMESPACE, PLACEHOLDER_URL, config, placeholders};
pub use framework::{Framework, Setup};
pub use look::Found;
pub use workflow::workflow;

/// What both files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The Pages project.
    pub project: String,
    /// The build's output, relative to the configuration.
    pub directory: String,
    /// The command that builds.
    pub build: Option<String>,
    /// Where the version's file goes before the build, when it cannot go into the output after it.
    pub assets: Option<&'static str>,
    /// Whose traffic.
    pub environment: String,
    /// Where the router answers.
    pub url: String,
    /// The namespace that it reads.
    pub kv_namespace: String,
    /// Whether visitors come a few at a time.
    pub canary: bool,
    /// The branch whose pushes are released.
    pub branch: String,
    /// What a fresh machine needs before it can build.
    pub setup: Setup,
}
