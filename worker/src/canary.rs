//! The way of requests to a variant that may fail. In: a request. Out: its answer, or stable's when it failed and the budget
//! allows; the visitor sees no error. Either way the failure counts.

use std::rc::Rc;

use crossfade_core::Timestamp;
use crossfade_core::breaker::State;
use crossfade_core::counters::Outcome;
use crossfade_core::table::Weight;
use wasm_bindgen::JsValue;
use web_sys::Response;

use crate::answer;
use crate::asset;
use crate::call::{Call, NoAnswer};
use crate::counting::{self, Ended};
use crate::isolate::{self, Ready};
use crate::route::Route;

/// Answers from the variant that the route names.
pub(crate) async fn answer(call: Call, ready: Rc<Ready>, route: Route, now: Timestamp) -> JsValue {
    let Some(variant) = ready.variant(route.index) else { return answer::no_table() };
    if route.private {
        let result = call.fetch(&variant.origin, None).await;
        return respond(call, Rc::clone(&ready), route, result).await;
    }
    let policy = ready.table().policy();
    isolate::with_tally(&ready, route.index, |tally| {
        tally.requests += 1;
        tally.budget.request(now);
    });
    let can_repeat = call.can_repeat();
    let deadline = (can_repeat && policy.rescue.budget > Weight::ZERO).then_some(policy.rescue.deadline);
    let result = call.fetch_within(&variant.origin, deadline).await;
    let outcome = match &result {
        Ok(response) => counting::answer(response.status(), now, crate::now()),
        Err(NoAnswer::Thrown(_)) => Outcome::Exception,
        Err(NoAnswer::Late(_)) => Outcome::Timeout,
    };
    let result = result.map_err(JsValue::from);
    if !note(&call, &ready, &route, outcome, can_repeat) {
        return respond(call, Rc::clone(&ready), route, result).await;
    }
    if let Ok(response) = &result {
        asset::discard(response).await;
    }
    let route = Route { index: ready.stable, ..route };
    let stable = ready.table().stable();
    let name =
        isolate::header(stable.name.as_str(), stable.version.as_str(), ready.table(), false, ", rescued");
    match call.fetch(&stable.origin, None).await {
        Ok(response) => answer::finish(&call, &ready, &route, &response, &stable.origin, Some(&name)),
        Err(error) => answer::unreachable(&ready, &route, &error),
    }
}

/// Counts an answer; tells whether it is to be rescued.
fn note(call: &Call, ready: &Rc<Ready>, route: &Route, outcome: Outcome, can_repeat: bool) -> bool {
    let (now, policy) = (crate::now(), ready.table().policy());
    let failed = outcome.is_failure();
    let noted = isolate::with_tally(ready, route.index, |tally| {
        let is_open = |state| matches!(state, State::Open { .. });
        let was_open = is_open(tally.breaker.state());
        tally.breaker.note(&policy.breaker, !failed, now);
        let open = is_open(tally.breaker.state());
        tally.failures += u64::from(failed);
        let rescue = failed && can_repeat && tally.budget.rescue(&policy.rescue, open, now);
        tally.rescued += u64::from(rescue);
        (rescue, open && !was_open)
    });
    // In a table that came into force meanwhile it is no more: nothing follows what is on its way, so stable can bear it.
    let rescuable = failed && can_repeat && policy.rescue.budget > Weight::ZERO;
    let (rescued, ejected) = noted.unwrap_or((rescuable, false));
    counting::request(call, ready, route.index, &Ended { outcome, rescued, ejected }, now);
    rescued
}

async fn respond(call: Call, ready: Rc<Ready>, route: Route, result: Result<Response, JsValue>) -> JsValue {
    match result {
        // Who asks for one version wants to know what that one has.
        Ok(response) if !route.private && asset::is_missing(&call, &response, response.status()) => {
            asset::answer(call, ready, route, response).await
        }
        Ok(response) => answer::of_route(&call, &ready, &route, &response),
        Err(error) => answer::unreachable(&ready, &route, &error),
    }
}
