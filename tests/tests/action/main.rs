//! The action, executed for real: by `act` in workflows, and by an executor of our own where a step's end is what matters.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod act;
mod cut_short;
mod executor;
mod hostile;
mod metadata;
mod over;
mod processes;
mod stage;
mod workflows;
