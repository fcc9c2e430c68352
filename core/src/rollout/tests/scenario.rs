//! A world in which everything succeeds unless the scenario says otherwise.

use std::collections::VecDeque;

use super::*;

/// What was counted from a time on.
pub(super) type Counting = Box<dyn Fn(Timestamp) -> Result<Look, String>>;

/// Answers given by the scenario are used up first, each for the next effect of its kind.
pub(super) struct Scenario {
    pub(super) rollout: Rollout,
    pub(super) now: Timestamp,
    pub(super) publishes: VecDeque<Event>,
    pub(super) look_ups: VecDeque<Event>,
    pub(super) confirms: VecDeque<Event>,
    pub(super) measures: VecDeque<Event>,
    probes: VecDeque<Verdict>,
    pub(super) asks: VecDeque<Event>,
    pub(super) deploys: VecDeque<Event>,
    pub(super) undos: VecDeque<Event>,
    pub(super) waits: VecDeque<Event>,
    /// What somebody says, so long after the beginning.
    orders: VecDeque<(Timestamp, Order)>,
    /// (new version's weight in basis points, has a lease) of every table sent.
    pub(super) sent: Vec<(u16, bool)>,
    pub(super) tables: Vec<RoutingTable>,
    /// Everything but tables, waits and looks.
    pub(super) did: Vec<String>,
    pub(super) replies: Vec<(Order, Result<(), String>)>,
    /// What is counted from a time on, if anybody counts.
    pub(super) counting: Option<Counting>,
    pub(super) evidence: Vec<Evidence>,
    effects: usize,
    each_effect_takes: Duration,
}

const BEGINNING: Timestamp = Timestamp::from_millis(1_000_000);

impl Scenario {
    pub(super) fn new(steps: &[(u16, u64)]) -> Self {
        Self::from(rollout(plan(steps), Some(base())))
    }

    pub(super) fn from(rollout: Rollout) -> Self {
        Self {
            rollout,
            now: BEGINNING,
            publishes: VecDeque::new(),
            look_ups: VecDeque::new(),
            confirms: VecDeque::new(),
            measures: VecDeque::new(),
            probes: VecDeque::new(),
            asks: VecDeque::new(),
            deploys: VecDeque::new(),
            undos: VecDeque::new(),
            waits: VecDeque::new(),
            orders: VecDeque::new(),
            sent: Vec::new(),
            tables: Vec::new(),
            did: Vec::new(),
            replies: Vec::new(),
            counting: None,
            evidence: Vec::new(),
            effects: 0,
            each_effect_takes: Duration::from_millis(200),
        }
    }

    pub(super) fn measured(mut self, verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        self.measures.extend(verdicts.into_iter().map(measured));
        self
    }

    /// What probes say, where counts are looked at more often.
    pub(super) fn probed(mut self, verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        self.probes.extend(verdicts);
        self
    }

    pub(super) fn published(mut self, answers: impl IntoIterator<Item = Result<(), WriteFailure>>) -> Self {
        self.publishes.extend(answers.into_iter().map(Event::Published));
        self
    }

    pub(super) fn answered(mut self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.asks.extend(answers.into_iter().map(Event::Answered));
        self
    }

    /// Somebody says so, so many seconds after the beginning.
    pub(super) fn ordered(mut self, at: u64, order: Order) -> Self {
        self.orders.push_back((BEGINNING.plus(Duration::from_secs(at)), order));
        self
    }

    /// How long after the beginning the first table of this share was sent.
    pub(super) fn sent_at(&self, weight: u16) -> Duration {
        let index = self.sent.iter().position(|(sent, _)| *sent == weight).unwrap();
        self.tables[index].updated_at().since(BEGINNING)
    }

    /// How long it took.
    pub(super) fn took(&self) -> Duration {
        self.now.since(BEGINNING)
    }

    pub(super) fn run(&mut self) -> Outcome {
        self.run_until(|_| false).unwrap()
    }

