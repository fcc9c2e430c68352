//! The tables of a rolling release: instances without visitors while they are replaced, with their share before and after.
//!
//! An instance keeps its share relative to the others whoever is drained, so that only the visitors of the drained ones move.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::table::{
    Affinity, AffinityBy, Draft, Environment, Lease, Origin, Policy, Previous, RoutingTable, VARIANTS_MAX,
    Variant, VariantName, Version, Weight,
};

use super::{Stamp, resolved, valid};
use crate::rollout::{Batch, CannotStart};

/// Instances, and what is known of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rollout) struct Fleet {
    pub(in crate::rollout) base: Option<RoutingTable>,
    pub(in crate::rollout) crew: Crew,
    pub(in crate::rollout) members: Vec<Member>,
}

/// What a rolling release brings.
///
/// ```
/// use std::time::Duration;
/// use crossfade_core::rollout::{Batch, Crew, Draft, Instance, Rolling, Rollout, Subject};
/// use crossfade_core::table::*;
///
/// let instance = |name| Instance { name: VariantName::new("name", name).unwrap(), in_place: false };
/// let crew = Crew {
///     environment: Environment::new("environment", "production")?,
///     instances: ["one", "two", "three"].map(instance).to_vec(),
///     affinity: AffinityBy::Address,
///     policy: Policy::default(),
/// };
/// let (drain, watch, between) = (Duration::ZERO, Duration::from_secs(300), Duration::ZERO);
/// let plan = Rolling { instances: 3, batch: 1, drain, watch, between }.plan(Draft::default(), true).unwrap();
/// let owner = Owner { runner: RunnerId::new("runner", "3f9c21")?, generation: Generation::FIRST };
/// let release = ReleaseId::new("release", "rel-8")?;
/// let rollout = Rollout::new(plan, None, Subject::Fleet(crew), release, owner).unwrap();
/// // The first release ever: nobody visits yet, so all of them are one batch.
/// assert_eq!(rollout.instances(Batch { first: 0, count: 3 }).len(), 3);
/// # Ok::<(), TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crew {
    /// Whose traffic this is; must be the base table's environment.
    pub environment: Environment,
    /// The instances, in the order in which they are replaced.
    pub instances: Vec<Instance>,
    /// How visitors are recognised from this release on.
    pub affinity: AffinityBy,
    /// What the router does beyond the draw from this release on; `stable` names the instance that everything falls back to.
    pub policy: Policy,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The variant that it is in the table.
    pub name: VariantName,
    /// Whether deploying overwrites what is there. A Pages deployment does not: the one before keeps its URL.
    pub in_place: bool,
}

/// What is known of an instance of the release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::rollout) struct Member {
    /// What it was before the release; `None` when it is new.
    pub(in crate::rollout) before: Option<Variant>,
    /// What it was made.
    pub(in crate::rollout) after: Option<(Origin, Version)>,
    pub(in crate::rollout) stage: Progress,
    /// It did not take the new version, and has the one before again.
    pub(in crate::rollout) failed: bool,
    /// Why it could not get the version before back: it serves nobody until a person has seen to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::rollout) lost: Option<String>,
}

/// How far an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::rollout) enum Progress {
    /// It has the version before.
    Before,
    /// It is being replaced, or nobody has vouched for it yet.
    Busy,
    /// It has the new version, which was watched.
    After,
}

impl Fleet {
    pub(super) fn check(base: Option<&RoutingTable>, crew: &Crew) -> Result<(), CannotStart> {
        if let Some(base) = base
            && *base.environment() != crew.environment
        {
            return Err(CannotStart::OtherEnvironment(base.environment().to_string()));
        }
        let leaving = base.map_or(0, |base| leaving(base, crew).count());
        match crew.instances.len() + leaving {
            many if many > VARIANTS_MAX => Err(CannotStart::TooManyInstances(many)),
            _ => Ok(()),
        }
    }

    pub(in crate::rollout) fn new(base: Option<RoutingTable>, crew: Crew) -> Result<Self, CannotStart> {
        Self::check(base.as_ref(), &crew)?;
        let before = |name: &VariantName| base.as_ref().and_then(|base| base.variant(name).cloned());
        let members = crew.instances.iter().map(|instance| Member {
            before: before(&instance.name),
            after: None,
            stage: Progress::Before,
            failed: false,
            lost: None,
        });
        Ok(Self { members: members.collect(), base, crew })
    }

