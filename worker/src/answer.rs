//! The few answers that are the router's own.

use crossfade_core::table::Variant;
use serde_json::Value;
use web_sys::{Response, ResponseInit};
use worker::Result;

/// Nobody can answer: no table was ever seen and there is no default origin.
pub(crate) fn no_table() -> Result<Response> {
    let text = "Crossfade: there is no routing table yet and no DEFAULT_ORIGIN that answers. Please try again shortly.";
    retry_later(503, text)
}

/// The variant's origin could not be reached.
pub(crate) fn unreachable(variant: &Variant) -> Result<Response> {
    retry_later(
        502,
        &format!("Crossfade: version {} did not answer. Please try again shortly.", variant.version),
    )
}

/// A line of plain text.
pub(crate) fn text(status: u16, text: &str) -> Result<Response> {
    build(status, "text/plain; charset=utf-8", &format!("{text}\n"))
}

/// A JSON document.
pub(crate) fn json(status: u16, document: &Value) -> Result<Response> {
    build(status, "application/json", &document.to_string())
}

fn retry_later(status: u16, message: &str) -> Result<Response> {
    const SECONDS: &str = "5";
    let response = text(status, message)?;
    response.headers().set("retry-after", SECONDS)?;
    Ok(response)
}

fn build(status: u16, content_type: &str, body: &str) -> Result<Response> {
    let init = ResponseInit::new();
    init.set_status(status);
    let response = Response::new_with_opt_str_and_init(Some(body), &init)?;
    response.headers().set("content-type", content_type)?;
    response.headers().set("cache-control", "no-store")?;
    Ok(response)
}