    /// Runs until the machine wants such an effect done, which is not done. `None`: it did.
    pub(super) fn run_until(&mut self, stop: impl Fn(&Effect) -> bool) -> Option<Outcome> {
        let mut event = Event::Started;
        loop {
            self.effects += 1;
            assert!(self.effects < 20_000, "a rollout is bounded");
            let effect = self.rollout.handle(self.now, event);
            self.replies.extend(self.rollout.replies());
            self.evidence.extend(self.rollout.evidence());
            if stop(&effect) {
                return None;
            }
            self.now = self.now.plus(self.each_effect_takes);
            event = match effect {
                Effect::Finish(outcome) => return Some(outcome),
                effect => self.perform(effect),
            };
        }
    }

    fn perform(&mut self, effect: Effect) -> Event {
        match effect {
            Effect::Publish { table, urgent, .. } => {
                let new = table.variants().iter().filter(|variant| variant.version.as_str() == "2");
                let weight = new.map(|variant| variant.weight.basis_points()).sum();
                self.sent.push((weight, table.lease().is_some()));
                self.did.push(format!("{}{}", if urgent { "urgent " } else { "" }, shares(&table)));
                self.tables.push(*table);
                self.publishes.pop_front().unwrap_or(Event::Published(Ok(())))
            }
            Effect::LookUp => self.look_ups.pop_front().unwrap_or_else(|| {
                let last = self.tables.last().unwrap();
                Event::LookedUp(Found::Table(Writer::of(last)))
            }),
            Effect::Confirm(_) => self.confirms.pop_front().unwrap_or(Event::Confirmed(Confirmation::Served)),
            Effect::Measure { probes, counts: Some(from), .. } => {
                if probes {
                    self.did.push("probe".into());
                }
                let probes = probes.then(|| self.probes.pop_front().unwrap_or(Verdict::Pass));
                Event::Measured(Measurement {
                    probes,
                    counted: self.counting.as_ref().map(|count| count(from)),
                })
            }
            Effect::Measure { until, .. } => {
                let event = self.measures.pop_front().unwrap_or_else(|| measured(Verdict::Pass));
                self.busy_until(&event, until);
                event
            }
            Effect::Ask { gate, step, until } => {
                self.did.push(format!("ask {gate} {step}"));
                let event = self.asks.pop_front().unwrap_or(Event::Answered(Answer::Pass));
                self.busy_until(&event, until);
                event
            }
            Effect::Deploy { instances, until } => {
                self.did.push(format!("deploy {}", names(&instances)));
                let well = instances.iter().map(|name| deployed(name, Ok(())));
                let event = self.deploys.pop_front().unwrap_or(Event::Deployed(well.collect()));
                self.busy_until(&event, until);
                event
            }
            Effect::Undo { instances, until } => {
                self.did.push(format!("undo {}", names(&instances)));
                let event = self.undos.pop_front().unwrap_or(Event::Undone(Ok(())));
                self.busy_until(&event, until);
                event
            }
            Effect::WaitUntil(time) => self.waits.pop_front().unwrap_or_else(|| {
                if let Some((at, order)) = self.orders.pop_front_if(|(at, _)| *at <= time) {
                    self.now = self.now.max(at);
                    return Event::Ordered(order);
                }
                self.now = self.now.max(time);
                Event::Woke
            }),
            Effect::Finish(_) => unreachable!("the end is not performed"),
        }
    }

    fn busy_until(&mut self, event: &Event, until: Option<Timestamp>) {
        if *event == Event::Busy {
            self.now = self.now.max(until.unwrap());
        }
    }
}

pub(super) fn deployed(name: &VariantName, result: Result<(), Broken>) -> Deployed {
    let origin = Origin::new("origin", &format!("https://{name}-new.example.com")).unwrap();
    let result = result.map(|()| (origin, Version::new("version", "2").unwrap()));
    Deployed { instance: name.clone(), result }
}

fn names(names: &[VariantName]) -> String {
    names.iter().map(VariantName::as_str).collect::<Vec<_>>().join(" ")
}

/// Who has visitors: `blue 9500, green 500`, with a `'` for the new version.
fn shares(table: &RoutingTable) -> String {
    let variants = table.variants().iter().filter(|variant| variant.weight > Weight::ZERO);
    let share = variants.map(|variant| {
        let new = if variant.version.as_str() == "2" { "'" } else { "" };
        format!("{}{new} {}", variant.name, variant.weight.basis_points())
    });
    share.collect::<Vec<_>>().join(", ")
}
