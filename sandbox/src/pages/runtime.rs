//! A deployment's runtime: `wrangler pages dev`, and whether it answers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{COMPATIBILITY_DATE, Deployment};
use crate::Error;
use crate::child::Child;
use crate::state::State;

const UP_WITHIN: Duration = Duration::from_secs(60);

/// Starts the runtime of a new deployment and waits until it answers. The deployment has it from the beginning, so that
/// it ends with the deployment at any time.
pub(crate) fn serve(state: &State, project: &str, id: &str) {
    let deadline = Instant::now() + UP_WITHIN;
    let mut port = None;
    with(state, project, id, |deployment| match start(state, deployment) {
        Ok(child) => {
            deployment.started(child);
            port = Some(deployment.port);
        }
        Err(error) => deployment.failed(&error),
    });
    let Some(port) = port else { return };
    loop {
        let answers = answers(port);
        let waits =
            with(state, project, id, |deployment| deployment.came_up(answers, Instant::now() >= deadline));
        if waits != Some(true) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// `None` when the deployment is gone.
fn with<T>(state: &State, project: &str, id: &str, change: impl FnOnce(&mut Deployment) -> T) -> Option<T> {
    state.projects().get_mut(project)?.deployment_mut(id).map(change)
}

fn start(state: &State, deployment: &Deployment) -> Result<Child, Error> {
    let directory = &deployment.directory;
    let port = deployment.port.to_string();
    let home = directory.with_extension("home");
    std::fs::create_dir_all(&home).map_err(Error::io("make a directory"))?;
    let tools = &state.tools;
    let arguments: Vec<&std::ffi::OsStr> = vec![
        tools.wrangler.as_os_str(),
        "pages".as_ref(),
        "dev".as_ref(),
        directory.as_os_str(),
        "--ip".as_ref(),
        "127.0.0.1".as_ref(),
        "--port".as_ref(),
        port.as_ref(),
        "--inspector-port".as_ref(),
        "0".as_ref(),
        "--compatibility-date".as_ref(),
        COMPATIBILITY_DATE.as_ref(),
        "--log-level".as_ref(),
        "error".as_ref(),
    ];
    Child::start(&tools.node, arguments, &home)
}

/// Whether HTTP is spoken there: an open port alone may still be a proxy without a runtime behind it.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let request = b"HEAD / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
    let mut answer = [0; 9];
    stream.write_all(request).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.starts_with(b"HTTP/1.")
}
