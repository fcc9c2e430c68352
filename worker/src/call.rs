//! One request on its way, and how it is sent to an origin.

use std::rc::Rc;
use std::time::Duration;

use crossfade_core::table::Origin;
use futures_util::future::{Either, select};
use wasm_bindgen::JsValue;
use web_sys::{AbortController, AbortSignal, Request, Response};
use worker::js_sys::futures::JsFuture;
use worker::js_sys::{JsString, Promise};
use worker::{Context, Delay};

use crate::ask::Ask;
use crate::glue;
use crate::settings::Settings;
use crate::target::{self, Target};

thread_local! {
    /// Made once: a text that crosses the border is copied every time.
    static PROTOCOLS: [JsString; 2] = [JsString::from("http"), JsString::from("https")];
}

/// A request and what it says of itself.
pub(crate) struct Call {
    /// The request as it came.
    pub(crate) request: Request,
    /// The Worker's settings.
    pub(crate) settings: Rc<Settings>,
    /// The request's context, for what is done after the answer.
    pub(crate) context: Context,
    lines: String,
    /// The URL with its path resolved, when it was not.
    resolved: Option<String>,
}

impl Call {
    /// Asks a request what it is. `cookies` when somebody is going to look at them.
    pub(crate) fn new(
        request: Request,
        cookies: bool,
        settings: Rc<Settings>,
        context: Context,
    ) -> Result<Self, JsValue> {
        let lines = glue::facts(&request, cookies, settings.token.is_some())?;
        let url = Ask::parse(&lines).url;
        let resolved = target::resolved(url);
        let call = Self { request, settings, context, lines, resolved };
        match Target::parse(call.url()) {
            Some(_) => Ok(call),
            None => Err("the request's URL is not one".into()),
        }
    }

    /// What it says of itself.
    pub(crate) fn ask(&self) -> Ask<'_> {
        Ask::parse(&self.lines)
    }

    /// Where it goes.
    pub(crate) fn target(&self) -> Target<'_> {
        // `new` has seen that it is one.
        Target::parse(self.url()).unwrap_or_default()
    }

    fn url(&self) -> &str {
        self.resolved.as_deref().unwrap_or_else(|| self.ask().url)
    }

    /// Whether it can be sent twice: it changes nothing, and has no body that would be gone by then.
    pub(crate) fn can_repeat(&self) -> bool {
        self.ask().is_safe() && self.request.body().is_none()
    }

    /// Sends it to an origin; the promise is of the answer.
    pub(crate) fn send(&self, origin: &Origin, signal: Option<&AbortSignal>) -> Result<Promise, JsValue> {
        let (target, protocol) = (self.target(), self.protocol());
        let ask = self.ask();
        let method = (ask.method != "GET").then_some(ask.method);
        let (cookie, secrets) = (ask.cookies_for_origin(), ask.has_secrets());
        let url = target.at(origin);
        glue::send(&self.request, &url, target.host(), &protocol, method, cookie, secrets, signal)
    }

    /// Sends it to an origin and waits for the answer's beginning.
    pub(crate) async fn fetch(
        &self,
        origin: &Origin,
        signal: Option<&AbortSignal>,
    ) -> Result<Response, JsValue> {
        use wasm_bindgen::JsCast as _;
        JsFuture::from(self.send(origin, signal)?).await?.dyn_into()
    }

    /// The same, at most until the deadline; then the request is given up.
    pub(crate) async fn fetch_within(
        &self,
        origin: &Origin,
        deadline: Option<Duration>,
    ) -> Result<Response, JsValue> {
        let Some(deadline) = deadline else { return self.fetch(origin, None).await };
        let abort = AbortController::new()?;
        let signal = abort.signal();
        let fetch = Box::pin(self.fetch(origin, Some(&signal)));
        match select(fetch, Box::pin(Delay::from(deadline))).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => {
                abort.abort();
                Err(format!("no answer within {} ms", deadline.as_millis()).into())
            }
        }
    }

    /// Sends a copy without credentials to an origin; the promise is of nothing, once its answer was thrown away.
    pub(crate) fn mirror(&self, origin: &Origin) -> Promise {
        let target = self.target();
        glue::mirror(&self.request, &target.at(origin), target.host(), &self.protocol())
    }

    fn protocol(&self) -> JsString {
        let secure = self.target().secure();
        PROTOCOLS.with(|[http, https]| if secure { https.clone() } else { http.clone() })
    }
}
