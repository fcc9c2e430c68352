//! `crossfade router …`: what they have in common. Looking first, naming every permission that is lacking, then a plan.

use crossfade_core::table::Environment;
use serde_json::json;

use super::session::environment;
use super::{print, settings};
use crate::cancel::Cancel;
use crate::cli::{Global, Router, RouterBundle};
use crate::cloudflare::Cloudflare;
use crate::config::{Config, EnvironmentConfig};
use crate::edge::{CONTROL_TOKEN, Edge};
use crate::error::Error;
use crate::record::Ledger;
use crate::release::refuse_while_leased;
use crate::report::{Mode, Reporter, counted, now};
use crate::router::{Before, Bundle, Checks, Failed, Found, Lack, Refused, Secret, Step, Wanted, Work, look};
use crate::signing::{SIGNING_KEY, Signer};

mod deploy;
mod remove;
mod status;

/// What each of the commands needs.
struct Place<'a> {
    global: &'a Global,
    config: Config,
    settings: EnvironmentConfig,
    wanted: Wanted,
    client: Cloudflare,
    signer: Signer,
    edge: Option<Edge>,
    reporter: Reporter,
    cancel: Cancel,
}

pub(super) fn run(global: &Global, command: &Router) -> Result<(), Error> {
    let place = Place::open(global)?;
    match command {
        Router::Deploy(arguments) => deploy::deploy(&place, arguments),
        Router::Status(arguments) => status::run(&place, arguments),
        Router::Upgrade(arguments) => deploy::upgrade(&place, arguments),
        Router::Remove(arguments) => remove::run(&place, arguments),
    }
}

impl<'a> Place<'a> {
    /// Reads configuration and secrets. Nothing is sent.
    fn open(global: &'a Global) -> Result<Self, Error> {
        let config = Config::read(&global.config)?;
        let settings = environment(&config, global)?.clone();
        let name = Environment::new("--environment", global.environment.as_str())
            .map_err(|error| Error::Usage(format!("--environment is {}: {}", error.value, error.problem)))?;
        let client = settings::client(global)?;
        let token = settings::control_token()?;
        let signing_key = settings::secret(SIGNING_KEY)?;
        let named = |name, value: Option<String>| value.map(|value| Secret { name, value });
        let secrets = [
            named(CONTROL_TOKEN, token.as_ref().map(|token| token.expose().to_owned())),
            named("SIGNING_KEY", signing_key.clone()),
        ];
        let wanted = Wanted::new(&config, &settings, name, secrets.into_iter().flatten().collect())?;
        let cancel = Cancel::on_signals()
            .map_err(|source| Error::Io { doing: "cannot listen to signals".into(), source })?;
        Ok(Self {
            global,
            edge: token.map(|token| Edge::new(&settings.url, token)),
            config,
            settings,
            wanted,
            client,
            signer: Signer::new(signing_key),
            reporter: Reporter::new(global.mode()),
            cancel,
        })
    }

    /// What is there.
    fn look(&self) -> Result<Found, Error> {
        let phase = self.reporter.phase("look");
        let looked = look(&self.client, &self.wanted, self.edge.as_ref(), &|| self.cancel.is_cancelled());
        match looked {
            Ok((found, lacks)) if lacks.is_empty() => {
                phase.done(said(&found, &self.wanted));
                Ok(found)
            }
            Ok((_, lacks)) => {
                phase.failed("");
                Err(lacking(&lacks))
            }
            Err(error) => {
                phase.failed("");
                Err(error)
            }
        }
    }

    /// A release that moves visitors needs the router as it is.
    fn refuse_while_in_charge(&self, found: &Found) -> Result<(), Error> {
        if let Some(table) = &found.table {
            refuse_while_leased(table)?;
        }
        let Some(id) = &found.namespace else { return Ok(()) };
        let ledger = Ledger::new(self.client.namespace(id), self.wanted.environment.clone());
        match ledger.current()? {
            Some(release) if release.in_charge(now()) => Err(release.refusal("nothing was changed")),
            Some(_) | None => Ok(()),
        }
    }

    /// Prints a plan that is not carried out.
    fn print(&self, steps: &[Step]) {
        let texts: Vec<String> = steps.iter().map(Step::to_string).collect();
        let changes = steps.iter().filter(|step| step.is_change()).count();
        match self.global.mode() {
            Mode::Json => print(
                &json!({ "version": 1, "type": "plan", "at": now(), "changes": changes, "steps": texts })
                    .to_string(),
            ),
            Mode::Lines => {
                texts
                    .iter()
                    .enumerate()
                    .for_each(|(index, text)| print(&format!("  {:>2}. {text}", index + 1)));
                let steps = counted(texts.len(), "step");
                print(&format!("{steps}, {changes} of which change something; nothing was changed"));
            }
        }
    }

    /// Carries a plan out.
    fn perform(
        &self,
        steps: &[Step],
        found: Found,
        bundle: Option<&Bundle>,
        version: Option<String>,
    ) -> Result<(), Error> {
        self.refuse_while_in_charge(&found)?;
        let mut checks = Checks {
            url: self.settings.url.trim_end_matches('/').to_owned(),
            edge: self.edge.clone(),
            worker: self.wanted.worker.clone(),
            environment: self.wanted.environment.clone(),
            health: self.config.health.clone(),
            context: settings::secrets(&self.config),
            within: self.config.rollout.confirm_within.0,
            cancel: self.cancel.clone(),
            before: Before::default(),
        };
        checks.look(found.site.as_ref().map(|site| site.origin.as_str()));
        let work = Work {
            client: &self.client,
            wanted: &self.wanted,
            bundle,
            signer: &self.signer,
            reporter: &self.reporter,
            checks: &checks,
            cancel: self.cancel.clone(),
            config: &self.global.config,
            found,
            version,
        };
        work.run(steps).map_err(failed)
    }
}

/// What was found, in one line.
fn said(found: &Found, wanted: &Wanted) -> String {
    let worker = match &found.worker {
        Some(_) if found.is_live(wanted) => format!("the Worker {} serves {}", wanted.worker, wanted.host),
        Some(_) => format!("there is a Worker {}, and {} does not lead to it", wanted.worker, wanted.host),
        None => format!("there is no Worker {} yet", wanted.worker),
    };
    match &found.site {
        Some(site) => format!("{worker}; the site without it is {}", site.origin),
        None => worker,
    }
}

fn refused(Refused(why): Refused) -> Error {
    Error::Gate { phase: "plan", why }
}

fn lacking(lacks: &[Lack]) -> Error {
    let permissions = lacks.iter().map(|Lack { permission, said }| format!("\"{permission}\": {said}"));
    Error::Lacking(permissions.collect())
}

/// What became of a plan that was not carried out.
fn failed(failed: Failed) -> Error {
    let Failed { why, cancelled, moved, left } = failed;
    if !left.is_empty() {
        return Error::Stuck {
            why: format!("{why}; what could not be undone: {}", left.join("; ")),
            hint: "run the same command again: it goes on from what is there; `crossfade router status` shows it".into(),
        };
    }
    match cancelled {
        _ if moved => Error::RolledBack(why),
        Some(reason) => Error::Cancelled(reason),
        None => Error::Gate { phase: "router", why },
    }
}

fn bundle(arguments: &RouterBundle) -> Result<Bundle, Error> {
    Bundle::load(arguments.bundle.as_deref())
}
