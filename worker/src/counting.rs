//! The router's counters. In: how a request ended. Out: a count in this isolate's memory, and now and then a batch of them to the
//! Durable Object, after an answer, at which nobody waits. What to count and when to flush is [`crossfade_core::counters`]'s.
//!
//! A request costs its count: no future, no allocation. Once a second at most one of them has the flush done that all of them
//! need, under `waitUntil`. An object that is dead, slow or not there costs counters.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crossfade_core::Timestamp;
use crossfade_core::counters::book::visitor_hash;
use crossfade_core::counters::pace::FLUSH_WITHIN;
use crossfade_core::counters::{Book, Delivery, Outcome, Subject};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::Response;
use worker::js_sys::Math;
use worker::js_sys::futures::JsFuture;
use worker::{Delay, console_error};

use crate::ask::cf;
use crate::call::Call;
use crate::glue;
use crate::isolate::Ready;
use crate::settings::{Settings, Shards};
use crate::table;
use crate::visitor::Visitor;

/// How long one request's `waitUntil` goes on flushing what others count; it may last 30 s
/// (<https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil>).
const SHIFT: Duration = Duration::from_secs(15);

/// Every request, in basis points.
const FULL_SHARE: f64 = 10_000.0;

thread_local! {
    static BOOK: RefCell<Book> = const { RefCell::new(Book::new()) };
}

/// How a request ended that was sent to a variant.
pub(crate) struct Ended {
    /// With what.
    pub(crate) outcome: Outcome,
    /// Stable answers in its place.
    pub(crate) rescued: bool,
    /// The variant gets no more requests for a while, because of this.
    pub(crate) ejected: bool,
}

/// Counts a visitor's request.
pub(crate) fn request(call: &Call, ready: &Ready, index: usize, ended: &Ended, now: Timestamp) {
    if call.settings.counters.is_some() {
        let due = BOOK.with_borrow_mut(|book| {
            let entry = book.entry(ready.table(), index)?;
            entry.note(ended.outcome, || visitor_hash(ready.table(), Visitor::again(call, ready).id));
            entry.tally.rescued += u64::from(ended.rescued);
            entry.tally.ejections += u64::from(ended.ejected);
            book.due(ready.table(), now)
        });
        if let Some(due) = due {
            let shard = shard(call);
            call.afterwards(flush(Rc::clone(&call.settings), shard, due));
        }
    }
    if let Some(share) = call.settings.analytics
        && Math::random() * FULL_SHARE < f64::from(share)
    {
        data_point(call, ready, index, ended, FULL_SHARE / f64::from(share));
    }
}

/// With an answer that came at `now`.
pub(crate) fn answer(status: u16, sent: Timestamp, now: Timestamp) -> Outcome {
    let micros = u64::try_from(now.since(sent).as_micros()).unwrap_or(u64::MAX);
    Outcome::Answer { status, micros }
}

/// Counts a file that another version had.
pub(crate) fn fallback(call: &Call, ready: &Ready, index: usize) {
    if call.settings.counters.is_some() {
        BOOK.with_borrow_mut(|book| {
            if let Some(entry) = book.entry(ready.table(), index) {
                entry.tally.fallbacks += 1;
            }
        });
    }
}

/// Asks the environment's object; an answer that says why when it cannot.
pub(crate) async fn ask(settings: &Settings, path: &str) -> Result<Response, JsValue> {
    const WITHIN: Duration = Duration::from_secs(10);
    JsFuture::from(glue::counters(&settings.environment, path, None, millis(WITHIN))?).await?.dyn_into()
}

/// Sends batches from `due` on, while there are some and this request may.
async fn flush(settings: Rc<Settings>, shard: Option<String>, mut due: Timestamp) {
    let until = crate::now().plus(SHIFT);
    loop {
        let wait = due.since(crate::now());
        if !wait.is_zero() {
            Delay::from(wait).await;
        }
        let begun = due.max(crate::now());
        let batch = BOOK.with_borrow_mut(|book| {
            let batch = book.take(due, begun, glue::unique)?;
            Some((batch.sequence, batch.to_string()))
        });
        let Some((sequence, batch)) = batch else { return };
        let delivery = send(&settings, shard.as_deref(), &batch).await;
        let now = crate::now();
        let next = BOOK.with_borrow_mut(|book| {
            book.delivered(sequence, delivery);
            let ready = table::current().filter(|_| now < until)?;
            book.due(ready.table(), now)
        });
        match next {
            Some(next) => due = next,
            None => return,
        }
    }
}

async fn send(settings: &Settings, shard: Option<&str>, batch: &str) -> Delivery {
    let environment = settings.environment.as_str();
    let name = shard.map(|shard| format!("{environment}@{shard}"));
    let sent = async {
        let path = shard.map(|shard| format!("/flush?environment={environment}&shard={shard}"));
        let (name, path) = (name.as_deref().unwrap_or(environment), path.as_deref().unwrap_or("/flush"));
        let sent = glue::counters(name, path, Some(batch), millis(FLUSH_WITHIN))?;
        JsFuture::from(sent).await?.dyn_into::<Response>()
    };
    match sent.await.map(|response| response.status()) {
        Ok(200..300) => Delivery::Done,
        Ok(400..500) => {
            console_error!("crossfade: the counters' object does not take what this router counts");
            Delivery::Refused
        }
        Ok(status) => {
            console_error!("crossfade: the counters' object answered {status}; trying again later");
            Delivery::Unknown
        }
        Err(error) => {
            console_error!("crossfade: the counters' object: {error:?}; trying again later");
            Delivery::Unknown
        }
    }
}

/// The object among several that this isolate tells.
fn shard(call: &Call) -> Option<String> {
    match call.settings.counters? {
        Shards::One => None,
        Shards::Location => cf(&call.request(), "colo"),
    }
}

/// Writes a data point to Analytics Engine; its schema is in the README.
fn data_point(call: &Call, ready: &Ready, index: usize, ended: &Ended, stands_for: f64) {
    let Some(Subject { revision, release, variant, version }) = Subject::of(ready.table(), index) else {
        return;
    };
    let (outcome, status, millis) = match ended.outcome {
        Outcome::Answer { status, micros } if status >= 500 => ("5xx", status, micros / 1000),
        Outcome::Answer { status, micros } => ("ok", status, micros / 1000),
        Outcome::Exception => ("exception", 0, 0),
        Outcome::Timeout => ("timeout", 0, 0),
    };
    let rescued = if ended.rescued { "rescued" } else { "" };
    let environment = call.settings.environment.as_str();
    let blobs = [environment, release.as_str(), &variant, &version, outcome, rescued].join("\n");
    let doubles = [stands_for, revision as f64, f64::from(status), millis as f64];
    if let Err(error) = glue::data_point(environment, &blobs, &doubles) {
        console_error!("crossfade: ANALYTICS: {error:?}");
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
