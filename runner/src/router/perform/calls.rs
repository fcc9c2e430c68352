//! Each change as calls to Cloudflare. All may be made again: what is done already is left as it is.

use std::time::Duration;

use crossfade_core::RoutingTable;

use super::{Patience, Step, WITHIN, Work};
use crate::cloudflare::Error as ApiError;
use crate::cloudflare::zones::Zone;
use crate::error::Error;
use crate::retry::{never, retry};
use crate::router::note;

impl Work<'_> {
    pub(super) fn change(&mut self, step: &Step) -> Result<(), Error> {
        let client = self.client;
        match step {
            Step::CreateNamespace { title } => {
                let made = self.sure(
                    step,
                    |left| client.create_namespace(title, left),
                    |left| client.namespace_titled(title, left),
                )?;
                self.found.namespace = Some(made);
                Ok(())
            }
            Step::DeleteNamespace { title } => {
                // One that was made although nobody said so has no id here yet.
                let known = self.found.namespace.clone();
                let id = match known.map_or_else(|| client.namespace_titled(title, WITHIN), |id| Ok(Some(id)))
                {
                    Ok(Some(id)) => id,
                    Ok(None) => return Ok(()),
                    Err(error) => return Err(Error::cloudflare(step.to_string())(error)),
                };
                let gone = |left| Ok(client.namespace_titled(title, left)?.is_none().then_some(()));
                self.sure(step, |left| or_gone(client.delete_namespace(&id, left)), gone)
            }
            Step::WriteTable { origin, version } => {
                let table = self.first_table(origin, version)?;
                let document = self.signer.document(&table);
                let key = RoutingTable::key(&self.wanted.environment);
                let namespace = client.namespace(self.namespace()?);
                let bytes = document.as_bytes();
                let is_there =
                    |left| Ok(namespace.read_once(&key, left)?.filter(|it| it == bytes).map(|_| ()));
                self.sure(step, |left| namespace.write_once(&key, bytes, left), is_there)?;
                self.found.table = Some(table);
                Ok(())
            }
            Step::DeleteTable => {
                self.refuse_while_led(step)?;
                let key = RoutingTable::key(&self.wanted.environment);
                let namespace = client.namespace(self.namespace()?);
                self.sure(step, |left| or_gone(namespace.delete_once(&key, left)), |_| Ok(None))
            }
            Step::Upload { worker, migrates, before } => {
                self.upload(step, worker, *migrates, before.as_deref())
            }
            Step::UploadVersion { worker } => {
                let form = self.form(false)?;
                let id = self.sure(step, |left| client.upload_version(worker, &form, left), |_| Ok(None))?;
                self.version = Some(id);
                Ok(())
            }
            Step::DeleteWorker { worker } => {
                self.refuse_while_led(step)?;
                let gone = |left| Ok(client.script(worker, left)?.is_none().then_some(()));
                self.sure(step, |left| or_gone(client.delete_script(worker, left)), gone)
            }
            Step::Share { percent, old } => {
                let new =
                    self.version.clone().ok_or_else(|| Error::Usage("there is no new version".into()))?;
                let shares = [(new.as_str(), *percent), (old.as_str(), 100 - percent)];
                // The whole goes to one version; the new one stays listed at 0 %, so that it can be asked for.
                let listed = if *percent == 100 { &shares[..1] } else { &shares[..] };
                self.share(step, listed)
            }
            Step::ShareBack { version } => self.share(step, &[(version, 100)]),
            Step::AddRoute { pattern, worker } => {
                let zone = self.zone()?.id.clone();
                let is_there = |left| {
                    let routes = client.routes(&zone, left)?;
                    let found =
                        routes.iter().find(|it| it.pattern == *pattern && it.script.as_ref() == Some(worker));
                    Ok(found.map(|_| ()))
                };
                self.sure(step, |left| client.add_route(&zone, pattern, worker, left), is_there)
            }
            Step::DeleteRoute { pattern, worker } => {
                let zone = self.zone()?.id.clone();
                self.sure(
                    step,
                    |left| {
                        let routes = client.routes(&zone, left)?;
                        let ours = routes
                            .iter()
                            .find(|it| it.pattern == *pattern && it.script.as_ref() == Some(worker));
                        ours.map_or(Ok(()), |route| or_gone(client.delete_route(&zone, &route.id, left)))
                    },
                    |_| Ok(None),
                )
            }
            Step::PutDomain { host, worker } => {
                let zone = self.zone()?.clone();
                let is_there = |left| {
                    let domain = client.domain(host, left)?.filter(|domain| domain.service == *worker);
                    Ok(domain.map(|_| ()))
                };
                self.sure(step, |left| client.put_domain(&zone, host, worker, left), is_there)
            }
            Step::DeleteDomain { host, worker } => self.sure(
                step,
                |left| match client.domain(host, left)?.filter(|domain| domain.service == *worker) {
                    Some(domain) => or_gone(client.delete_domain(&domain.id, left)),
                    None => Ok(()),
                },
                |_| Ok(None),
            ),
            Step::RollBackPages { to, .. } => {
                // Only planned where the project's deployments were seen.
                let Some(project) = &self.wanted.project else { return Ok(()) };
                let is_back = |left| {
                    let live = client.project(project, left)?.canonical_deployment;
                    Ok(live.filter(|live| live.id == *to).map(|_| ()))
                };
                self.sure(step, |left| client.roll_back_project(project, to, left), is_back)
            }
            Step::Note => {
                let (id, environment) = (self.namespace()?.to_owned(), self.wanted.environment.to_string());
                // The router is there and serves: it is not undone for a file.
                let why = match note::write(self.config, &environment, Some(&id)) {
                    Ok(true) => return Ok(()),
                    Ok(false) => "it has no table of its own there".into(),
                    Err(error) => error.in_one_line(),
                };
                let config = self.config.display();
                self.reporter.warn(format!(
                    "put `kv_namespace = \"{id}\"` into environment {environment} of `{config}`: {why}"
                ));
                Ok(())
            }
            Step::Forget => note::write(self.config, self.wanted.environment.as_str(), None).map(drop),
            _ => Ok(()),
        }
    }

    /// The whole Worker at once. It is there when what answers now is this bundle, and not what answered before.
    fn upload(&self, step: &Step, worker: &str, migrates: bool, before: Option<&str>) -> Result<(), Error> {
        let client = self.client;
        let form = self.form(migrates)?;
        let fingerprint = self.bundle.map(super::Bundle::fingerprint);
        let is_there = |left: Duration| {
            if client.script(worker, left)?.is_none() {
                return Ok(None);
            }
            let shares = client.version_shares(worker, left)?;
            let Some(only) = shares.first().filter(|only| Some(only.version.as_str()) != before) else {
                return Ok(None);
            };
            let bindings = client.version_bindings(worker, &only.version, left)?;
            let deployed = super::super::Deployed { bindings, ..super::super::Deployed::default() };
            Ok((deployed.bundle() == fingerprint).then_some(()))
        };
        self.sure(step, |left| client.upload_script(worker, &form, left), is_there)
    }

    /// Somebody else may have led visitors to the Worker meanwhile: then it stays, and its table too.
    fn refuse_while_led(&self, step: &Step) -> Result<(), Error> {
        let (client, worker) = (self.client, &self.wanted.worker);
        let Some(zone) = &self.found.zone else { return Ok(()) };
        let policy = Patience::within(WITHIN);
        let asked = |error| Error::cloudflare(step.to_string())(error);
        let routes = retry(policy, &never, |left| client.routes(&zone.id, left)).map_err(asked)?;
        let domain = retry(policy, &never, |left| client.domain(&self.wanted.host, left)).map_err(asked)?;
        let route = routes.into_iter().find(|route| route.script.as_ref() == Some(worker));
        let domain = domain.filter(|domain| domain.service == *worker);
        match route.map(|route| route.pattern).or(domain.map(|domain| domain.hostname)) {
            None => Ok(()),
            Some(led) => {
                Err(Error::Gate { phase: "route", why: format!("{led} leads to the Worker {worker}") })
            }
        }
    }

    fn share(&self, step: &Step, shares: &[(&str, u8)]) -> Result<(), Error> {
        let (client, worker) = (self.client, self.wanted.worker.as_str());
        let message = step.to_string();
        let are_so = |left| {
            let found = client.version_shares(worker, left)?;
            let same = found.len() == shares.len()
                && shares.iter().all(|(version, percent)| {
                    found.iter().any(|it| it.version == *version && it.percentage == f64::from(*percent))
                });
            Ok(same.then_some(()))
        };
        self.sure(step, |left| client.share_versions(worker, shares, &message, left), are_so)
    }

    fn form(&self, migrates: bool) -> Result<(String, Vec<u8>), Error> {
        let bundle = self.bundle.ok_or_else(|| Error::Usage("there is no router to upload".into()))?;
        Ok(bundle.form(&self.wanted.metadata(bundle, self.namespace()?, &self.found, migrates)))
    }

    fn namespace(&self) -> Result<&str, Error> {
        self.found.namespace.as_deref().ok_or_else(|| Error::Usage("there is no KV namespace".into()))
    }

    fn zone(&self) -> Result<&Zone, Error> {
        self.found.zone.as_ref().ok_or_else(|| Error::Usage(format!("{} is in no zone", self.wanted.host)))
    }
}

/// What is not there need not be removed.
fn or_gone(result: Result<(), ApiError>) -> Result<(), ApiError> {
    result.or_else(|error| if error.is_not_found() { Ok(()) } else { Err(error) })
}
