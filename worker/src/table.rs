//! The table in force in this isolate. In: KV. Out: the newest table that was ever seen and made sense.
//!
//! The table lives in the isolate's memory. When it is older than the refresh interval the request that notices answers
//! from it all the same and reads KV afterwards, under `waitUntil`. Only the very first request of an isolate waits.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crossfade_core::assign::Assignment;
use crossfade_core::{RoutingTable, Timestamp};
use futures_util::future::{Either, select};
use worker::{Context, Delay, Env, KvStore, console_error};

use crate::settings::Settings;

/// How long the first request of an isolate waits for KV before it is answered without a table.
const FIRST_READ_MAX: Duration = Duration::from_secs(3);
/// The least time between two reads while there is no table.
const RETRY_EVERY: Duration = Duration::from_secs(1);

thread_local! {
    static ISOLATE: RefCell<Isolate> = const { RefCell::new(Isolate { table: None, checked_at: None, trouble: None }) };
}

/// What this isolate knows. Plain data only: an I/O object of one request may not be used in another.
struct Isolate {
    table: Option<Rc<Assignment>>,
    /// When KV was last asked. A time and not a flag: a read whose request was cancelled never comes back to clear one.
    checked_at: Option<Timestamp>,
    /// Why the last read gave no table.
    trouble: Option<String>,
}

/// What `status` tells about the table's life.
pub(crate) struct Life {
    /// The table in force.
    pub(crate) table: Option<Rc<Assignment>>,
    /// When KV was last asked.
    pub(crate) checked_at: Option<Timestamp>,
    /// Why the last read gave no table.
    pub(crate) trouble: Option<String>,
}

/// The table in force now; begins a refresh when it is due. `None` while this isolate has never seen one.
pub(crate) async fn ensure(
    env: &Env,
    settings: &Rc<Settings>,
    context: &Context,
    now: Timestamp,
) -> Option<Rc<Assignment>> {
    let (table, due) = ISOLATE.with_borrow_mut(|isolate| {
        let patience = if isolate.table.is_some() { settings.refresh } else { RETRY_EVERY };
        let due = isolate.checked_at.is_none_or(|checked| now.since(checked) >= patience);
        if due {
            isolate.checked_at = Some(now);
        }
        (isolate.table.clone(), due)
    });
    // While nothing was ever seen, requests that arrive together all read: none may use another's pending I/O.
    if table.is_some() && !due || table.is_none() && !due && life().trouble.is_some() {
        return table;
    }
    let store = match env.kv("ROUTING") {
        Ok(store) => store,
        Err(error) => {
            note_trouble(format!("binding ROUTING: {error}"));
            return table;
        }
    };
    let read = refresh(store, Rc::clone(settings));
    if table.is_some() {
        context.wait_until(read);
        return table;
    }
    if let Either::Right(_) = select(Box::pin(read), Box::pin(Delay::from(FIRST_READ_MAX))).await {
        note_trouble(format!("KV did not answer within {} s", FIRST_READ_MAX.as_secs()));
    }
    life().table
}

/// What this isolate knows now.
pub(crate) fn life() -> Life {
    ISOLATE.with_borrow(|isolate| Life {
        table: isolate.table.clone(),
        checked_at: isolate.checked_at,
        trouble: isolate.trouble.clone(),
    })
}

async fn refresh(store: KvStore, settings: Rc<Settings>) {
    match store.get(&settings.key()).cache_ttl(settings.cache_seconds()).bytes().await {
        Ok(Some(json)) => match RoutingTable::parse(&json) {
            Ok(table) if table.environment().as_str() != settings.environment => {
                note_trouble(format!("the table belongs to environment `{}`", table.environment()));
            }
            Ok(table) => take_over(table),
            Err(error) => note_trouble(error.to_string()),
        },
        Ok(None) => note_trouble(format!("KV has no `{}`", settings.key())),
        Err(error) => note_trouble(format!("KV: {error}")),
    }
}

/// Puts a table in force unless a newer one already is: KV may answer with an older copy than before.
fn take_over(table: RoutingTable) {
    ISOLATE.with_borrow_mut(|isolate| {
        isolate.trouble = None;
        let revision = isolate.table.as_ref().map(|known| known.table().revision());
        if revision.is_none_or(|known| known < table.revision()) {
            isolate.table = Some(Rc::new(Assignment::new(table)));
        }
    });
}

fn note_trouble(trouble: String) {
    console_error!("crossfade: {trouble}");
    ISOLATE.with_borrow_mut(|isolate| isolate.trouble = Some(trouble));
}
