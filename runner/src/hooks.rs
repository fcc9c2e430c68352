//! Hooks: commands and webhooks that a release asks or tells. In: a hook, and where the release stands. Out: pass, fail, wait.
//!
//! | module | in | out |
//! |---|---|---|
//! | [`Phase`] | | when hooks are asked |
//! | [`Moment`] | where a release stands | a webhook's JSON, a command's variables |
//! | [`Asker`] | a hook, a phase, a moment | one answer, after tries |
//! | [`Gate`] | the hooks of a phase | pass or fail, with *wait* believed for a time |
//! | [`during_measurement`] | the hooks `rollback` and `rollout` | what they say of the new version |
//! | [`deliver`] | a document | a webhook that was told, after tries |
//! | [`Events`] | events | the hooks `event` told, on a thread of its own |

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossfade_core::table::{ReleaseId, Version};

use crate::cancel::Cancel;
use crate::cloudflare::API_TOKEN;
use crate::config::{Action, Hook, Hooks, from_environment};
use crate::context::{Context, variables_in};
use crate::edge::CONTROL_TOKEN;
use crate::error::Error;
use crate::retry::{Policy, jitter};
use crate::signing::SIGNING_KEY;

mod command;
mod delivery;
mod events;
mod gate;
mod moment;
mod output;
mod phase;
mod webhook;

/// What a hook answers; the machine is told the same.
pub use crossfade_core::rollout::Answer;
pub use events::Events;
pub use gate::{Cancelled, Gate, Judgement, during_measurement, hold};
pub use moment::{Ending, Moment};
pub use phase::Phase;

pub(crate) use command::ask as run_command;
pub(crate) use delivery::{Delivery, deliver};

/// How long to wait when *wait* comes without a time.
const WAIT_DEFAULT: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It could not be asked, or was too late. What depends on it must not go on.
    Error(String),
    /// Somebody cancelled.
    Cancelled(String),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(why) => f.write_str(why),
            Self::Cancelled(reason) => write!(f, "cancelled: {reason}"),
        }
    }
}

/// A hook was asked; for the record. No secret is in it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When in the release.
    pub phase: Phase,
    /// Which hook, as reports call it.
    pub hook: String,
    /// What it answered.
    pub answer: Result<Answer, NoAnswer>,
    /// The end of what a command printed, the beginning of what a webhook answered: at most 4 KiB.
    pub output: String,
    /// How often it was asked.
    pub tries: u32,
    /// How long that took.
    pub took: Duration,
}

/// Everything that asking takes, but for the hook. Cheap to clone, for threads.
#[derive(Clone)]
pub struct Asker {
    directory: PathBuf,
    context: Arc<Context>,
    cancel: Cancel,
}

impl Asker {
    /// For one release. `variable` is the environment.
    ///
    /// # Errors
    /// [`Error::Missing`] when a variable is not set that a hook names on whose answer something depends: told before anything
    /// is done. The others can do no harm by failing when it is their turn.
    pub fn new(
        hooks: &Hooks,
        directory: &Path,
        (version, release): (&Version, &ReleaseId),
        cancel: Cancel,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Error> {
        // Empty is how GitHub passes a secret that does not exist; blanks around it come from how it was pasted.
        let variable = |name: &str| {
            variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        for phase in Phase::ALL.into_iter().filter(|phase| !phase.only_tells()) {
            let templates: Vec<String> = hooks.of(phase).iter().flat_map(Hook::templates).collect();
            if let Some(name) =
                templates.iter().flat_map(|it| variables_in(it)).find(|it| variable(it).is_none())
            {
                return Err(Error::Missing {
                    what: "a variable that a webhook needs",
                    hint: format!("set {name}, which a hook of the phase {} names", phase.name()),
                });
            }
        }
        let ours = [API_TOKEN, CONTROL_TOKEN, SIGNING_KEY].map(from_environment);
        let theirs = hooks.all().flat_map(Hook::templates);
        let context = Context::new(version.as_str(), release.as_str())
            .with_environment(ours.into_iter().chain(theirs), variable)
            .with_secrets(hooks.all().filter_map(Hook::query).map(str::to_owned));
        Ok(Self { directory: directory.to_owned(), context: Arc::new(context), cancel })
    }

    /// The same, cancelled by another.
    #[must_use]
    pub fn with_cancel(&self, cancel: Cancel) -> Self {
        Self { cancel, ..self.clone() }
    }

    /// What cancels it.
    pub(crate) const fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Asks a hook, and asks again while nothing answers and it has tries left. This blocks, after a cancellation for as long
    /// as a command may take to end; who must not be kept asks on a thread of its own.
    pub fn ask(&self, phase: Phase, hook: &Hook, moment: &Moment) -> Asked {
        let started = Instant::now();
        let policy = Policy {
            attempts_max: hook.retries() + 1,
            first_wait: Duration::from_millis(500),
            wait_max: Duration::from_secs(10),
            within: Duration::MAX,
        };
        let mut tries = 0;
        let (answer, output) = loop {
            if let Some(reason) = self.cancel.reason() {
                break (Err(NoAnswer::Cancelled(reason)), String::new());
            }
            tries += 1;
            let (answer, output) = self.try_once(phase, hook, moment);
            let again = match &answer {
                Err(NoAnswer::Error(_)) => policy.wait(tries, None, jitter()),
                Err(NoAnswer::Cancelled(_)) | Ok(_) => None,
            };
            match again {
                Some(wait) => self.cancel.wait(wait),
                None => break (answer, output),
            };
        };
        Asked { phase, hook: hook.title().to_owned(), answer, output, tries, took: started.elapsed() }
    }

    fn try_once(&self, phase: Phase, hook: &Hook, moment: &Moment) -> (Result<Answer, NoAnswer>, String) {
        let (timeout, context, cancel) = (hook.timeout(phase), &self.context, &self.cancel);
        match &hook.action {
            Action::Command(command) => {
                let variables = moment.variables(phase);
                let (answer, kept) =
                    command::ask(command, timeout, &self.directory, &variables, context, cancel);
                (answer, kept.tail)
            }
            Action::Webhook(webhook) => {
                webhook::ask(webhook, phase, moment.to_json(phase), timeout, context, cancel)
            }
        }
    }
}
