//! Stored assets in, a deployment out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::extras::Extras;
use super::{Asset, CALL_WITHIN, Commit, Error, Upload, form};
use crate::cloudflare::pages::{Deployment, Project};
use crate::cloudflare::{self, Cloudflare};
use crate::retry::{Policy, make};

/// Makes the deployment. When the answer is lost, those that were made since `before` are looked through for ours first.
pub(super) fn create(
    client: &Cloudflare,
    upload: &Upload<'_>,
    before: &Project,
    assets: &[Asset],
    extras: &Extras,
    cancelled: &dyn Fn() -> bool,
) -> Result<Deployment, Error> {
    let manifest: BTreeMap<&str, &str> =
        assets.iter().map(|asset| (asset.path.as_str(), asset.key.as_str())).collect();
    let Commit { message, hash, dirty } = upload.commit;
    let fields = [
        ("manifest", Some(json!(manifest).to_string())),
        ("branch", upload.branch.map(str::to_owned)),
        ("commit_message", message.map(|message| form::shorten(message).to_owned())),
        ("commit_hash", hash.map(str::to_owned)),
        ("commit_dirty", dirty.map(|dirty| dirty.to_string())),
    ];
    let mut form = form::Form::new();
    for (name, value) in fields {
        if let Some(value) = value {
            form.text(name, &value);
        }
    }
    for (name, bytes) in extras.parts() {
        form.file(name, &bytes);
    }
    let (content_type, body) = form.finish();
    let find = |left| find(client, upload, before, left);
    let create = |left| client.create_deployment(upload.project, &content_type, &body, left);
    make(Policy::within(CALL_WITHIN), cancelled, find, create).map_err(Error::doing("create the deployment"))
}

/// What was made since `before` with what we say about ours.
fn find(
    client: &Cloudflare,
    upload: &Upload<'_>,
    before: &Project,
    within: Duration,
) -> Result<Option<Deployment>, cloudflare::Error> {
    let newest_before = before.latest_deployment.as_ref().map(|latest| latest.id.as_str());
    let since = client.deployments_since(upload.project, newest_before, within)?;
    Ok(since.into_iter().find(|deployment| is_ours(deployment, upload)))
}

/// Whether it says what ours does. A branch alone says nothing: somebody else's may be on it too, and to make a second
/// deployment is better than to take another for ours.
fn is_ours(deployment: &Deployment, upload: &Upload<'_>) -> bool {
    let trigger = deployment.deployment_trigger.as_ref().and_then(|trigger| trigger.metadata.as_ref());
    let Some(said) = trigger else { return false };
    let same = |theirs: &Option<String>, ours: Option<&str>| {
        ours.is_none_or(|ours| theirs.as_deref().is_some_and(|theirs| theirs.replace("\r\n", "\n") == ours))
    };
    let Commit { message, hash, .. } = upload.commit;
    (message.is_some() || hash.is_some())
        && same(&said.commit_message, message.map(form::shorten))
        && same(&said.commit_hash, hash)
        && same(&said.branch, upload.branch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_ours_when_it_says_what_we_said_and_we_said_something() {
        let made: Deployment = serde_json::from_value(json!({
            "id": "1", "url": "https://1.booking.pages.dev",
            "deployment_trigger": { "metadata": { "commit_message": "a\r\nb", "commit_hash": "0123", "branch": "main" } },
        }))
        .unwrap();
        for (message, hash, branch, ours) in [
            (Some("a\nb"), Some("0123"), Some("main"), true),
            (Some("a\nb"), None, None, true),
            (None, Some("0123"), Some("main"), true),
            (Some("a"), Some("0123"), Some("main"), false),
            (Some("a\nb"), Some("4567"), Some("main"), false),
            (Some("a\nb"), Some("0123"), Some("x"), false),
            (None, None, Some("main"), false),
            (None, None, None, false),
        ] {
            let commit = Commit { message, hash, dirty: None };
            let upload = Upload { project: "booking", branch, commit, ..Upload::default() };
            assert_eq!(is_ours(&made, &upload), ours, "{message:?} {hash:?} {branch:?}");
        }
    }
}
