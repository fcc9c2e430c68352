//! What the router asks of the platform (`glue.js`), each function one crossing of the border between wasm and JavaScript.

use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Request, Response};
use worker::js_sys::{JsString, Promise};
use worker::worker_sys::Context;

#[wasm_bindgen(module = "/src/glue.js")]
extern "C" {
    /// A request as the entry hands it over, with what is always asked of it.
    #[wasm_bindgen(js_name = Object)]
    #[derive(Clone)]
    pub type Incoming;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn request(this: &Incoming) -> Request;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn context(this: &Incoming) -> Context;

    /// URL, cookies, token, variant: a line each, the last two only when one of them is there.
    pub(crate) fn facts(call: &Incoming, cookies: bool) -> String;

    /// Sends a request on; the promise is of its answer.
    #[wasm_bindgen(catch)]
    pub(crate) fn send(
        call: &Incoming,
        origin: &JsString,
        spelled: Option<&str>,
        path: u32,
        cookie: Option<String>,
        secrets: bool,
        signal: Option<&AbortSignal>,
    ) -> Result<Promise, JsValue>;

    /// Sends a request on and gives what comes back to `table` ([`crate::stable::Held`]), with `marks` and `set_cookie` as they
    /// are; the promise is of what that makes of it.
    pub(crate) fn exchange(
        call: &Incoming,
        origin: &JsString,
        spelled: Option<&str>,
        path: u32,
        cookie: Option<String>,
        secrets: bool,
        table: &JsValue,
        marks: u32,
        set_cookie: Option<&JsString>,
    ) -> Promise;

    /// Asks one of the counters' objects, by its name, within so many milliseconds; the promise is of its answer.
    #[wasm_bindgen(catch)]
    pub(crate) fn counters(
        name: &str,
        path: &str,
        body: Option<&str>,
        within: u32,
    ) -> Result<Promise, JsValue>;

    /// A name that nothing else has.
    pub(crate) fn unique() -> String;

    /// Writes a data point to Analytics Engine; texts a line each.
    #[wasm_bindgen(catch, js_name = dataPoint)]
    pub(crate) fn data_point(index: &str, blobs: &str, doubles: &[f64]) -> Result<(), JsValue>;

    /// Sends a copy without credentials and discards its answer.
    pub(crate) fn mirror(call: &Incoming, origin: &JsString, spelled: Option<&str>, path: u32) -> Promise;

    /// The same promise; when this instance fails, its visitor is answered by the entry.
    pub(crate) fn kept(promise: &Promise, call: &Incoming) -> Promise;

    /// The same answer with our header, perhaps a cookie, and without the preview hosts' `noindex`.
    #[wasm_bindgen(catch)]
    pub(crate) fn named(
        response: &Response,
        name: &JsString,
        cookie: Option<&JsString>,
        unindex: bool,
    ) -> Result<Response, JsValue>;

    /// The cookies of an answer when one of them names a domain, a line each.
    #[wasm_bindgen(js_name = domainCookies)]
    pub(crate) fn domain_cookies(response: &Response) -> Option<String>;

    /// Puts these cookies, a line each, in the place of an answer's own.
    #[wasm_bindgen(js_name = replaceCookies)]
    pub(crate) fn replace_cookies(response: &Response, lines: &str);

    /// Whether an HMAC-SHA256 is right; the promise is of a boolean.
    #[wasm_bindgen(catch)]
    pub(crate) fn verify(secret: &str, signature: &[u8], message: &[u8]) -> Result<Promise, JsValue>;
}
