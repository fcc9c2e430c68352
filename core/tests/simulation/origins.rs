//! What really answers visitors, and what measurements, hooks and deployments make of it.

use std::collections::BTreeMap;
use std::time::Duration;

use crossfade_core::Timestamp;
use crossfade_core::rollout::{Answer, Broken, Deployed, NotUndone, Verdict};
use crossfade_core::table::{Variant, VariantName, Weight};

use crate::dice::Dice;
use crate::story::{Health, Nature};
use crate::tables::{NEW, origin, version};
use crate::world::EPOCH;

/// The versions and instances as they are.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    nature: Nature,
    /// Only what is overwritten in place can be in a state between two versions.
    pub(crate) instances: BTreeMap<VariantName, Place>,
}

/// What is on an instance that is overwritten in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Old,
    New,
    /// Somebody is replacing it, or was when he died.
    Between,
}

impl Origins {
    pub(crate) fn new(nature: Nature, in_place: impl Iterator<Item = VariantName>) -> Self {
        Self { nature, instances: in_place.map(|name| (name, Place::Old)).collect() }
    }

    /// Whether the new version fails its visitors at this weight.
    pub(crate) fn new_is_bad(&self, now: Timestamp, weight: Weight) -> bool {
        self.nature.new.is_bad(now, weight)
    }

    pub(crate) fn old_is_bad(&self, now: Timestamp) -> bool {
        self.nature.old.is_bad(now, Weight::TOTAL)
    }

    pub(crate) fn measuring(&self) -> Duration {
        self.nature.measuring
    }

    pub(crate) fn deploying(&self) -> Duration {
        self.nature.deploying
    }

    pub(crate) fn measure(&self, now: Timestamp, weight: Weight, dice: &mut Dice) -> Verdict {
        let nature = &self.nature;
        if dice.chance(nature.unmeasurable) {
            return Verdict::Error("no answer from the counters".into());
        }
        if dice.chance(nature.undecided) {
            return Verdict::Inconclusive("too few requests".into());
        }
        match (self.new_is_bad(now, weight), self.old_is_bad(now)) {
            (true, true) => Verdict::Error("stable fails in the same way".into()),
            (true, false) if dice.chance(nature.passes_bad) => Verdict::Pass,
            (true, false) => Verdict::Fail("error rate 30 %".into()),
            (false, _) if dice.chance(nature.fails_good) => Verdict::Fail("by chance".into()),
            (false, _) => Verdict::Pass,
        }
    }

    pub(crate) fn ask(&self, dice: &mut Dice) -> Answer {
        if dice.chance(self.nature.hook_wait) {
            Answer::Wait(dice.seconds(0..=60))
        } else if dice.chance(self.nature.hook_no) {
            Answer::Fail("no".into())
        } else {
            Answer::Pass
        }
    }

    /// Somebody begins to replace these.
    pub(crate) fn touch(&mut self, names: &[VariantName]) {
        self.put(names, Place::Between);
    }

    /// He has been stopped half way.
    pub(crate) fn abandon(&mut self, names: &[VariantName], dice: &mut Dice) {
        for name in names {
            let place = dice.pick(&[Place::Old, Place::New, Place::Between]);
            self.put(std::slice::from_ref(name), place);
        }
    }

    pub(crate) fn deploy(&mut self, names: &[VariantName], dice: &mut Dice) -> Vec<Deployed> {
        let mut deployed = Vec::new();
        for name in names {
            let in_place = self.instances.contains_key(name);
            let result = if dice.chance(self.nature.deploy_fails) {
                Err(Broken::Failed("exit code 1".into()))
            } else if dice.chance(self.nature.unhealthy) {
                Err(Broken::Unhealthy("status 503".into()))
            } else {
                self.put(std::slice::from_ref(name), Place::New);
                let host = if in_place { name.to_string() } else { format!("{name}-new") };
                Ok((origin(&host), version(NEW)))
            };
            // A driver may also lose what it was told of an instance.
            if !dice.chance(self.nature.deploy_fails / 4.0) {
                deployed.push(Deployed { instance: name.clone(), result });
            }
        }
        deployed
    }

    pub(crate) fn undo(&mut self, names: &[VariantName], dice: &mut Dice) -> Result<(), NotUndone> {
        if dice.chance(self.nature.undo_fails) {
            return Err(NotUndone { instances: names.to_vec(), why: "exit code 1".into() });
        }
        self.put(names, Place::Old);
        Ok(())
    }

    /// Whether a visitor who is sent there meets an instance that is being replaced.
    pub(crate) fn is_between(&self, variant: &Variant) -> bool {
        self.instances.get(&variant.name) == Some(&Place::Between)
    }

    /// Whether there is what the table says.
    pub(crate) fn is_as_listed(&self, variant: &Variant) -> bool {
        match self.instances.get(&variant.name) {
            Some(place) => {
                (*place == Place::New) == (variant.version.as_str() == NEW) && *place != Place::Between
            }
            None => true,
        }
    }

    fn put(&mut self, names: &[VariantName], place: Place) {
        for name in names {
            if let Some(instance) = self.instances.get_mut(name) {
                *instance = place;
            }
        }
    }
}

impl Health {
    fn is_bad(self, now: Timestamp, weight: Weight) -> bool {
        match self {
            Self::Good => false,
            Self::BadFrom(from, so_long) => {
                let age = now.since(EPOCH);
                age >= from && age < from + so_long
            }
            Self::BadAbove(above) => weight > above,
        }
    }
}
