//! `crossfade router deploy` and `upgrade`.

use super::{Place, bundle, refused};
use crate::cli::RouterDeploy;
use crate::error::Error;
use crate::report::counted;
use crate::router::{self, Found, Step};

pub(super) fn deploy(place: &Place<'_>, arguments: &RouterDeploy) -> Result<(), Error> {
    let bundle = prepare(place, arguments)?;
    let found = place.look()?;
    let steps =
        router::deploy(&place.wanted, &found, bundle.fingerprint(), arguments.hold).map_err(refused)?;
    go(place, arguments, found, &steps, &bundle, "is installed")
}

pub(super) fn upgrade(place: &Place<'_>, arguments: &RouterDeploy) -> Result<(), Error> {
    let bundle = prepare(place, arguments)?;
    let found = place.look()?;
    let steps =
        router::upgrade(&place.wanted, &found, bundle.fingerprint(), arguments.hold).map_err(refused)?;
    go(place, arguments, found, &steps, &bundle, "is up to date")
}

/// What is wrong on this machine is said before anything is asked.
fn prepare(place: &Place<'_>, arguments: &RouterDeploy) -> Result<router::Bundle, Error> {
    let bundle = bundle(&arguments.bundle)?;
    if place.wanted.has_token() {
        return Ok(bundle);
    }
    Err(Error::Missing {
        what: "CROSSFADE_TOKEN",
        hint: "it becomes the router's secret, which opens its control endpoints: any long random text, such as \
               `openssl rand -hex 32` prints; keep it where the releases find it too"
            .into(),
    })
}

fn go(
    place: &Place<'_>,
    arguments: &RouterDeploy,
    found: Found,
    steps: &[Step],
    bundle: &router::Bundle,
    what: &str,
) -> Result<(), Error> {
    if arguments.dry_run {
        place.print(steps);
        return Ok(());
    }
    let namespace = place.wanted.namespace.clone();
    let version = found.new_version(&place.wanted, bundle.fingerprint());
    let changes = steps.iter().filter(|step| step.is_change()).count();
    place.perform(steps, found, Some(bundle), version)?;
    let changed = if changes == 0 { "nothing had to be changed".into() } else { counted(changes, "change") };
    let text = format!("the router {} {what} at {}: {changed}", bundle.fingerprint(), place.settings.url);
    place.reporter.finished("done", true, text);
    if namespace.is_none() && changes > 0 {
        place.reporter.line("  next: `crossfade deploy`");
    }
    Ok(())
}