    /// Whether every batch leaves somebody to its visitors, when all goes well.
    pub(in crate::rollout) fn check_batches(
        &self,
        batches: impl Iterator<Item = Batch>,
    ) -> Result<(), CannotStart> {
        let mut fleet = self.clone();
        for batch in batches.filter(|_| self.base.is_some()) {
            if !fleet.serves_without(batch) {
                let names =
                    self.crew.instances[batch.range()].iter().map(|instance| instance.name.to_string());
                return Err(CannotStart::NobodyLeft(names.collect::<Vec<_>>().join("`, `")));
            }
            fleet.members[batch.range()].iter_mut().for_each(|member| member.stage = Progress::After);
        }
        Ok(())
    }

    /// Everybody but these, each with its share of what is left.
    pub(in crate::rollout) fn without(
        &self,
        drained: Range<usize>,
        stamp: &Stamp,
        lease_ends: Timestamp,
    ) -> RoutingTable {
        let serves = |index: usize| !drained.contains(&index) && self.members[index].stage != Progress::Busy;
        self.table(serves, true, Some(lease_ends), stamp)
    }

    /// Everybody, these with the new version, which nobody has vouched for yet.
    pub(super) fn with(&self, restored: Range<usize>, stamp: &Stamp, lease_ends: Timestamp) -> RoutingTable {
        let serves = |index: usize| restored.contains(&index) || self.members[index].stage != Progress::Busy;
        let lease = self.base.is_some().then_some(lease_ends);
        self.table(serves, true, lease, stamp)
    }

    /// Only those that have the version before; when none has it, those that were watched with the new one.
    pub(in crate::rollout) fn sheltered(&self, stamp: &Stamp, lease_ends: Timestamp) -> RoutingTable {
        let stage = self.shelter();
        self.table(|index| self.members[index].stage == stage, true, Some(lease_ends), stamp)
    }

    /// Who serves while a release goes back.
    pub(in crate::rollout) fn shelter(&self) -> Progress {
        let serves = |member: &Member| member.stage == Progress::Before && member.serves_before();
        if self.keeps_leaving() || self.members.iter().any(serves) {
            Progress::Before
        } else {
            Progress::After
        }
    }

    /// Whether one that leaves the fleet serves until the release has settled.
    pub(super) fn keeps_leaving(&self) -> bool {
        let base = self.base.as_ref();
        base.is_some_and(|base| leaving(base, &self.crew).any(|variant| variant.weight > Weight::ZERO))
    }

    pub(super) fn settled(&self, stamp: &Stamp) -> RoutingTable {
        self.table(|_| true, false, None, stamp)
    }

    /// Whether somebody is sent to what was not there before.
    pub(super) fn is_settled(&self, table: &RoutingTable) -> bool {
        table.variants().iter().any(|variant| variant.weight > Weight::ZERO && self.is_new(variant))
    }

    pub(super) fn home(&self, stamp: &Stamp) -> Option<RoutingTable> {
        let base = self.base.as_ref()?;
        if self.lost().is_some() {
            return Some(self.table(|index| self.members[index].lost.is_none(), true, None, stamp));
        }
        Some(valid(RoutingTable::new(Draft { lease: None, ..stamp.on(base.draft()) })))
    }

    /// The share of the first `count` instances.
    pub(super) fn share(&self, count: usize) -> Weight {
        let all = self.members.len().max(1);
        u16::try_from(count.min(all) * 10_000 / all).ok().and_then(Weight::new).unwrap_or(Weight::TOTAL)
    }

    /// A table in which those serve that `serves` says, and the ones that leave the fleet when `leaving_too`.
    fn table(
        &self,
        serves: impl Fn(usize) -> bool,
        leaving_too: bool,
        lease_ends: Option<Timestamp>,
        stamp: &Stamp,
    ) -> RoutingTable {
        let usual = self.usual_share();
        let (mut shares, mut serving): (Vec<(Variant, u32)>, Vec<bool>) = (Vec::new(), Vec::new());
        for (index, (member, instance)) in self.members.iter().zip(&self.crew.instances).enumerate() {
            let Some(variant) = member.variant(&instance.name) else { continue };
            let share = member.before.as_ref().map_or(usual, |before| before.weight.basis_points().into());
            shares.push((variant, if serves(index) { share } else { 0 }));
            serving.push(serves(index));
        }
        if leaving_too && let Some(base) = &self.base {
            shares.extend(leaving(base, &self.crew).map(|it| (it.clone(), it.weight.basis_points().into())));
            serving.resize(shares.len(), true);
        }
        // Whoever serves had no visitors before: as if all of them had the same share.
        if shares.iter().all(|(_, share)| *share == 0) {
            shares.iter_mut().zip(&serving).for_each(|((_, share), serves)| *share = (*serves).into());
        }
        let variants = weighed(shares);
        let stable = self.fallback(&variants);
        // A rule sends visitors whatever the weights say, so it waits as long as its instance does not serve.
        let named = variants.iter().zip(serving).filter(|(_, serves)| *serves);
        let names: Vec<&VariantName> = named.map(|(variant, _)| &variant.name).collect();
        let by = self.crew.affinity.clone();
        // The same salt as before: a release moves nobody from one instance to another.
        let salt =
            self.base.as_ref().map_or_else(|| stamp.release.to_string(), |base| base.affinity().salt.clone());
        let older = self.base.iter().flat_map(|base| {
            let replaced = base.variants().iter().cloned().map(Previous::from);
            replaced.chain(base.previous().iter().cloned())
        });
        valid(RoutingTable::new(stamp.on(Draft {
            environment: self.crew.environment.clone(),
            revision: stamp.revision,
            release: stamp.release.clone(),
            owner: None,
            updated_at: stamp.now,
            lease: lease_ends.map(|expires_at| Lease { expires_at }),
            previous: Previous::list(older, &variants),
            affinity: Affinity { by, salt },
            policy: resolved(&self.crew.policy, &stable, None, &names),
            stable,
            variants,
        })))
    }

