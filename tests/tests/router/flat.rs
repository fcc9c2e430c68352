//! Bodies of 100 MiB, both ways, in memory that stays as it was: the router hands on what comes and keeps nothing of it.
//!
//! No side of these tests holds a body either: each writes it and checks it piece by piece.

use std::io::{self, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossfade_tests::origin::Origin;
use crossfade_tests::origin::wire::Head;

use crate::client::Client;
use crate::edge::{Edge, table};

const MIB: usize = 1024 * 1024;
/// The largest body that the router is to pass on.
const LARGE: usize = 100 * MIB;
/// What a transfer of any size may have fill up: sockets, the runtime's buffers, a heap not yet swept.
const WARM_UP: usize = 8 * MIB;
/// What the runtime may need beyond that: a quarter of a body.
const GROWTH_MAX: usize = 24 * MIB;
/// How far an origin may get ahead of a visitor who reads slowly: what the sockets on the way hold.
const AHEAD_MAX: usize = 32 * MIB;
/// After so much the slow visitor waits until the origin can write no more.
const SIP: usize = 4 * MIB;

#[test]
fn a_body_of_100_mib_passes_both_ways_and_memory_stays_flat() {
    let origin = Stream::listen();
    let unused = Origin::saying("unused");
    for weight in [0, 10_000] {
        let mut routing = table(1, &unused, &unused, weight);
        for variant in routing["variants"].as_array_mut().unwrap() {
            variant["origin"] = origin.url.clone().into();
        }
        let edge = Edge::settled(&routing);
        for (way, transfer) in [("up", upload as Transfer), ("down", download)] {
            transfer(&edge, &origin, WARM_UP);
            let level = memory(&edge, "VmRSS");
            forget_the_peak(&edge);
            transfer(&edge, &origin, LARGE);
            let growth = memory(&edge, "VmHWM").saturating_sub(level);
            assert!(growth <= GROWTH_MAX, "{way}, canary {weight}: {growth} bytes on top of {level}");
        }
    }
}

/// Passes a body of this length.
type Transfer = fn(&Edge, &Stream, usize);

/// Sends a body; the origin says how much of it arrived as it was.
fn upload(edge: &Edge, _: &Stream, length: usize) {
    let mut client = edge.connect();
    client.request("POST", "/", &[("content-length", &length.to_string())], b"");
    write(length, |bytes| {
        client.send(bytes);
        Ok(())
    })
    .unwrap();
    let answer = client.answer("POST");
    assert_eq!((answer.status, answer.text()), (200, length.to_string()));
}

/// Fetches a body as a slow visitor does, who holds the origin back.
fn download(edge: &Edge, origin: &Stream, length: usize) {
    origin.written.store(0, Ordering::Relaxed);
    let mut client = edge.connect();
    client.request("GET", &format!("/{length}"), &[], b"");
    let (status, head) = client.head();
    assert_eq!((status, head.header("content-length")), (200, Some(length.to_string().as_str())));
    assert_eq!(read(&mut client, &head, origin), length);
}

/// Reads a body in sips; how much of it is as it was written.
fn read(client: &mut Client, head: &Head, origin: &Stream) -> usize {
    let (mut check, mut sips) = (Check::default(), 0);
    let whole = client.body(head, |bytes| {
        if check.good / SIP >= sips {
            sips += 1;
            let ahead = origin.stands_still_at().saturating_sub(check.good);
            assert!(ahead <= AHEAD_MAX, "the origin is {ahead} bytes ahead of a visitor at {}", check.good);
        }
        check.next(bytes);
    });
    assert!(whole.is_ok(), "after {}: {whole:?}", check.good);
    check.good
}

/// An origin that checks what it is sent and says how much of it was right, and to `GET /N` sends N bytes.
struct Stream {
    url: String,
    /// How much of its last answer the system has taken.
    written: Arc<AtomicUsize>,
}

impl Stream {
    fn listen() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let written = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&written);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let count = Arc::clone(&count);
                std::thread::spawn(move || converse(&connection, &count));
            }
        });
        Self { url, written }
    }

    /// How much it has written once it can write no more for now.
    fn stands_still_at(&self) -> usize {
        const A_WHILE: Duration = Duration::from_millis(40);
        loop {
            let before = self.written.load(Ordering::Relaxed);
            std::thread::sleep(A_WHILE);
            if self.written.load(Ordering::Relaxed) == before {
                return before;
            }
        }
    }
}

/// Serves one connection to its end.
fn converse(mut connection: &TcpStream, written: &AtomicUsize) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some(head) = Head::read(&mut reader)? {
        let mut check = Check::default();
        head.read_body(&mut reader, false, |bytes| check.next(bytes))?;
        let wanted =
            head.first_line.strip_prefix("GET /").and_then(|rest| rest.split(' ').next()?.parse().ok());
        let Some(length) = wanted else {
            let good = check.good.to_string();
            write!(connection, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{good}", good.len())?;
            continue;
        };
        write!(connection, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")?;
        write(length, |bytes| {
            connection.write_all(bytes)?;
            written.fetch_add(bytes.len(), Ordering::Relaxed);
            Ok(())
        })?;
    }
    Ok(())
}

/// The length of the pattern that bodies repeat: a prime, so that no buffer's length is a multiple of it.
const PERIOD: usize = 65_521;

/// Bytes that never begin anew inside one pattern, so that a piece that is lost, doubled or moved shows.
fn pattern() -> &'static [u8] {
    static PATTERN: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        (0..PERIOD as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    });
    &PATTERN
}

/// Writes the first `length` bytes of a body.
fn write(length: usize, mut out: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut left = length;
    while left > 0 {
        let piece = &pattern()[..left.min(PERIOD)];
        out(piece)?;
        left -= piece.len();
    }
    Ok(())
}

/// Compares a body with what was written.
#[derive(Default)]
struct Check {
    /// How many bytes were right; it stays at the first wrong one.
    good: usize,
    wrong: bool,
}

impl Check {
    fn next(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.wrong {
            let expected = &pattern()[self.good % PERIOD..];
            let (piece, rest) = bytes.split_at(bytes.len().min(expected.len()));
            self.wrong = piece != &expected[..piece.len()];
            self.good += if self.wrong { 0 } else { piece.len() };
            bytes = rest;
        }
    }
}

/// A figure of the runtime's memory, in bytes: `VmRSS` now, or `VmHWM` at its highest
/// (<https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>).
fn memory(edge: &Edge, figure: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", runtime(edge))).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
    let kib = line.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kib.unwrap_or_else(|| panic!("no {figure} in {status}")) * 1024
}

/// From now on the highest is counted anew (<https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html>).
fn forget_the_peak(edge: &Edge) {
    std::fs::write(format!("/proc/{}/clear_refs", runtime(edge)), "5").unwrap();
}

/// The process that the router runs in.
fn runtime(edge: &Edge) -> u32 {
    let group = edge.sandbox.router_group().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().map_while(Result::ok);
    let mut ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_it = |id: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // `id (name) state parent group …`
        let (name, rest) = stat.rsplit_once(") ").unwrap_or_default();
        name.ends_with("(workerd") && rest.split(' ').nth(2) == Some(group.to_string().as_str())
    };
    ids.find(is_it).expect("the router runs")
}
