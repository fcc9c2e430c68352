//! Uploads to the sandbox as `crossfade deploy` makes them, without a release around them.

use std::path::Path;
use std::time::Duration;

use crossfade::cloudflare::{AccountId, ApiToken, Cloudflare};
use crossfade::upload::{self, Commit, Deployment, Error, Output, Upload};
use crossfade_sandbox::{ACCOUNT_ID, API_TOKEN, PROJECT, Sandbox};

/// The program's own client of the sandbox's API.
pub fn client(sandbox: &Sandbox) -> Cloudflare {
    client_at(&sandbox.api_url())
}

/// The same for a sandbox in another process.
pub fn client_at(api_url: &str) -> Cloudflare {
    Cloudflare::new(api_url, AccountId::new(ACCOUNT_ID.into()), ApiToken::new(API_TOKEN.into()))
}

/// Uploads a directory to `booking`, to production when no branch is given, and waits until it is served.
#[track_caller]
pub fn upload(sandbox: &Sandbox, directory: &Path, branch: Option<&str>) -> Deployment {
    upload_to(&client(sandbox), directory, branch).unwrap_or_else(|error| panic!("{error:?}"))
}

/// The same by a client, which may be one of a sandbox in another process.
///
/// # Errors
/// The upload's own, and those of a deployment that fails.
pub fn upload_to(client: &Cloudflare, directory: &Path, branch: Option<&str>) -> Result<Deployment, Error> {
    let deployment = begin(client, directory, branch)?;
    let wait = |time| {
        std::thread::sleep(time);
        false
    };
    upload::wait_until_live(client, PROJECT, &deployment.id, Duration::from_secs(90), &wait)
}

/// The same without waiting.
///
/// # Errors
/// The upload's own.
pub fn try_upload(sandbox: &Sandbox, directory: &Path, branch: Option<&str>) -> Result<Deployment, Error> {
    begin(&client(sandbox), directory, branch)
}

fn begin(client: &Cloudflare, directory: &Path, branch: Option<&str>) -> Result<Deployment, Error> {
    let output = Output::read(directory, directory, &|_| ())?;
    let commit = Commit { message: Some("Hello wörld"), hash: None, dirty: Some(true) };
    let upload = Upload { project: PROJECT, branch, commit, ..Upload::default() };
    upload::deploy(client, &output, &upload, &|| false, &|_| ())
}
