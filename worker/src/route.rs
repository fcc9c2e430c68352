//! Who answers a request. In: the request, the table, how the variants have answered here. Out: a variant.
//!
//! The first that speaks decides: the lease, when it has run out; the override; the rules; the draw. Last the breaker may send
//! a request for a failing variant to stable.

use std::rc::Rc;

use crossfade_core::Timestamp;
use crossfade_core::assign::VisitorId;
use crossfade_core::breaker::State;
use worker::js_sys::JsString;

use crate::ask::{Override, RequestFacts};
use crate::call::Call;
use crate::isolate::{self, Ready};
use crate::visitor::Visitor;

/// Who answers, and what to tell about it.
pub(crate) struct Route {
    /// Index into the table's variants.
    pub(crate) index: usize,
    /// The lease has run out, so everybody goes to stable.
    pub(crate) lapsed: bool,
    /// A `Set-Cookie` for a visitor who is new.
    pub(crate) cookie: Option<JsString>,
    /// Somebody with the secret asked for this variant: the answer is theirs alone, and says nothing about visitors.
    pub(crate) private: bool,
}

/// Decides.
///
/// # Errors
/// The name that the override asks for, when no variant has it.
pub(crate) fn route(call: &Call, ready: &Rc<Ready>, now: Timestamp) -> Result<Route, String> {
    let to = |index| Route { index, lapsed: false, cookie: None, private: false };
    let (ask, table) = (call.ask(), ready.table());
    if table.lapsed(now) {
        return Ok(Route { lapsed: true, ..to(ready.stable) });
    }
    match ask.override_to(&call.settings, table) {
        Override::No => {}
        Override::To(index) => return Ok(Route { private: true, ..to(index) }),
        Override::Unknown(name) => return Err(name),
    }
    let rule = table.policy().rules.iter().find(|rule| {
        let facts = RequestFacts(&call.request());
        rule.holds(call.target().path(), &facts)
    });
    let ruled = rule.and_then(|rule| table.variants().iter().position(|variant| variant.name == rule.to));
    let mut route = match ruled {
        Some(index) => to(index),
        // While one variant has everybody there is nothing to remember, and no cookie.
        None if !ready.assignment.is_split() => {
            to(ready.assignment.choose(VisitorId::from_bits(0), now).variant)
        }
        None => {
            let visitor =
                Visitor::of(&call.request(), ask.cookies(), &table.affinity().by, call.target().secure());
            let choice = ready.assignment.choose(visitor.id, now);
            Route { cookie: visitor.cookie.map(JsString::from), ..to(choice.variant) }
        }
    };
    if route.index != ready.stable && !admits(ready, route.index, call, now) {
        route.index = ready.stable;
    }
    Ok(route)
}

/// Whether a variant's breaker lets a request through. The trial of a half-open one must be a request that can be rescued.
fn admits(ready: &Rc<Ready>, index: usize, call: &Call, now: Timestamp) -> bool {
    let admitted = isolate::with_tally(ready, index, |tally| match tally.breaker.state() {
        State::Closed { .. } => true,
        State::Open { .. } | State::HalfOpen { .. } => call.can_repeat() && tally.breaker.admits(now),
    });
    admitted.unwrap_or(true)
}
