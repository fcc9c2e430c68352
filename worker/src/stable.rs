//! The way of most requests: sent on, answered, named, without a Rust future. JavaScript waits for the answer, and keeps for us
//! what it will take to finish it; a request that is given up meanwhile is forgotten together with that.

use std::rc::Rc;

use crossfade_core::asset::names_file;
use crossfade_core::counters::Outcome;
use wasm_bindgen::prelude::*;
use web_sys::Response;
use worker::js_sys::{JsString, Math};

use crate::answer;
use crate::asset;
use crate::call::Call;
use crate::counting::{self, Ended};
use crate::glue::Incoming;
use crate::isolate::{self, Ready};
use crate::route::Route;

/// Answers from the stable variant.
pub(crate) fn answer(call: &Call, ready: &Rc<Ready>, route: &Route) -> JsValue {
    let Some(origin) = ready.origin(route.index) else { return answer::no_table() };
    isolate::with_tally(ready, route.index, |tally| tally.requests += 1);
    let marks =
        Marks { lapsed: route.lapsed, private: route.private, file: names_file(call.target().path()) };
    let held = isolate::held(ready);
    call.exchange(origin, &held, marks.bits(), route.cookie.as_ref()).into()
}

/// A table as JavaScript holds it.
#[wasm_bindgen]
pub struct Held(pub(crate) Rc<Ready>);

#[wasm_bindgen]
impl Held {
    /// Takes the answer of a table's stable variant, or what went wrong, with the times of both ends. `status` is 0 when there is
    /// no answer.
    #[expect(clippy::too_many_arguments, reason = "one crossing carries all that an answer needs")]
    pub fn answered(
        &self,
        incoming: Incoming,
        result: JsValue,
        status: u16,
        sent: f64,
        answered: f64,
        marks: u32,
        set_cookie: Option<JsString>,
    ) -> JsValue {
        let (ready, marks) = (&self.0, Marks::of(marks));
        let Marks { lapsed, private, file } = marks;
        let route = Route { index: ready.stable, lapsed, private, cookie: set_cookie };
        let is_answer = status != 0;
        if !is_answer || answer::is_failure(status) {
            isolate::with_tally(ready, route.index, |tally| tally.failures += 1);
        }
        let call = Call::new(incoming, false, Rc::clone(ready.settings()));
        if !private {
            let (sent, now) = (crate::moment(sent), crate::moment(answered));
            let outcome = if is_answer { counting::answer(status, sent, now) } else { Outcome::Exception };
            let ended = Ended { outcome, rescued: false, ejected: false };
            counting::request(&call, ready, route.index, &ended, now);
        }
        if !is_answer {
            return answer::unreachable(ready, &route, &result);
        }
        let response: Response = result.unchecked_into();
        if !lapsed {
            mirror(&call, ready);
        }
        // Who asks for one version wants to know what that one has.
        if file && !private && asset::is_missing(&call, &response, status) {
            return crate::promise(call, |call| asset::answer(call, Rc::clone(ready), route, response));
        }
        answer::of_route(&call, ready, &route, &response)
    }
}

/// What is known of a request and needed with its answer, as a number that JavaScript keeps.
#[derive(Clone, Copy)]
struct Marks {
    /// The lease has run out.
    lapsed: bool,
    /// The answer is for the secret's holder.
    private: bool,
    /// The path looks like a file's, which another version may have.
    file: bool,
}

impl Marks {
    const fn bits(self) -> u32 {
        self.lapsed as u32 | (self.private as u32) << 1 | (self.file as u32) << 2
    }

    const fn of(bits: u32) -> Self {
        Self { lapsed: bits & 1 != 0, private: bits & 2 != 0, file: bits & 4 != 0 }
    }
}

/// Repeats a share of the GET requests on another variant, once the visitor has been seen to.
fn mirror(call: &Call, ready: &Ready) {
    let Some(mirror) = &ready.table().policy().mirror else { return };
    let share = f64::from(mirror.weight.basis_points()) / 10_000.0;
    if Math::random() >= share || call.request().method() != "GET" {
        return;
    }
    let Some(variant) = ready.table().variant(&mirror.to) else { return };
    let sent = call.mirror(&variant.origin);
    call.afterwards(async move {
        // What a copy comes to is nobody's business but the canary's own logs'.
        let _ = worker::js_sys::futures::JsFuture::from(sent).await;
    });
}
