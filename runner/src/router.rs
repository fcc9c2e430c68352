//! The router on the user's account: installed, looked at, upgraded and removed.
//!
//! What is there ([`found`]) and what should be ([`wanted`]) make a plan ([`plan`]), which is a pure function: the same list of steps
//! is printed by `--dry-run` and carried out by [`perform`]. Each step knows what undoes it. Whoever dies half way leaves something
//! that the next look finds, and from which the next plan goes on.

mod bundle;
mod checks;
mod found;
mod look;
mod note;
mod pattern;
mod perform;
mod plan;
mod step;
mod wanted;

pub(crate) use bundle::Bundle;
pub(crate) use checks::{Before, Checks, OVERRIDES};
pub(crate) use found::{Answers, Deployed, Found};
pub(crate) use look::{Lack, look};
pub(crate) use perform::{Failed, Work};
pub(crate) use plan::{Refused, deploy, remove, upgrade};
pub(crate) use step::Step;
pub(crate) use wanted::{Secret, Wanted};
