//! The hooks of a phase together. In: their answers. Out: whether a release may go on.

use std::time::{Duration, Instant};

use crossfade_core::Span;

use super::{Answer, Asked, Asker, Moment, NoAnswer, Phase};
use crate::config::{Hook, Hooks};

/// A hook that says "ask again at once" is asked once a second.
const WAIT_MIN: Duration = Duration::from_secs(1);

/// Somebody cancelled, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled(pub String);

/// Hooks that a phase depends on, asked in their order. One that passed is not asked again, so that an approval is asked for
/// again without anything before it being done over.
pub struct Gate {
    phase: Phase,
    /// Those that have not passed, the next one last.
    left: Vec<Hook>,
    /// Since when the next one has been answering *wait*.
    waiting_since: Option<Instant>,
}

impl Gate {
    /// A phase's hooks. Without any, it passes.
    pub fn new(phase: Phase, hooks: &[Hook]) -> Self {
        Self { phase, left: hooks.iter().rev().cloned().collect(), waiting_since: None }
    }

    /// Asks those that have not passed yet, until one does not pass. *Wait* is given back to whoever has something else to do
    /// meanwhile. Fails closed: a hook that cannot be asked has failed, and so has one that waits for longer than it may.
    ///
    /// # Errors
    /// When somebody cancelled.
    pub fn ask(
        &mut self,
        asker: &Asker,
        moment: &Moment,
        note: &mut dyn FnMut(&Asked),
    ) -> Result<Answer, Cancelled> {
        while let Some(hook) = self.left.last() {
            let asked = asker.ask(self.phase, hook, moment);
            note(&asked);
            let waited = self.waiting_since.map(|since| since.elapsed());
            match believed(asked.answer, waited, hook)? {
                Answer::Pass => {
                    self.left.pop();
                    self.waiting_since = None;
                }
                Answer::Fail(why) => return Ok(Answer::Fail(why)),
                Answer::Wait(after) => {
                    self.waiting_since.get_or_insert_with(Instant::now);
                    return Ok(Answer::Wait(after));
                }
            }
        }
        Ok(Answer::Pass)
    }
}

/// What an answer comes to when a hook has been waiting for so long: `None` when this is its first. The last question falls on
/// the end of what it may wait.
fn believed(
    answer: Result<Answer, NoAnswer>,
    waited: Option<Duration>,
    hook: &Hook,
) -> Result<Answer, Cancelled> {
    match answer {
        Ok(Answer::Wait(after)) => {
            let left = hook.wait_max.saturating_sub(waited.unwrap_or_default());
            if left.is_zero() {
                let most = Span(hook.wait_max);
                return Ok(Answer::Fail(format!("{} was not decided within {most}", hook.title())));
            }
            Ok(Answer::Wait(after.max(WAIT_MIN).min(left)))
        }
        Ok(answer) => Ok(answer),
        Err(NoAnswer::Error(why)) => Ok(Answer::Fail(why)),
        Err(NoAnswer::Cancelled(reason)) => Err(Cancelled(reason)),
    }
}

/// Asks a hook until it is decided, and waits in between; `Err` says why it failed, or that somebody cancelled.
///
/// # Errors
/// When somebody cancelled.
pub fn hold(
    phase: Phase,
    hook: &Hook,
    asker: &Asker,
    moment: &Moment,
    note: &mut dyn FnMut(&Asked),
) -> Result<Result<(), String>, Cancelled> {
    let mut gate = Gate::new(phase, std::slice::from_ref(hook));
    loop {
        match gate.ask(asker, moment, note)? {
            Answer::Pass => return Ok(Ok(())),
            Answer::Fail(why) => return Ok(Err(why)),
            Answer::Wait(after) => {
                asker.cancel().wait(after);
            }
        }
    }
}

/// What the hooks of a measurement say of the new version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing against it.
    Pass,
    /// It fails.
    Fail(String),
    /// Somebody wants everybody back on the version before, now.
    RollBack(String),
    /// A hook has not decided.
    Undecided(String),
    /// A hook could not be asked.
    Error(String),
    /// Somebody cancelled.
    Cancelled(String),
}

/// Asks the hooks `rollback`, then the hooks `rollout`, all of them, once. A hook `rollback` that cannot be asked wants nothing.
/// The sum of their time-outs should stay below the interval of measurements.
pub fn during_measurement(
    hooks: &Hooks,
    asker: &Asker,
    moment: &Moment,
    note: &mut dyn FnMut(&Asked),
) -> Judgement {
    let mut neither = None;
    for phase in [Phase::Rollback, Phase::Rollout] {
        for hook in hooks.of(phase) {
            let asked = asker.ask(phase, hook, moment);
            note(&asked);
            match (phase, asked.answer) {
                (_, Err(NoAnswer::Cancelled(reason))) => return Judgement::Cancelled(reason),
                (Phase::Rollback, Ok(Answer::Pass)) => {
                    return Judgement::RollBack(format!("{} asks for it", asked.hook));
                }
                (Phase::Rollback, Ok(_) | Err(NoAnswer::Error(_))) | (_, Ok(Answer::Pass)) => {}
                (_, Ok(Answer::Fail(why))) => return Judgement::Fail(why),
                (_, Ok(Answer::Wait(_))) => {
                    let why = format!("{} has not decided", asked.hook);
                    neither.get_or_insert(Judgement::Undecided(why));
                }
                (_, Err(NoAnswer::Error(why))) => {
                    neither.get_or_insert(Judgement::Error(why));
                }
            }
        }
    }
    neither.unwrap_or(Judgement::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(text: &str) -> Hook {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn wait_is_believed_until_its_time_is_over_and_asked_for_the_last_time_then() {
        let hook = hook("run = \"approval\"\nwait_max = \"60s\"");
        let seconds = Duration::from_secs;
        for (says, waited, becomes) in [
            (10, None, Answer::Wait(seconds(10))),
            (10, Some(20), Answer::Wait(seconds(10))),
            (10, Some(55), Answer::Wait(seconds(5))),
            (3600, None, Answer::Wait(seconds(60))),
            (0, None, Answer::Wait(WAIT_MIN)),
            (10, Some(60), Answer::Fail("approval was not decided within 1 min".into())),
        ] {
            let answer = believed(Ok(Answer::Wait(seconds(says))), waited.map(seconds), &hook);
            assert_eq!(answer, Ok(becomes), "{says} after {waited:?}");
        }
    }

    #[test]
    fn what_cannot_be_asked_has_failed_and_what_is_cancelled_has_not() {
        let hook = hook("run = \"approval\"");
        let error = Err(NoAnswer::Error("no answer".into()));
        assert_eq!(believed(error, None, &hook), Ok(Answer::Fail("no answer".into())));
        let cancelled = Err(NoAnswer::Cancelled("SIGINT".into()));
        assert_eq!(believed(cancelled, None, &hook), Err(Cancelled("SIGINT".into())));
        assert_eq!(believed(Ok(Answer::Pass), Some(Duration::MAX), &hook), Ok(Answer::Pass));
    }
}
