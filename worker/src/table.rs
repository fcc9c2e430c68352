//! How the table gets here. In: KV. Out: the newest table that was ever seen and made sense, in the isolate's memory.
//!
//! When it is older than the refresh interval the request that notices answers from it all the same and reads KV afterwards,
//! under `waitUntil`. Only the very first request of an isolate waits, and when KV hangs no other does.

use std::rc::Rc;
use std::time::Duration;

use crossfade_core::signature::{self, Signed};
use crossfade_core::{RoutingTable, Timestamp};
use futures_util::future::{Either, select};
use worker::js_sys::futures::JsFuture;
use worker::{Delay, Env, KvStore, console_error};

use crate::call::Call;
use crate::glue;
use crate::isolate::{self, Ready};
use crate::settings::Settings;

/// How long the first request of an isolate waits for KV before it is answered without a table.
const FIRST_READ_MAX: Duration = Duration::from_secs(3);
/// The least time between two reads while there is no table.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// The table in force now, without waiting. `None` while this isolate has never seen one.
pub(crate) fn current() -> Option<Rc<Ready>> {
    isolate::with(|isolate| isolate.table.clone())
}

/// Begins to read the table anew, after this call's answer, when the one in force is old enough.
pub(crate) fn refresh_when_due(env: &Env, call: &Call, now: Timestamp) {
    let settings = &call.settings;
    let due = isolate::with(|isolate| {
        let due = isolate.checked_at.is_none_or(|checked| now.since(checked) >= settings.refresh);
        if due {
            isolate.checked_at = Some(now);
        }
        due
    });
    if due && let Some(store) = store(env) {
        call.afterwards(refresh(store, Rc::clone(settings)));
    }
}

/// Waits for this isolate's first table. `None` when there is none, or KV does not answer; who comes after that does not wait
/// for it any more.
pub(crate) async fn first(env: &Env, call: &Call, now: Timestamp) -> Option<Rc<Ready>> {
    let rest = isolate::with(|isolate| {
        let rest = isolate.trouble.is_some()
            && isolate.checked_at.is_some_and(|checked| now.since(checked) < RETRY_EVERY);
        if !rest {
            isolate.checked_at = Some(now);
        }
        rest
    });
    // While nothing was ever seen, requests that arrive together all read: none may use another's pending I/O.
    if !rest && let Some(store) = store(env) {
        let read = Box::pin(refresh(store, Rc::clone(&call.settings)));
        if isolate::with(|isolate| isolate.kv_hangs) {
            call.afterwards(read);
        } else if let Either::Right((_, read)) = select(read, Box::pin(Delay::from(FIRST_READ_MAX))).await {
            isolate::with(|isolate| isolate.kv_hangs = true);
            note_trouble(format!("KV did not answer within {} s", FIRST_READ_MAX.as_secs()));
            // It may yet: were each read given up, a slow KV would never bring a table here.
            call.afterwards(read);
        }
    }
    current()
}

fn store(env: &Env) -> Option<KvStore> {
    match env.kv("ROUTING") {
        Ok(store) => Some(store),
        Err(error) => {
            note_trouble(format!("binding ROUTING: {error}"));
            None
        }
    }
}

async fn refresh(store: KvStore, settings: Rc<Settings>) {
    match store.get(&settings.key()).cache_ttl(settings.cache_seconds()).bytes().await {
        Ok(Some(json)) => match read(&json, &settings).await {
            Ok(table) => isolate::with(|isolate| isolate.take_over(table, &settings)),
            Err(why) => note_trouble(why),
        },
        Ok(None) => note_trouble(format!("KV has no `{}`", settings.key())),
        Err(error) => note_trouble(format!("KV: {error}")),
    }
}

/// A document that this router may follow: of its environment, signed when it has a key, to allowed origins only.
async fn read(json: &[u8], settings: &Settings) -> Result<RoutingTable, String> {
    let table = RoutingTable::parse(json).map_err(|error| error.to_string())?;
    if table.environment().as_str() != settings.environment {
        return Err(format!("the table belongs to environment `{}`", table.environment()));
    }
    if let Some(key) = &settings.signing_key {
        if key.is_empty() {
            return Err("SIGNING_KEY is bound, and empty".into());
        }
        let Signed { message, signature } = signature::take_apart(json).map_err(|error| error.to_string())?;
        let signature = signature.ok_or("the table is not signed, and SIGNING_KEY is set")?;
        let verified = async { JsFuture::from(glue::verify(key, &signature, &message)?).await };
        match verified.await {
            Ok(right) if right.is_truthy() => {}
            Ok(_) => {
                return Err("the table's signature is wrong: it was made with another key, or changed".into());
            }
            Err(error) => return Err(format!("the table's signature could not be checked: {error:?}")),
        }
    }
    let previous = table.previous().iter().map(|older| &older.origin);
    let mut origins = table.variants().iter().map(|variant| &variant.origin).chain(previous);
    match origins
        .find(|origin| settings.allowed_origins.as_ref().is_some_and(|allowed| !allowed.allow(origin)))
    {
        Some(origin) => Err(format!("the table names {origin}, which is not among ALLOWED_ORIGINS")),
        None => Ok(table),
    }
}

fn note_trouble(trouble: String) {
    console_error!("crossfade: {trouble}");
    isolate::with(|isolate| isolate.trouble = Some(trouble));
}
