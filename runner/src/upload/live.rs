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
    let deadline = Instant::now() + within;
    let mut asked = 0;
    loop {
        let mut pause = pause(asked);
        asked += 1;
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
            Err(error) if error.is_transient() => {
                pause = pause.max(error.retry_after().unwrap_or_default());
                error.to_string()
            }
            Err(error) => return Err(Error::doing("look at the deployment")(error)),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::NotLive { id: id.to_owned(), stage, within });
        }
        if wait(pause.min(left)) {
            return Err(Error::Cancelled);
        }
    }
}

/// Most deployments are live within seconds. To ask ten minutes long as often would use up the calls of the whole account.
fn pause(asked: u32) -> Duration {
    Duration::from_millis(700).mul_f64(1.3_f64.powi(asked.saturating_sub(5).min(8).cast_signed()))
}

fn failed(client: &Cloudflare, project: &str, id: &str, stage: &str) -> Error {
    /// What went wrong stands at the end.
    const LINES_SHOWN: usize = 20;
    let mut log = client.deployment_log(project, id, Duration::from_secs(10)).unwrap_or_default();
    log.drain(..log.len().saturating_sub(LINES_SHOWN));
    Error::Failed { id: id.to_owned(), stage: stage.to_owned(), log }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Mutex;

    use super::*;
    use crate::cloudflare::tests::{answer, client};

    #[test]
    fn it_is_asked_ever_less_often_and_not_before_the_api_wants_to_be_asked_again() {
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = client(&api);
        let stage = |status: &str| {
            let body = format!(
                r#"{{"success":true,"result":{{"id":"1","url":"u","latest_stage":{{"name":"deploy","status":"{status}"}}}}}}"#
            );
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        };
        let later = |status| {
            format!(
                "HTTP/1.1 {status} Later\r\nretry-after: 7\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
        };
        let answers =
            [later(429), later(503)].into_iter().chain([stage("active"), stage("active"), stage("success")]);
        let answers: Vec<String> = answers.collect();
        let answering = std::thread::spawn(move || answers.iter().for_each(|text| answer(&api, text)));
        let waits = Mutex::new(Vec::new());
        let wait = |time: Duration| {
            waits.lock().unwrap().push(time);
            false
        };
        wait_until_live(&client, "booking", "1", Duration::from_secs(60), &wait).unwrap();
        answering.join().unwrap();
        let waits = waits.into_inner().unwrap();
        assert_eq!(waits[..2], [Duration::from_secs(7); 2]);
        assert_eq!(waits[2..], [pause(0); 2]);
        assert!(pause(5) < pause(6) && pause(1_000) < Duration::from_secs(10));
        // Ten minutes of it are a small part of the calls that an account has.
        let asked: Duration = (0..150).map(pause).sum();
        assert!(asked > Duration::from_secs(600), "{asked:?}");
    }

    #[test]
    fn what_was_skipped_or_ended_otherwise_is_never_live() {
        for (stage, status, skipped, failed_at) in [
            ("queued", "idle", true, "skipped"),
            ("build", "failure", false, "build"),
            ("initialize", "canceled", false, "initialize"),
        ] {
            let api = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = client(&api);
            let deployment = format!(
                r#"{{"id":"1","url":"u","is_skipped":{skipped},"latest_stage":{{"name":"{stage}","status":"{status}"}}}}"#
            );
            let log = r#"{"data":[{"line":"first"},{"line":"last"}]}"#.to_owned();
            let answering = std::thread::spawn(move || {
                for result in [deployment, log] {
                    let body = format!(r#"{{"success":true,"result":{result}}}"#);
                    answer(
                        &api,
                        &format!(
                            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                            body.len()
                        ),
                    );
                }
            });
            let wait = |_| panic!("there is nothing to wait for");
            let error = wait_until_live(&client, "booking", "1", Duration::from_secs(60), &wait).unwrap_err();
            answering.join().unwrap();
            let said = format!("deployment 1 failed at stage `{failed_at}`\n  first\n  last");
            assert_eq!(error.to_string(), said);
        }
    }
}