    /// Who serves everybody when the lease runs out: one with the version before that has visitors, else one with the new.
    fn fallback(&self, variants: &[Variant]) -> VariantName {
        let stage = |name: &VariantName| {
            let index = self.crew.instances.iter().position(|instance| instance.name == *name);
            index.map_or(Progress::Before, |index| self.members[index].stage)
        };
        let rank = |variant: &&Variant| match (variant.weight > Weight::ZERO, stage(&variant.name)) {
            (true, Progress::Before) => 0,
            (true, Progress::After) => 1,
            (true, Progress::Busy) => 2,
            (false, _) => 3,
        };
        variants.iter().min_by_key(rank).expect("a fleet has an instance").name.clone()
    }

    /// What an instance that is new gets: as much as the others have on average; where all are new, as those that leave.
    fn usual_share(&self) -> u32 {
        let before = self.base.iter().flat_map(RoutingTable::variants);
        average(self.members.iter().filter_map(|member| member.before.as_ref()))
            .or(average(before))
            .unwrap_or(1)
    }
}

impl Member {
    /// Whether it has visitors with the version before.
    pub(super) fn serves_before(&self) -> bool {
        self.before.as_ref().is_some_and(|before| before.weight > Weight::ZERO)
    }

    /// What the table lists: the new version as soon as it is there, else the one before.
    fn variant(&self, name: &VariantName) -> Option<Variant> {
        let weight = Weight::ZERO;
        match (&self.after, &self.before) {
            (Some((origin, version)), _) => {
                Some(Variant { name: name.clone(), origin: origin.clone(), version: version.clone(), weight })
            }
            (None, before) => before.clone(),
        }
    }
}

/// Variants of the table before that are no instances any more; they serve until the release has settled.
fn leaving<'a>(base: &'a RoutingTable, crew: &'a Crew) -> impl Iterator<Item = &'a Variant> {
    let stays = |variant: &Variant| crew.instances.iter().any(|instance| instance.name == variant.name);
    base.variants().iter().filter(move |variant| !stays(variant))
}

/// What those with visitors have on average.
fn average<'a>(variants: impl Iterator<Item = &'a Variant>) -> Option<u32> {
    let weights =
        variants.map(|variant| u32::from(variant.weight.basis_points())).filter(|weight| *weight > 0);
    let (sum, count) = weights.fold((0, 0), |(sum, count), weight| (sum + weight, count + 1));
    sum.checked_div(count)
}

/// Weights in proportion to shares, together exactly the whole: what rounding leaves goes to the largest remainders.
fn weighed(shares: Vec<(Variant, u32)>) -> Vec<Variant> {
    let total = u32::from(Weight::TOTAL.basis_points());
    let sum: u32 = shares.iter().map(|(_, share)| share).sum();
    // Nobody has a share: as if all had the same.
    let share_of = |share: u32| if sum == 0 { 1 } else { share };
    let sum = if sum == 0 { u32::try_from(shares.len()).unwrap_or(1) } else { sum };
    let parts: Vec<u32> = shares.iter().map(|(_, share)| share_of(*share) * total / sum).collect();
    let left = usize::try_from(total - parts.iter().sum::<u32>()).unwrap_or(0);
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(share_of(shares[*index].1) * total % sum));
    let mut extra = vec![0; shares.len()];
    order.into_iter().take(left).for_each(|index| extra[index] = 1);
    let weight = |points: u32| u16::try_from(points).ok().and_then(Weight::new).unwrap_or(Weight::TOTAL);
    shares
        .into_iter()
        .zip(parts.iter().zip(extra))
        .map(|((variant, _), (part, extra))| Variant { weight: weight(part + extra), ..variant })
        .collect()
}
