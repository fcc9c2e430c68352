//! The Worker's variables and secrets, read once an isolate.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use crossfade_core::signature::AllowedOrigins;
use crossfade_core::table::{Environment, Origin};
use worker::js_sys::Reflect;
use worker::{Env, console_error};

/// The least that KV accepts as `cacheTtl`
/// (<https://developers.cloudflare.com/kv/api/read-key-value-pairs/#cachettl-parameter>), and our default.
const REFRESH_DEFAULT: Duration = Duration::from_secs(30);

thread_local! {
    static SETTINGS: OnceCell<Rc<Settings>> = const { OnceCell::new() };
}

/// What the Worker was deployed with.
pub(crate) struct Settings {
    /// The environment's name, and so its key in KV.
    pub(crate) environment: String,
    /// Who answers while there is no table at all.
    pub(crate) default_origin: Option<Origin>,
    /// The age from which a table is read anew in the background.
    pub(crate) refresh: Duration,
    /// Opens the control endpoints and the override; `None` keeps them shut.
    pub(crate) token: Option<String>,
    /// What tables must be signed with; `None` when they need not be.
    pub(crate) signing_key: Option<String>,
    /// The only origins that visitors may be sent to; `None` for any.
    pub(crate) allowed_origins: Option<AllowedOrigins>,
    /// Who is told what was counted; `None` counts nothing.
    pub(crate) counters: Option<Shards>,
    /// The share of requests that Analytics Engine is told, in basis points above 0; `None` tells it nothing.
    pub(crate) analytics: Option<u16>,
}

/// How many of the counters' objects an environment has.
#[derive(Clone, Copy)]
pub(crate) enum Shards {
    /// One.
    One,
    /// One for each of Cloudflare's locations, and one that knows them all.
    Location,
}

impl Settings {
    /// The settings of this isolate. A variable that makes no sense is reported and its default taken.
    pub(crate) fn of(env: &Env) -> Rc<Self> {
        SETTINGS.with(|cell| Rc::clone(cell.get_or_init(|| Rc::new(Self::read(env)))))
    }

    fn read(env: &Env) -> Self {
        let variable =
            |name: &str| env.var(name).ok().map(|value| value.to_string()).filter(|text| !text.is_empty());
        let environment = match variable("ENVIRONMENT").map(|text| Environment::new("ENVIRONMENT", text)) {
            Some(Ok(name)) => name.to_string(),
            Some(Err(error)) => {
                console_error!("crossfade: {error}; using `production`");
                "production".to_owned()
            }
            None => "production".to_owned(),
        };
        let default_origin = match variable("DEFAULT_ORIGIN").map(|text| Origin::new("DEFAULT_ORIGIN", &text))
        {
            Some(Ok(origin)) => Some(origin),
            Some(Err(error)) => {
                console_error!("crossfade: {error}; there is no default origin");
                None
            }
            None => None,
        };
        let refresh = match variable("REFRESH_SECONDS").map(|text| text.parse::<u32>()) {
            Some(Ok(seconds @ 1..=3600)) => Duration::from_secs(seconds.into()),
            Some(_) => {
                console_error!("crossfade: REFRESH_SECONDS must be 1 to 3600; using {REFRESH_DEFAULT:?}");
                REFRESH_DEFAULT
            }
            None => REFRESH_DEFAULT,
        };
        let secret = |name: &str| env.secret(name).ok().map(|secret| secret.to_string());
        let token = secret("CROSSFADE_TOKEN").filter(|text| !text.is_empty());
        // A guard that is bound but empty is a mistake, which must not take the guard away: it refuses every table.
        let signing_key = secret("SIGNING_KEY");
        let allowed_origins = env.var("ALLOWED_ORIGINS").ok();
        let allowed_origins = allowed_origins.map(|text| AllowedOrigins::parse(&text.to_string()));
        let counters = is_bound(env, "COUNTERS").then(|| match variable("COUNTERS_SHARDS").as_deref() {
            None | Some("one") => Shards::One,
            Some("location") => Shards::Location,
            Some(_) => {
                console_error!("crossfade: COUNTERS_SHARDS is `one` or `location`; using `one`");
                Shards::One
            }
        });
        let share = || match variable("ANALYTICS_SHARE").map(|text| text.parse::<u16>()) {
            Some(Ok(share @ 0..=10_000)) => share,
            Some(_) => {
                console_error!("crossfade: ANALYTICS_SHARE must be 0 to 10000; using 10000");
                10_000
            }
            None => 10_000,
        };
        let analytics = is_bound(env, "ANALYTICS").then(share).filter(|share| *share > 0);
        Self {
            environment,
            default_origin,
            refresh,
            token,
            signing_key,
            allowed_origins,
            counters,
            analytics,
        }
    }

    /// Whether an origin's `noindex` is Cloudflare's word and not the site's: Pages says it of every preview host, and that is
    /// what the router asks (<https://developers.cloudflare.com/pages/configuration/preview-deployments/>). In production,
    /// where the site is meant to be found.
    pub(crate) fn unindexes(&self, origin: &Origin) -> bool {
        let host = origin.host();
        self.environment == "production" && (host.ends_with(".pages.dev") || origin.is_loopback())
    }

    /// The KV key of this environment's table.
    pub(crate) fn key(&self) -> String {
        format!("routing:{}", self.environment)
    }

    /// How long a location may answer KV reads from its own cache, in seconds.
    pub(crate) fn cache_seconds(&self) -> u64 {
        self.refresh.max(REFRESH_DEFAULT).as_secs()
    }
}

fn is_bound(env: &Env, name: &str) -> bool {
    Reflect::get(env, &name.into()).is_ok_and(|binding| binding.is_object())
}
