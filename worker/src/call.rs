//! One request on its way, and how it is sent to an origin.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use crossfade_core::table::Origin;
use futures_util::future::{Either, select};
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::{AbortController, AbortSignal, Request, Response};
use worker::js_sys::futures::JsFuture;
use worker::js_sys::{JsString, Promise};
use worker::{Context, Delay};

use crate::ask::Ask;
use crate::glue::{self, Incoming};
use crate::settings::Settings;
use crate::target::Target;

/// A request and what it says of itself, which is asked when somebody wants to know.
pub(crate) struct Call {
    /// The request as the entry hands it over.
    pub(crate) incoming: Incoming,
    /// The Worker's settings.
    pub(crate) settings: Rc<Settings>,
    /// Whether somebody is going to look at its cookies.
    cookies: bool,
    said: OnceCell<(Ask, Target)>,
}

/// Why there is no answer.
pub(crate) enum NoAnswer {
    /// The origin could not be reached, or broke off.
    Thrown(JsValue),
    /// It did not come in time.
    Late(Duration),
}

impl From<JsValue> for NoAnswer {
    fn from(error: JsValue) -> Self {
        Self::Thrown(error)
    }
}

impl From<NoAnswer> for JsValue {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Thrown(error) => error,
            NoAnswer::Late(deadline) => format!("no answer within {} ms", deadline.as_millis()).into(),
        }
    }
}

impl Call {
    /// Of a request that comes. `cookies` when somebody is going to look at them.
    pub(crate) const fn new(incoming: Incoming, cookies: bool, settings: Rc<Settings>) -> Self {
        Self { incoming, settings, cookies, said: OnceCell::new() }
    }

    /// The request; its headers say more than it came with once it was sent.
    pub(crate) fn request(&self) -> Request {
        self.incoming.request()
    }

    /// Has something done after the answer.
    pub(crate) fn afterwards(&self, work: impl Future<Output = ()> + 'static) {
        Context::new(self.incoming.context()).wait_until(work);
    }

    /// What it says of itself.
    pub(crate) fn ask(&self) -> &Ask {
        &self.said().0
    }

    /// Where it goes; nowhere when its URL is not one.
    pub(crate) fn target(&self) -> &Target {
        &self.said().1
    }

    fn said(&self) -> &(Ask, Target) {
        self.said.get_or_init(|| {
            let ask = Ask::parse(glue::facts(&self.incoming, self.cookies));
            let target = Target::of(ask.url()).unwrap_or_default();
            (ask, target)
        })
    }

    /// Whether the request changes nothing.
    pub(crate) fn is_safe(&self) -> bool {
        matches!(self.request().method().as_str(), "GET" | "HEAD")
    }

    /// Whether it can be sent twice: it changes nothing, and has no body that would be gone by then.
    pub(crate) fn can_repeat(&self) -> bool {
        self.is_safe() && self.request().body().is_none()
    }

    /// Sends it to an origin and lets the answer be finished by `table` ([`crate::stable::Held::answered`]).
    pub(crate) fn exchange(
        &self,
        origin: &JsString,
        table: &JsValue,
        marks: u32,
        set_cookie: Option<&JsString>,
    ) -> Promise {
        let (ask, target) = (self.ask(), self.target());
        glue::exchange(
            &self.incoming,
            origin,
            target.respelled(),
            target.path_begin(),
            ask.cookies_for_origin(),
            ask.has_secrets(),
            table,
            marks,
            set_cookie,
        )
    }

    /// Sends it to an origin and waits for the answer's beginning.
    pub(crate) async fn fetch(
        &self,
        origin: &Origin,
        signal: Option<&AbortSignal>,
    ) -> Result<Response, JsValue> {
        let (ask, target) = (self.ask(), self.target());
        let sent = glue::send(
            &self.incoming,
            &origin.as_str().into(),
            target.respelled(),
            target.path_begin(),
            ask.cookies_for_origin(),
            ask.has_secrets(),
            signal,
        );
        JsFuture::from(sent?).await?.dyn_into()
    }

    /// The same, at most until the deadline; then the request is given up.
    pub(crate) async fn fetch_within(
        &self,
        origin: &Origin,
        deadline: Option<Duration>,
    ) -> Result<Response, NoAnswer> {
        let Some(deadline) = deadline else { return Ok(self.fetch(origin, None).await?) };
        let abort = AbortController::new()?;
        let signal = abort.signal();
        let fetch = Box::pin(self.fetch(origin, Some(&signal)));
        match select(fetch, Box::pin(Delay::from(deadline))).await {
            Either::Left((result, _)) => Ok(result?),
            Either::Right(_) => {
                abort.abort();
                Err(NoAnswer::Late(deadline))
            }
        }
    }

    /// Sends a copy without credentials to an origin; the promise is of nothing, once its answer was thrown away.
    pub(crate) fn mirror(&self, origin: &Origin) -> Promise {
        let target = self.target();
        glue::mirror(&self.incoming, &origin.as_str().into(), target.respelled(), target.path_begin())
    }
}
