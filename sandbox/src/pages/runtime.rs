//! A deployment's runtime: `wrangler pages dev`, and whether it answers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{COMPATIBILITY_DATE, Deployment};
use crate::child::Child;
use crate::state::State;
use crate::{Error, serve as ports};

const UP_WITHIN: Duration = Duration::from_secs(60);

/// Starts the runtime of a new deployment and waits until it answers.
pub(crate) fn serve(state: &State, project: &str, id: &str) {
    let with = |change: &mut dyn FnMut(&mut Deployment)| {
        let mut projects = state.projects();
        if let Some(deployment) = projects.get_mut(project).and_then(|project| project.deployment_mut(id)) {
            change(deployment);
        }
    };
    let mut place = None;
    with(&mut |deployment| place = Some((deployment.directory.clone(), deployment.port)));
    let Some((directory, port)) = place else { return };
    // A deployment that was deleted meanwhile takes nothing over: its runtime ends here.
    let mut started = Some(start(state, &directory, port));
    with(&mut |deployment| match started.take() {
        Some(Ok(child)) => deployment.went_live(child),
        Some(Err(error)) => deployment.failed(&error),
        None => {}
    });
}

fn start(state: &State, directory: &Path, port: u16) -> Result<Child, Error> {
    let inspector = ports::free_port()?.to_string();
    let port_text = port.to_string();
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
        port_text.as_ref(),
        "--inspector-port".as_ref(),
        inspector.as_ref(),
        "--compatibility-date".as_ref(),
        COMPATIBILITY_DATE.as_ref(),
        "--log-level".as_ref(),
        "error".as_ref(),
    ];
    let mut child = Child::start(&tools.node, arguments, &home)?;
    let deadline = Instant::now() + UP_WITHIN;
    while !answers(port) {
        if child.has_ended() || Instant::now() >= deadline {
            return Err(Error::NotUp { what: "wrangler pages dev".into(), why: child.output().join("\n") });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(child)
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
