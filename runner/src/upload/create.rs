//! Stored assets in, a deployment out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::extras::Extras;
use super::{Asset, CALL_WITHIN, Error, Upload, form};
use crate::cloudflare::Cloudflare;
use crate::cloudflare::pages::Deployment;
use crate::retry::{Policy, retry};

/// Makes the deployment. When the answer is lost, the newest deployments are looked through for our message before it is
/// tried again: a second deployment would be harmless and confusing.
pub(super) fn create(
    client: &Cloudflare,
    upload: &Upload<'_>,
    assets: &[Asset],
    extras: &Extras,
    cancelled: &dyn Fn() -> bool,
) -> Result<Deployment, Error> {
    let manifest: BTreeMap<&str, &str> =
        assets.iter().map(|asset| (asset.path.as_str(), asset.key.as_str())).collect();
    let mut form = form::Form::new();
    form.text("manifest", &json!(manifest).to_string());
    if let Some(branch) = upload.branch {
        form.text("branch", branch);
    }
    form.text("commit_message", form::shorten(upload.message));
    form.text("commit_dirty", "true");
    for (name, bytes) in extras.parts() {
        form.file(name, &bytes);
    }
    let (content_type, body) = form.finish();
    let mut asked_before = false;
    retry(Policy { attempts_max: 3, ..Policy::within(CALL_WITHIN) }, cancelled, |left| {
        if std::mem::replace(&mut asked_before, true)
            && let Some(existing) = find(client, upload, left)
        {
            return Ok(existing);
        }
        client.create_deployment(upload.project, &content_type, &body, left)
    })
    .map_err(Error::doing("create the deployment"))
}

fn find(client: &Cloudflare, upload: &Upload<'_>, within: Duration) -> Option<Deployment> {
    let message = |deployment: &Deployment| {
        deployment.deployment_trigger.as_ref()?.metadata.as_ref()?.commit_message.clone()
    };
    let deployments = client.deployments(upload.project, within).ok()?;
    deployments
        .into_iter()
        .find(|deployment| message(deployment).as_deref() == Some(form::shorten(upload.message)))
}
