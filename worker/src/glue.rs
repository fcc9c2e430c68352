//! What the router asks of the platform (`glue.js`), each function one crossing of the border between wasm and JavaScript.

use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Request, Response};
use worker::js_sys::{JsString, Promise};

#[wasm_bindgen(module = "/src/glue.js")]
extern "C" {
    /// Method, URL, cookies, token, variant: a line each, the last two only when one of them is there.
    #[wasm_bindgen(catch)]
    pub(crate) fn facts(request: &Request, cookies: bool, secrets: bool) -> Result<String, JsValue>;

    /// Sends a request on; the promise is of its answer.
    #[wasm_bindgen(catch)]
    pub(crate) fn send(
        request: &Request,
        url: &str,
        host: &str,
        proto: &JsString,
        method: Option<&str>,
        cookie: Option<String>,
        secrets: bool,
        signal: Option<&AbortSignal>,
    ) -> Result<Promise, JsValue>;

    /// Sends a copy without credentials and discards its answer.
    pub(crate) fn mirror(request: &Request, url: &str, host: &str, proto: &JsString) -> Promise;

    /// Calls back with the answer, or with what went wrong.
    pub(crate) fn when(promise: &Promise, callback: &JsValue) -> Promise;

    /// The same promise; it also ends when this instance has failed.
    pub(crate) fn kept(promise: &Promise) -> Promise;

    /// The same answer with our header, perhaps a cookie, and without the preview hosts' `noindex`.
    #[wasm_bindgen(catch)]
    pub(crate) fn named(
        response: &Response,
        name: &JsString,
        cookie: Option<String>,
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
