//! Hooks against a server that answers as told: the runner's own code, without a release around it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use crossfade::cancel::Cancel;
use crossfade::config::Hooks;
use crossfade::hooks::{Asked, Asker, Moment, Phase};
use crossfade_core::table::{Environment, ReleaseId, VariantName, Version, Weight};
use crossfade_tests::origin::{Origin, Received};

mod events;
mod gates;
mod webhooks;

const TOKEN: &str = "token-4711-of-the-hook";
const KEY: &str = "key-0815-of-the-hook";

/// `[hooks]` as it is written, `URL` being where `origin` is.
fn hooks(text: &str, origin: &Origin) -> Hooks {
    toml::from_str(&text.replace("URL", &origin.url())).unwrap()
}

fn asker(hooks: &Hooks, cancel: &Cancel) -> Asker {
    let moment = moment();
    let variable = |name: &str| match name {
        "HOOK_TOKEN" => Some(TOKEN.to_owned()),
        "HOOK_KEY" => Some(format!(" {KEY}\n")),
        _ => None,
    };
    let named = (&moment.version, &moment.release);
    Asker::new(hooks, std::path::Path::new("."), named, cancel.clone(), variable).unwrap()
}

fn moment() -> Moment {
    let begun = Moment::new(
        Environment::new("environment", "production").unwrap(),
        ReleaseId::new("release", "rel-1").unwrap(),
        Version::new("version", "1.5.0").unwrap(),
        VariantName::new("slot", "green").unwrap(),
        Some("1.4.2".into()),
    );
    Moment { step: Some(0), weight: Weight::new(500), ..begun }
}

/// Asks the first hook of a phase.
fn ask(hooks: &Hooks, phase: Phase) -> Asked {
    asker(hooks, &Cancel::default()).ask(phase, &hooks.of(phase)[0], &moment())
}

/// `200 OK` to each path that begins with a status: `/403/…`.
fn status_of(request: &Received) -> String {
    let status = request.target.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
    format!("{status} Status")
}
