//! What people follow while traffic moves: the machine's effects and their answers as phases.

use crossfade_core::rollout::{
    Answer, Batch, Broken, Confirmation, Effect, Event, Evidence, Measurement, Order, Outcome, Rollout,
    Shift, Stage, Verdict, Word, WriteFailure,
};

use crossfade_core::Span;
use crossfade_core::table::VariantName;

use super::shares;
use crate::github;
use crate::report::{Phase, Reporter};

mod gate;

/// Turns effects into phases that people follow.
pub(super) struct Said<'a> {
    reporter: &'a Reporter,
    phase: Option<(Phase<'a>, String)>,
    /// What the last table was sent for, and its shares.
    published: Option<(&'static str, String)>,
    /// The shares that were written last.
    written: String,
    /// What stood in the way last.
    trouble: String,
    /// Whom it waits for.
    gate: Option<gate::Gate>,
}

impl<'a> Said<'a> {
    pub(super) const fn new(reporter: &'a Reporter) -> Self {
        Self {
            reporter,
            phase: None,
            published: None,
            written: String::new(),
            trouble: String::new(),
            gate: None,
        }
    }

    /// An effect is about to be performed.
    pub(super) fn before(&mut self, effect: &Effect, rollout: &Rollout) {
        match effect {
            Effect::Publish { table, urgent, .. } => {
                let shares = shares(table);
                // The first release of all has no lease: there is no other version that could take over.
                let name = match (urgent, rollout.shift_written(), table.lease()) {
                    (true, _, _) => "home",
                    (false, Some(Shift::Canary(_)), _) => "switch",
                    (false, Some(Shift::Replace(_)), _) => "drain",
                    (false, Some(Shift::Restore(_)), _) => "restore",
                    (false, None, None) => "settle",
                    (false, None, Some(_)) => match &self.published {
                        // A renewal of the lease: no news.
                        Some((_, same)) if *same == shares => return,
                        Some(_) | None => "shelter",
                    },
                };
                // The same again is another try: no news.
                let published = (name, shares);
                if self.published.as_ref() == Some(&published) {
                    return;
                }
                if *urgent {
                    let trouble = std::mem::take(&mut self.trouble);
                    self.failed(&trouble);
                }
                let what = match rollout.shift_written() {
                    Some(Shift::Replace(batch)) => format!("without {}", batch_of(rollout, batch)),
                    Some(Shift::Restore(batch)) => format!("with {}", batch_of(rollout, batch)),
                    Some(Shift::Canary(_)) | None => published.1.clone(),
                };
                self.begin(name, format!("revision {}: {what}", table.revision()));
                self.published = Some(published);
            }
            Effect::Confirm(revision) => {
                self.progress(&format!("waiting for the edge to serve revision {revision}"))
            }
            Effect::Measure { step, weight, .. } => {
                let first = self.phase.as_ref().is_none_or(|(phase, _)| phase.name() != "verify");
                if first {
                    let of = rollout.plan().steps().len();
                    let whom = match rollout.plan().steps().get(*step).map(|step| step.shift) {
                        Some(Shift::Replace(batch) | Shift::Restore(batch)) => {
                            format!("{}, ", batch_of(rollout, batch))
                        }
                        Some(Shift::Canary(_)) | None => String::new(),
                    };
                    self.begin("verify", format!("{whom}step {} of {of}, {weight}", step + 1));
                }
            }
            Effect::LookUp => self.progress("looking up whether the write happened"),
            Effect::Ask { gate, .. } => self.progress(&format!("asking {gate}")),
            Effect::Deploy { instances, .. } => self.begin_with("deploy", instances),
            Effect::Undo { instances, .. } => self.begin_with("undo", instances),
            Effect::WaitUntil(_) => {}
            Effect::Finish(_) => {}
        }
    }

    /// It was performed.
    pub(super) fn after(&mut self, effect: &Effect, event: &Event) {
        match (effect, event) {
            (Effect::Publish { .. }, Event::Published(Err(failure))) => {
                let (WriteFailure::Refused(why)
                | WriteFailure::NotWritten(why)
                | WriteFailure::Unknown(why)
                | WriteFailure::Superseded(why)) = failure
                else {
                    return;
                };
                self.detail(false, why);
                self.trouble.clone_from(why);
            }
            (Effect::Publish { table, .. }, Event::Published(Ok(()))) => {
                github::job().iter().for_each(|job| job.revision_is(table.revision().number()));
                // A renewal of the lease, or the same without it: no news.
                if let Some((why, shares)) = self.published.as_ref().filter(|(_, it)| *it != self.written) {
                    self.reporter.weights(why, table);
                    self.written.clone_from(shares);
                }
            }
            (Effect::Confirm(_), Event::Confirmed(Confirmation::Served)) => self.done(", served at the edge"),
            (Effect::Confirm(_), Event::Confirmed(Confirmation::NotYet(seen))) => {
                self.progress(seen);
                self.trouble.clone_from(seen);
            }
            (Effect::Measure { .. }, Event::Measured(measurement)) => self.probed(measurement),
            (Effect::Ask { gate, .. }, Event::Answered(answer)) => match answer {
                Answer::Pass => self.detail(true, &format!("{gate} passed")),
                Answer::Fail(why) => {
                    self.detail(false, &format!("{gate}: {why}"));
                    self.trouble.clone_from(why);
                }
                Answer::Wait(time) => self.progress(&format!("{gate} says not yet: {}", Span(*time))),
            },
            (Effect::Deploy { .. }, Event::Deployed(results)) => {
                for deployed in results {
                    match &deployed.result {
                        Ok((origin, version)) => {
                            self.detail(true, &format!("{} {version} at {origin}", deployed.instance));
                        }
                        Err(Broken::Failed(why) | Broken::Unhealthy(why)) => {
                            self.detail(false, &format!("{}: {why}", deployed.instance));
                            self.trouble.clone_from(why);
                        }
                    }
                }
            }
            (Effect::Undo { .. }, Event::Undone(Err(not_undone))) => self.failed(&not_undone.why),
            (_, Event::Cancelled(why)) => self.failed(&format!("cancelled: {why}")),
            (_, _) => {}
        }
    }

    fn probed(&mut self, measurement: &Measurement) {
        match &measurement.probes {
            Some(Verdict::Pass) => self.progress("passed"),
            None => {}
            Some(Verdict::Fail(why)) => self.failed(why),
            Some(Verdict::Error(why)) => self.blind(why),
            Some(Verdict::Inconclusive(why)) => self.progress(&format!("undecided: {why}")),
        }
    }

    /// What was counted, and what the judge makes of it.
    pub(super) fn measured(&mut self, evidence: &Evidence) {
        match evidence.verdict {
            Word::Pass | Word::Inconclusive | Word::Hold => self.progress(&evidence.why),
            // A failure of the probes has been told already.
            Word::Fail => self.failed(&evidence.why),
            // So has what the probes could not measure.
            Word::Error if self.trouble == evidence.why => {}
            Word::Error => self.blind(&evidence.why),
        }
    }

    fn blind(&mut self, why: &str) {
        self.detail(false, &format!("could not measure: {why}"));
        why.clone_into(&mut self.trouble);
    }

    /// It has come to a stage in which it waits for somebody.
    pub(super) fn stage(&mut self, stage: &Stage) {
        if self.gate.as_ref().is_none_or(|gate| !gate.goes_on(stage)) {
            if let Some(gate) = self.gate.take() {
                gate.end(self.reporter, stage);
            }
            self.gate = gate::Gate::of(stage);
        }
        // Why the phase in progress ends: what stood in the way before may have passed long ago.
        if let Stage::GoingHome { why } = stage {
            self.trouble.clone_from(why);
        }
        let command = match stage {
            Stage::Waiting { then: Some(_), .. } => "approve",
            Stage::Paused { .. } => "resume",
            Stage::Waiting { then: None, .. }
            | Stage::Shifting { .. }
            | Stage::Watching { .. }
            | Stage::Replacing { .. }
            | Stage::Undoing
            | Stage::Settling
            | Stage::GoingHome { .. }
            | Stage::Resting => return,
        };
        self.detail(true, &format!("{stage}: `crossfade {command}`"));
    }

    /// Somebody said something, and this is what came of it.
    pub(super) fn order(&mut self, order: Order, reply: &Result<(), String>) {
        let order = match order {
            Order::Promote => "promote",
            Order::PromoteFull => "promote --full",
            Order::Pause => "pause",
            Order::Resume => "resume",
            Order::Approve => "approve",
        };
        match reply {
            Ok(()) => self.detail(true, &format!("told to {order}")),
            Err(why) => self.detail(false, &format!("told to {order}: {why}")),
        }
    }

    fn begin_with(&mut self, name: &'static str, instances: &[VariantName]) {
        let names: Vec<&str> = instances.iter().map(VariantName::as_str).collect();
        // The same again is another look at what is under way: no news.
        if self.phase.as_ref().is_none_or(|(phase, _)| phase.name() != name) {
            self.begin(name, names.join(", "));
        }
    }

    fn begin(&mut self, name: &'static str, text: String) {
        self.done("");
        self.phase = Some((self.reporter.phase(name), text));
        self.progress("");
    }

    fn progress(&self, text: &str) {
        if let Some((phase, what)) = &self.phase {
            phase.progress(if text.is_empty() { what.clone() } else { format!("{what}; {text}") });
        }
    }

    fn detail(&self, ok: bool, text: &str) {
        if let Some((phase, _)) = &self.phase {
            phase.detail(ok, text);
        }
    }

    fn done(&mut self, more: &str) {
        if let Some((phase, text)) = self.phase.take() {
            phase.done(format!("{text}{more}"));
        }
    }

    fn failed(&mut self, why: &str) {
        if let Some((phase, text)) = self.phase.take() {
            phase.failed_because(&text, why);
        }
    }

    /// It is over.
    pub(super) fn end(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Promoted | Outcome::RolledBack(_) => self.done(""),
            Outcome::NotStarted(why) => self.failed(&why.to_string()),
            Outcome::Superseded(by) => self.failed(by),
            Outcome::Stuck { traffic, .. } => self.failed(&traffic.to_string()),
        }
    }
}

/// The names of a batch.
fn batch_of(rollout: &Rollout, batch: Batch) -> String {
    let names: Vec<&str> = rollout.instances(batch).iter().map(|instance| instance.name.as_str()).collect();
    names.join(", ")
}
