//! The public port, where the sandbox serves hostnames: each request goes where the zone leads it, to the byte but for `Connection`.
//!
//! A connection carries one request, so that the next one goes where the zone leads by then.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::state::State;
use crate::zone::Leads;

/// The largest head; Cloudflare takes 128 KiB.
const HEAD_MAX: usize = 128 * 1024;

/// Answers for ever.
pub(crate) async fn serve(listener: TcpListener, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(answer(stream, Arc::clone(&state)));
    }
}

async fn answer(mut visitor: TcpStream, state: Arc<State>) -> Option<()> {
    let (head, rest) = read_head(&mut visitor).await?;
    let Some(port) = port(&state, &head) else {
        let text = "there is nothing behind this name";
        let length = text.len();
        let answer = format!(
            "HTTP/1.1 530 Origin DNS error\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}"
        );
        return visitor.write_all(answer.as_bytes()).await.ok();
    };
    let Ok(mut origin) = TcpStream::connect(("127.0.0.1", port)).await else {
        let answer = "HTTP/1.1 521 Web server is down\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        return visitor.write_all(answer.as_bytes()).await.ok();
    };
    origin.write_all(&closing(&head)).await.ok()?;
    origin.write_all(&rest).await.ok()?;
    let (mut from_visitor, mut to_visitor) = visitor.split();
    let (mut from_origin, mut to_origin) = origin.split();
    let up = async {
        let _ = tokio::io::copy(&mut from_visitor, &mut to_origin).await;
        std::future::pending::<()>().await;
    };
    let down = async {
        let (head, rest) = read_head(&mut from_origin).await?;
        to_visitor.write_all(&closing(&head)).await.ok()?;
        to_visitor.write_all(&rest).await.ok()?;
        tokio::io::copy(&mut from_origin, &mut to_visitor).await.ok()
    };
    // The answer's end is the end.
    tokio::select! { () = up => {}, _ = down => {} }
    visitor.shutdown().await.ok()
}

/// The bytes up to the empty line, and those behind it that came along.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Some((bytes, rest));
        }
        if bytes.len() > HEAD_MAX || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// The head of a message after which the connection is closed. One that changes the protocol stays as it is.
fn closing(head: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(head);
    let is = |line: &str, name: &str| line.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name));
    if text.lines().any(|line| is(line, "upgrade:")) {
        return head.to_vec();
    }
    let mut closing = Vec::with_capacity(head.len() + 32);
    for (index, line) in head.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if index == 1 {
            closing.extend_from_slice(b"connection: close\r\n");
        }
        if !is(&String::from_utf8_lossy(line), "connection:") {
            closing.extend_from_slice(line);
        }
    }
    closing
}

/// The port of who answers this request.
fn port(state: &State, head: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(head);
    let target = text.split(' ').nth(1)?;
    let header = |name: &str| {
        text.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let host = header("host")?;
    let host = host.split(':').next()?;
    let path = target.split('?').next()?;
    // The zone's lock is given back before the scripts' or the projects' is taken.
    let leads = state.zone().leads(host, path);
    match leads {
        Leads::ToWorker(script) => {
            let wanted = header("cloudflare-workers-version-overrides");
            let wanted = wanted.as_deref().and_then(|text| text.strip_prefix(&format!("{script}=")));
            let wanted = wanted.map(|text| text.trim_matches('"').to_owned());
            let dice = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX) * 100.0;
            state.workers().get(&script)?.port(wanted.as_deref(), dice)
        }
        Leads::ToHost(host) => {
            let known = state.zone().hosts.get(&host).copied();
            known.or_else(|| state.projects().get(host.strip_suffix(".pages.dev")?)?.port())
        }
        Leads::Nowhere => None,
    }
}
