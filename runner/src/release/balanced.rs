//! A release where visitors meet a load balancer instead of the router: what has to hold before it, and what is said of it.

use crossfade_core::RoutingTable;

use crate::command::Session;
use crate::error::Error;

/// Makes sure that the load balancer does what the table says, when nothing is in flight: a slot that nobody is on is about to
/// get another version.
///
/// # Errors
/// [`Error::Gate`] when somebody has changed it by hand.
pub(super) fn check(session: &Session, found: Option<&RoutingTable>) -> Result<(), Error> {
    let at_rest = found.filter(|table| table.lease().is_none());
    let (Some(balancer), Some(table)) = (&session.routing.balancer, at_rest) else { return Ok(()) };
    match balancer.differs(table, session.api_within)? {
        None => Ok(()),
        Some(astray) => Err(Error::Gate {
            phase: "claim",
            why: format!(
                "the load balancer does not do what revision {} says ({astray}): `crossfade weights {}=100`, or other weights, \
                 make it follow",
                table.revision(),
                table.stable().name
            ),
        }),
    }
}

/// Begins a release that is in charge: says what is different without a router, and finds out whether the token may move
/// visitors, before anything is uploaded.
///
/// # Errors
/// When it may not.
pub(super) fn begin(session: &Session, base: Option<&RoutingTable>) -> Result<(), Error> {
    let Some(balancer) = &session.routing.balancer else { return Ok(()) };
    warn(session);
    base.map_or(Ok(()), |base| balancer.affirm(base, session.api_within)).map_err(Error::from)
}

/// Says who brings visitors home when this process cannot.
pub(super) fn warn(session: &Session) {
    if session.routing.balancer.is_some() {
        session.reporter.warn(
            "visitors meet a load balancer, which knows no lease: should this process die, its weights stay as they are until \
             `crossfade resume`, `crossfade rollback`, the action's `post` or the next release. Nor has it rescue, breaker or \
             counters",
        );
    }
}
