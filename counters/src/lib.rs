//! The Durable Object `Counters`: what the router's isolates counted, second by second, for 48 hours. In: batches and questions over
//! HTTP, from the router only. Out: SQLite rows, and answers.
//!
//! | module | what it knows |
//! |---|---|
//! | [`rows`] | SQLite |
//! | [`shards`] | the objects of an environment, when it has one for each location |
//!
//! What is done to a batch, and what a question's answer is, is [`crossfade_core::counters::rollup`]'s. The object is a module of the
//! router's Worker with a wasm of its own, which is instantiated where the object runs and nowhere else.

#![expect(missing_docs, reason = "`durable_object` writes functions without")]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod rows;
mod shards;

use crossfade_core::Timestamp;
use crossfade_core::counters::metrics::Format;
use crossfade_core::counters::rollup::{accept, look};
use crossfade_core::counters::{Batch, Query, SCHEMA, prometheus};
use wasm_bindgen::prelude::*;
use worker::{Date, DurableObject, Env, Method, Request, Response, Result, State, Url, durable_object};

use rows::Sqlite;

/// Runs once an instance.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// One environment's counters, or those of one location of it.
#[durable_object(fetch)]
pub struct Counters {
    rows: Sqlite,
    env: Env,
}

impl DurableObject for Counters {
    fn new(state: State, env: Env) -> Self {
        Self { rows: Sqlite::new(state.storage().sql()), env }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let url = request.url()?;
        match (request.method(), url.path()) {
            (Method::Post, "/flush") => {
                let text = request.text().await?;
                self.flush(&text, &url).await
            }
            (Method::Post, "/shard") => {
                if let Some(name) = value(&url, "name") {
                    shards::remember(&self.rows, &name, now())?;
                }
                Ok(Response::empty()?.with_status(204))
            }
            (Method::Get, "/part") => self.answer(&url, false).await,
            (Method::Get, "/metrics") => self.answer(&url, true).await,
            _ => Response::error("the counters' object knows no such question", 404),
        }
    }
}

impl Counters {
    /// Takes a batch. What it cannot read it will never be able to: the answer says so.
    async fn flush(&self, text: &str, url: &Url) -> Result<Response> {
        match serde_json::from_str::<Batch>(text) {
            Ok(batch) if batch.schema == SCHEMA => {
                accept(&self.rows, &batch, now())?;
                if let (Some(environment), Some(shard)) = (value(url, "environment"), value(url, "shard")) {
                    shards::report(&self.rows, &self.env, &environment, &shard, now()).await;
                }
                Ok(Response::empty()?.with_status(204))
            }
            Ok(_) => Response::error(format!("a batch of another schema than {SCHEMA}"), 400),
            Err(error) => Response::error(format!("no batch: {error}"), 400),
        }
    }

    /// Answers a question, of all the environment's objects together when this is its own.
    async fn answer(&self, url: &Url, all: bool) -> Result<Response> {
        let pairs: Vec<_> = url.query_pairs().collect();
        let query = match Query::parse(pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))) {
            Ok(query) => query,
            Err(error) => return Ok(uncached(Response::error(error, 400)?)),
        };
        let metrics = if all {
            match shards::look(&self.rows, &self.env, &query, now()).await {
                Ok(metrics) => metrics,
                // A part of the counts would look like fewer requests.
                Err(error) => return Ok(uncached(Response::error(error.to_string(), 503)?)),
            }
        } else {
            look(&self.rows, &query, now())?
        };
        let (kind, body) = match query.format {
            Format::Json => ("application/json", serde_json::to_string(&metrics)?),
            Format::Prometheus => ("text/plain; version=0.0.4; charset=utf-8", prometheus::text(&metrics)),
        };
        let response = Response::ok(body)?;
        response.headers().set("content-type", kind)?;
        Ok(uncached(response))
    }
}

fn uncached(response: Response) -> Response {
    // A header's name and value that fit.
    let _ = response.headers().set("cache-control", "no-store");
    response
}

fn value(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(it, _)| it == name).map(|(_, value)| value.into_owned())
}

fn now() -> Timestamp {
    Timestamp::from_millis(i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX))
}
