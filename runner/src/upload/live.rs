//! A deployment's id in, whether it is served.

use std::time::{Duration, Instant};

use super::Error;
use crate::cloudflare::Cloudflare;
use crate::cloudflare::pages::Deployment;

/// Waits until a deployment is live: stage `deploy` with status `success`, nothing less.
///
/// # Errors
/// [`Error::Failed`] when it never will be, [`Error::NotLive`] when it took too long.
pub fn wait_until_live(
    client: &Cloudflare,
    project: &str,
    id: &str,
    within: Duration,
    wait: &dyn Fn(Duration) -> bool,
) -> Result<Deployment, Error> {
    const ASK_EVERY: Duration = Duration::from_millis(700);
    let deadline = Instant::now() + within;
    loop {
        let stage = match client.deployment(project, id, Duration::from_secs(10)) {
            Ok(deployment) => {
                let (name, status) = deployment
                    .latest_stage
                    .as_ref()
                    .map_or(("unknown", "idle"), |stage| (stage.name.as_str(), stage.status.as_str()));
                match (name, status) {
                    ("deploy", "success") => return Ok(deployment),
                    (_, "failure" | "canceled") => return Err(failed(client, project, id, name)),
                    (_, _) if deployment.is_skipped => return Err(failed(client, project, id, "skipped")),
                    (_, _) => format!("{name}/{status}"),
                }
            }
            Err(error) if error.is_transient() => error.to_string(),
            Err(error) => return Err(Error::doing("look at the deployment")(error)),
        };
        if Instant::now() >= deadline {
            return Err(Error::NotLive { id: id.to_owned(), stage, within });
        }
        if wait(ASK_EVERY) {
            return Err(Error::Cancelled);
        }
    }
}

fn failed(client: &Cloudflare, project: &str, id: &str, stage: &str) -> Error {
    let line = client.last_log_line(project, id, Duration::from_secs(10)).ok().flatten();
    Error::Failed { id: id.to_owned(), stage: stage.to_owned(), line }
}
