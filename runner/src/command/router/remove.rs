//! `crossfade router remove`.

use super::{Place, refused};
use crate::cli::RouterRemove;
use crate::error::Error;
use crate::router;

pub(super) fn run(place: &Place<'_>, arguments: &RouterRemove) -> Result<(), Error> {
    let found = place.look()?;
    let steps = router::remove(&place.wanted, &found, arguments.purge, arguments.force).map_err(refused)?;
    if arguments.dry_run {
        place.print(&steps);
        return Ok(());
    }
    place.perform(&steps, found, None, None)?;
    let kept =
        if arguments.purge { "" } else { "; its KV namespace with the history of releases is still there" };
    let text = match steps.is_empty() {
        true => format!("there is no router at {}", place.settings.url),
        false => format!("{} is served without the router{kept}", place.settings.url),
    };
    place.reporter.finished("done", true, text);
    Ok(())
}
