//! Uploads to the sandbox as `crossfade deploy` makes them, without a release around them.

use std::path::Path;
use std::time::Duration;

use crossfade::cloudflare::{AccountId, ApiToken, Cloudflare};
use crossfade::upload::{self, Deployment, Error, Upload};
use crossfade_sandbox::{ACCOUNT_ID, API_TOKEN, Sandbox};

/// The program's own client of the sandbox's API.
pub fn client(sandbox: &Sandbox) -> Cloudflare {
    Cloudflare::new(&sandbox.api_url(), AccountId::new(ACCOUNT_ID.into()), ApiToken::new(API_TOKEN.into()))
}

/// Uploads a directory to `booking`, to production when no branch is given, and waits until it is served.
#[track_caller]
pub fn upload(sandbox: &Sandbox, directory: &Path, branch: Option<&str>) -> Deployment {
    let deployment = try_upload(sandbox, directory, branch).unwrap_or_else(|error| panic!("{error:?}"));
    let wait = |time| {
        std::thread::sleep(time);
        false
    };
    upload::wait_until_live(&client(sandbox), "booking", &deployment.id, Duration::from_secs(90), &wait)
        .unwrap_or_else(|error| panic!("{error:?}"))
}

/// The same without waiting.
///
/// # Errors
/// The upload's own.
pub fn try_upload(sandbox: &Sandbox, directory: &Path, branch: Option<&str>) -> Result<Deployment, Error> {
    let upload = Upload { directory, project: "booking", branch, message: "Hello wörld" };
    upload::deploy(&client(sandbox), &upload, &|| false, &|_| ())
}
