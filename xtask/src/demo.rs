//! placeholder
use crate::step::Failed;
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}
pub(crate) fn run(_: &Arguments) -> Result<(), Failed> {
    Ok(())
}
