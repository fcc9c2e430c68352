//! An environment's objects when each location has one (`COUNTERS_SHARDS = "location"`). In: reports of those that count. Out: one
//! answer of all.
//!
//! The environment's own object is the one that is asked. It learns of the others from themselves, and asks all of them twice: up to
//! when they can answer, and then for what was counted up to the earliest of that, so that every part is complete.

use std::time::Duration;

use crossfade_core::Timestamp;
use crossfade_core::counters::metrics::Format;
use crossfade_core::counters::rollup::{self, KEEP};
use crossfade_core::counters::{By, Metrics, Query};
use futures_util::future::try_join_all;
use worker::{Env, Error, Method, Request, RequestInit, Response, Result, console_error};

use crate::rows::Sqlite;

/// How often an object says that it counts.
const REPORT_EVERY: Duration = Duration::from_secs(3600);

/// Tells the environment's own object that this one counts, now and then. A report that fails is made again with the next batch.
pub(crate) async fn report(rows: &Sqlite, env: &Env, environment: &str, shard: &str, now: Timestamp) {
    const REPORTED: &str = "reported";
    let reported = async {
        if now.since(rows.moment(REPORTED)?) >= REPORT_EVERY {
            let path = format!("/shard?name={}", name(environment, shard));
            ask(env, environment, &path, Method::Post).await?;
            rows.set_moment(REPORTED, now)?;
        }
        Ok::<(), Error>(())
    };
    if let Err(error) = reported.await {
        console_error!("crossfade: the counters of {shard} could not report: {error}");
    }
}

/// Takes note of an object that counts, and forgets those that have nothing any more.
pub(crate) fn remember(rows: &Sqlite, name: &str, now: Timestamp) -> Result<()> {
    rows.run("INSERT OR REPLACE INTO shard VALUES (?, ?)", &[name.into(), now.into()])?;
    let kept = KEEP + 2 * REPORT_EVERY;
    rows.run("DELETE FROM shard WHERE touched < ?", &[now.minus(kept).into()])
}

/// One answer of all objects.
///
/// # Errors
/// When one of them does not answer.
pub(crate) async fn look(rows: &Sqlite, env: &Env, query: &Query, now: Timestamp) -> Result<Metrics> {
    let mut shards = Vec::new();
    rows.each("SELECT name FROM shard", &[], |row| {
        shards.push(row.text(0)?.to_owned());
        Ok(())
    })?;
    let mut query = query.clone();
    if !shards.is_empty() {
        // A period of no length.
        let beginning = Some(Timestamp::from_millis(0));
        let empty = Query { to: beginning, by: By::Total, ..query.clone() };
        let parts = try_join_all(shards.iter().map(|shard| part(env, shard, &empty))).await?;
        query.to = parts.iter().map(|part| part.until).chain(query.to).min();
    }
    let own = rollup::look(rows, &query, now)?;
    if query.to.is_none_or(|to| to > own.to) {
        query.to = Some(own.to);
    }
    let parts = try_join_all(shards.iter().map(|shard| part(env, shard, &query))).await?;
    Metrics::merged(std::iter::once(own).chain(parts)).ok_or_else(|| "nobody answered".into())
}

/// One object's own answer.
async fn part(env: &Env, shard: &str, query: &Query) -> Result<Metrics> {
    let query = Query { format: Format::Json, ..query.clone() };
    let mut response = ask(env, shard, &format!("/part?{query}"), Method::Get).await?;
    Ok(serde_json::from_str(&response.text().await?)?)
}

async fn ask(env: &Env, object: &str, path: &str, method: Method) -> Result<Response> {
    let stub = env.durable_object("COUNTERS")?.id_from_name(object)?.get_stub()?;
    let request =
        Request::new_with_init(&format!("https://counters{path}"), RequestInit::new().with_method(method))?;
    let response = stub.fetch_with_request(request).await?;
    let status = response.status_code();
    if status < 300 {
        Ok(response)
    } else {
        Err(format!("the counters of {object} answered {status}").into())
    }
}

fn name(environment: &str, shard: &str) -> String {
    format!("{environment}@{shard}")
}
