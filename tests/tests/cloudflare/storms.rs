//! Uploads in bad weather: twenty of each kind, by seeds. Each is a success, or one clear error; the store holds what it
//! should; nothing runs past its deadline.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossfade::cloudflare::{AccountId, ApiToken, Cloudflare};
use crossfade::upload::{self, Commit, Deployment, Error, Output, Upload};
use crossfade_sandbox::{ACCOUNT_ID, API_TOKEN, Action, Fault, PROJECT, Refusal, Sandbox, UploadTokens};
use crossfade_tests::{client, sandbox};
use rand::rngs::Xoshiro256PlusPlus as Dice;
use rand::{RngExt as _, SeedableRng as _};
use tempfile::TempDir;

const SEEDS: u64 = 20;
/// Waits are most of it, so many are made at once.
const AT_ONCE: usize = 24;
/// A call has a minute, an upload several calls; what is here fails or succeeds well before.
const DEADLINE: Duration = Duration::from_secs(100);

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    ServerErrors,
    GatewayPages,
    RateLimit,
    RateLimitWithRetryAfter,
    ResetBefore,
    ResetAfter,
    HalfAnswers,
    SlowDrips,
    TokensRunOut,
    ClockAhead,
    ClockBehind,
    NoSuchHost,
}

const ALL: [Weather; 12] = [
    Weather::ServerErrors,
    Weather::GatewayPages,
    Weather::RateLimit,
    Weather::RateLimitWithRetryAfter,
    Weather::ResetBefore,
    Weather::ResetAfter,
    Weather::HalfAnswers,
    Weather::SlowDrips,
    Weather::TokensRunOut,
    Weather::ClockAhead,
    Weather::ClockBehind,
    Weather::NoSuchHost,
];

/// The calls of an upload.
const CALLS: [(&str, &str); 6] = [
    ("GET", "/projects/booking"),
    ("GET", "/upload-token"),
    ("POST", "/check-missing"),
    ("POST", "/assets/upload"),
    ("POST", "/upsert-hashes"),
    ("POST", "/deployments"),
];

#[test]
fn uploads_end_well_or_with_one_clear_error_whatever_the_weather() {
    let jobs: Vec<(Weather, u64)> =
        ALL.iter().flat_map(|kind| (0..SEEDS).map(|seed| (*kind, seed))).collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((weather, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = one(*weather, *seed) {
                        wrong.lock().unwrap().push(format!("{weather:?}, seed {seed}: {why}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), jobs.len(), wrong.join("\n"));
}

fn one(weather: Weather, seed: u64) -> Result<(), String> {
    let sandbox = sandbox(|options| {
        options.worker = None;
        options.serve_pages = false;
    });
    let mut dice = Dice::seed_from_u64(seed);
    brew(&sandbox, weather, &mut dice);
    let site = TempDir::new().unwrap();
    for number in 0..dice.random_range(1..6_u8) {
        std::fs::write(
            site.path().join(format!("{number}.html")),
            vec![number; dice.random_range(0..400 << 10)],
        )
        .unwrap();
    }
    let client = match weather {
        Weather::NoSuchHost => Cloudflare::new(
            "https://api.crossfade.invalid/client/v4",
            AccountId::new(ACCOUNT_ID.into()),
            ApiToken::new(API_TOKEN.into()),
        ),
        _ => client(&sandbox),
    };
    let started = Instant::now();
    let result = deploy(&client, &site);
    let made = sandbox.deployments().len();
    if started.elapsed() > DEADLINE {
        return Err(format!("it took {:?}", started.elapsed()));
    }
    let must_fail = weather == Weather::NoSuchHost;
    match result {
        Ok(_) if must_fail => Err("it cannot have succeeded".into()),
        // The manifest named only what the store has: the stand-in refuses any other.
        Ok(deployment) if made == 1 && sandbox.deployments()[0].0 == deployment.id => Ok(()),
        Ok(_) => Err(format!("it succeeded with {made} deployments")),
        Err(error) if !must_fail => Err(format!("it failed: {}", whole(&error))),
        Err(error) => {
            let said = whole(&error);
            let clear = said.len() > 20 && error.hint().is_some() && !said.contains(API_TOKEN);
            if clear && made == 0 { Ok(()) } else { Err(format!("{made} deployments and: {said}")) }
        }
    }
}

fn brew(sandbox: &Sandbox, weather: Weather, dice: &mut Dice) {
    let refused =
        |status, retry_after| Action::Answer { status, code: 10_001, message: "no".into(), retry_after };
    let action = match weather {
        Weather::ServerErrors => refused([500, 502, 503, 504][dice.random_range(0..4)], None),
        Weather::GatewayPages => Action::Text { status: 502, text: "<html>Bad gateway</html>".into() },
        Weather::RateLimit => refused(429, None),
        Weather::RateLimitWithRetryAfter => refused(429, Some(dice.random_range(0..3))),
        Weather::ResetBefore => Action::Reset,
        Weather::ResetAfter => Action::AppliedThenReset,
        Weather::HalfAnswers => Action::AppliedThenHalf,
        Weather::SlowDrips => Action::AppliedThenDrip { ms: dice.random_range(1..8) },
        Weather::TokensRunOut => {
            let refusal = if dice.random() { Refusal::Json } else { Refusal::Text };
            let calls = Some(dice.random_range(1..4));
            return sandbox.set_upload_tokens(UploadTokens { calls, refusal, ..UploadTokens::default() });
        }
        // By our clock, the one an hour ahead, all tokens have run out when they are made, and by the service's they have not.
        Weather::ClockAhead => {
            return sandbox.set_upload_tokens(UploadTokens { clock: -3_600, ..UploadTokens::default() });
        }
        // They seem good for more than an hour and run out meanwhile.
        Weather::ClockBehind => {
            let calls = Some(dice.random_range(1..4));
            return sandbox.set_upload_tokens(UploadTokens {
                clock: 3_600,
                calls,
                ..UploadTokens::default()
            });
        }
        Weather::NoSuchHost => return,
    };
    for (method, path) in CALLS {
        if dice.random() {
            let fault = Fault::new(method, path, action.clone()).times(dice.random_range(1..4));
            sandbox.fault(fault.after(dice.random_range(0..2)));
        }
    }
}

fn deploy(client: &Cloudflare, site: &TempDir) -> Result<Deployment, Error> {
    let output = Output::read(site.path(), site.path(), &|_| ())?;
    let commit = Commit { message: Some("a storm"), hash: None, dirty: Some(false) };
    let upload = Upload { project: PROJECT, commit, ..Upload::default() };
    upload::deploy(client, &output, &upload, &|| false, &|_| ())
}

/// An error with its causes.
fn whole(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
