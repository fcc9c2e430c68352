//! A rollout as another runner can go on with it: plan, start, subject, and where it is. It is saved before each write.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::{Value, json};

use crate::table::{
    Environment, Generation, Origin, Owner, ReleaseId, RoutingTable, RunnerId, VariantName, Version, manners,
};

use super::machine::{Begin, Goal, State, Then};
use super::standing::foreign;
use super::tables::Tables;
use super::tables::fleet::{Crew, Fleet, Instance, Member};
use super::tables::pair::{Canary, Pair};
use super::{CannotStart, Judging, Plan, Reason, Rollout, Subject, Writer};

/// What is saved of a rollout.
///
/// ```
/// # use crossfade_core::table::{Generation, RunnerId, TableError};
/// # use crossfade_core::rollout::*;
/// # let rollout: Rollout = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/rollout/example.rs"));
/// let text = serde_json::to_string(&rollout.saved()).unwrap();
///
/// // Another process, after this one has died.
/// let saved: Saved = serde_json::from_str(&text).unwrap();
/// assert_eq!((saved.release().as_str(), saved.generation()), ("rel-8", Generation::FIRST));
/// assert_eq!(saved.hold(0), Some(std::time::Duration::ZERO));
/// let runner = RunnerId::new("runner", "a07b44")?;
/// let resumed = Rollout::resume(saved, runner, rollout.base()).unwrap().approved().above(None);
/// assert_eq!((resumed.step(), resumed.plan()), (0, rollout.plan()));
/// assert_eq!((resumed.subject(), resumed.base()), (rollout.subject(), rollout.base()));
/// assert_eq!(resumed.owner().generation, Generation::new(2));
/// # Ok::<(), TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    plan: Plan,
    base: Option<RoutingTable>,
    subject: SavedSubject,
    release: ReleaseId,
    generation: Generation,
    at: At,
    /// Somebody wanted it in full.
    #[serde(default)]
    full: bool,
    /// Somebody has approved the next step.
    #[serde(default)]
    approved: bool,
    /// Who judges it, with all that he has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    judging: Option<Judging>,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum At {
    /// At a step: an index into the plan's steps.
    Step(usize),
    /// A batch gets the version before back; afterwards this step.
    Undoing(usize),
    /// On the way home.
    Home(Reason),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SavedSubject {
    Canary(SavedCanary),
    Fleet { crew: SavedCrew, members: Vec<Member> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SavedCanary {
    environment: Environment,
    name: VariantName,
    origin: Origin,
    version: Version,
    manners: Manners,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SavedCrew {
    environment: Environment,
    instances: Vec<Instance>,
    manners: Manners,
}

/// What the table will say beside its variants, as it stands in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Manners(crate::table::AffinityBy, crate::table::Policy);

impl Serialize for Manners {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serde_json::to_value(&self.1).map_err(ser::Error::custom)?;
        let mut affinity = serde_json::to_value(&self.0).map_err(ser::Error::custom)?;
        affinity["salt"] = json!("");
        document["affinity"] = affinity;
        document.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Manners {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Value::deserialize(deserializer)?;
        manners(&document).map(|(affinity, policy)| Self(affinity, policy)).map_err(de::Error::custom)
    }
}

impl Saved {
    /// How often it has been taken charge of.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// How long a step of its plan is held.
    pub fn hold(&self, step: usize) -> Option<std::time::Duration> {
        self.plan.steps().get(step).map(|step| step.hold)
    }

    /// Whose it is.
    pub const fn release(&self) -> &ReleaseId {
        &self.release
    }
}

impl Rollout {
    /// The step that it is at: an index into the plan's steps.
    pub fn step(&self) -> usize {
        match at(&self.state, self.plan.steps().len() - 1) {
            At::Step(step) | At::Undoing(step) => step,
            At::Home(_) => 0,
        }
    }

    /// What it brings.
    pub fn subject(&self) -> Subject {
        match &self.tables {
            Tables::Pair(pair) => Subject::Canary(pair.canary.clone()),
            Tables::Fleet(fleet) => Subject::Fleet(fleet.crew.clone()),
        }
    }

    /// The table that it started from.
    pub const fn base(&self) -> Option<&RoutingTable> {
        self.tables.base()
    }

    /// What another runner needs to go on.
    pub fn saved(&self) -> Saved {
        Saved {
            plan: self.plan.clone(),
            base: self.tables.base().cloned(),
            subject: match &self.tables {
                Tables::Pair(pair) => SavedSubject::Canary(SavedCanary::from(&pair.canary)),
                Tables::Fleet(fleet) => {
                    SavedSubject::Fleet { crew: SavedCrew::from(&fleet.crew), members: fleet.members.clone() }
                }
            },
            release: self.release.clone(),
            generation: self.owner.generation,
            at: at(&self.state, self.plan.steps().len() - 1),
            full: self.full,
            approved: self.approved,
            judging: self.judging.clone(),
        }
    }

    /// Goes on with a release whose runner has died, from the step that it was at, as the next generation of it.
    ///
    /// `found` is the table in KV.
    ///
    /// # Errors
    /// When the table in KV is another release's.
    pub fn resume(saved: Saved, runner: RunnerId, found: Option<&RoutingTable>) -> Result<Self, CannotStart> {
        let Saved { plan, base, subject, release, generation, at, full, approved, judging } = saved;
        let is_base = found.map(RoutingTable::revision) == base.as_ref().map(RoutingTable::revision);
        if let Some(found) = found
            && *found.release() != release
            && !is_base
        {
            return Err(CannotStart::Superseded(foreign(&Writer::of(found))));
        }
        let base_is_some = base.is_some();
        let mut tables = match subject {
            SavedSubject::Canary(canary) => Tables::Pair(Box::new(Pair { base, canary: canary.into() })),
            SavedSubject::Fleet { crew, members } => {
                let crew: Crew = crew.into();
                if crew.instances.len() != members.len() {
                    let (planned, instances) = (members.len(), crew.instances.len());
                    return Err(CannotStart::OtherFleet { planned, instances });
                }
                Tables::Fleet(Box::new(Fleet { base, crew, members }))
            }
        };
        // A runner that was thought dead may have saved its own generation after another had taken over.
        let ours = found.filter(|found| *found.release() == release).and_then(RoutingTable::owner);
        let generation = generation.max(ours.map_or(generation, |owner| owner.generation)).next();
        // Every table in flight has a lease. One of ours without any has settled or is home, and only its end was never told:
        // on its way home a runner writes the table first.
        let ended =
            found.filter(|found| base_is_some && *found.release() == release && found.lease().is_none());
        if let Some(found) = ended {
            tables.ended_as(found);
        }
        let begin = match at {
            At::Step(_) | At::Undoing(_) if ended.is_some_and(|found| tables.is_settled(found)) => {
                Begin::Settle
            }
            At::Step(_) | At::Undoing(_) if ended.is_some() => {
                Begin::Home(Reason::Cancelled("home is what the runner wrote that died".into()))
            }
            At::Step(step) => Begin::Step(step.min(plan.steps().len() - 1)),
            At::Undoing(step) => Begin::Undoing(step.min(plan.steps().len())),
            At::Home(reason) => Begin::Home(reason),
        };
        Ok(Self {
            revision: found.map(RoutingTable::revision),
            served: None,
            plan,
            tables,
            release,
            owner: Owner { runner, generation },
            renewed_at: None,
            held_until: None,
            deadline: None,
            orders: std::collections::VecDeque::new(),
            full,
            approved,
            paused: None,
            replies: Vec::new(),
            judging,
            first_of_step: None,
            evidence: Vec::new(),
            state: State::Ready(begin),
        })
    }
}

/// Where a state is, as far as somebody else can take it up.
fn at(state: &State, last: usize) -> At {
    match state {
        State::Ready(Begin::Step(step)) | State::Draining { step, .. } | State::Deploying { step } => {
            At::Step(*step)
        }
        State::Ready(Begin::Undoing(step)) | State::Undoing { then: Then::Step(step), .. } => {
            At::Undoing(*step)
        }
        State::Ready(Begin::Home(reason)) | State::Undoing { then: Then::Home(reason), .. } => {
            At::Home(reason.clone())
        }
        State::Writing(write) | State::WritePause(write) | State::ReadingBack(write) => {
            at_goal(&write.goal, last)
        }
        State::Confirming { goal, .. } => at_goal(goal, last),
        State::Measuring(watch) | State::Asking(watch) | State::Pausing(watch) => At::Step(watch.step),
        State::Ready(Begin::Settle) | State::Finished => At::Step(last),
    }
}

fn at_goal(goal: &Goal, last: usize) -> At {
    match goal {
        Goal::Step(step) => At::Step(*step),
        Goal::Renew(interrupted) => at(interrupted, last),
        Goal::Shelter(Then::Step(step)) => At::Undoing(*step),
        // What settles has passed its last step; whoever takes over sees for himself.
        Goal::Settle => At::Step(last),
        Goal::Shelter(Then::Home(reason)) | Goal::Home(reason) => At::Home(reason.clone()),
    }
}

impl From<&Canary> for SavedCanary {
    fn from(canary: &Canary) -> Self {
        let Canary { environment, name, origin, version, affinity, policy } = canary.clone();
        Self { environment, name, origin, version, manners: Manners(affinity, policy) }
    }
}

impl From<SavedCanary> for Canary {
    fn from(saved: SavedCanary) -> Self {
        let SavedCanary { environment, name, origin, version, manners: Manners(affinity, policy) } = saved;
        Self { environment, name, origin, version, affinity, policy }
    }
}

impl From<&Crew> for SavedCrew {
    fn from(crew: &Crew) -> Self {
        let Crew { environment, instances, affinity, policy } = crew.clone();
        Self { environment, instances, manners: Manners(affinity, policy) }
    }
}

impl From<SavedCrew> for Crew {
    fn from(saved: SavedCrew) -> Self {
        let SavedCrew { environment, instances, manners: Manners(affinity, policy) } = saved;
        Self { environment, instances, affinity, policy }
    }
}
