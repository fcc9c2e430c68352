//! A scripted origin: HTTP/1.1 on a loopback port. In: a closure that answers. Out: every request as it came, to the byte.
//!
//! A request is in the log from its head on and its body grows there while it arrives, so that a test can see a stream
//! half way.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub mod wire;

use wire::{Head, header};

/// How long a test waits for something that should come at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running origin; it ends with this value.
#[derive(Debug)]
pub struct Origin {
    port: u16,
    log: Arc<Log>,
    stopped: Arc<AtomicBool>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: String,
    /// What stands between method and protocol; each byte a character.
    pub target: String,
    /// Names and values in their order; each byte a character.
    pub headers: Vec<(String, String)>,
    /// What came of the body, without chunk framing.
    pub body: Vec<u8>,
    /// The body came to its end.
    pub complete: bool,
}

impl Received {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// The connection that an answer is written to.
#[derive(Debug)]
pub struct Wire<'a> {
    stream: &'a TcpStream,
    has_body: bool,
    closed: bool,
}

impl Wire<'_> {
    /// Sends these bytes at once. A peer that went away is the test's own affair.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends a whole answer: `200 OK`, header lines, body. The length is added; to HEAD and with 1xx, 204 and 304 there
    /// is no body.
    pub fn answer(&mut self, status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let bodiless = status.starts_with('1') || status.starts_with("204") || status.starts_with("304");
        let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !bodiless {
            bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        if !bodiless && self.has_body {
            bytes.extend_from_slice(body);
        }
        self.send(bytes);
    }

    /// Sends bytes until the peer takes no more for a while, or `most` are gone; how many went.
    pub fn fill(&self, most: usize) -> usize {
        wire::fill(self.stream, most)
    }

    /// Waits until the peer has closed the connection, and says nothing until then.
    pub fn wait_for_the_end(&mut self) {
        self.closed = true;
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest).is_ok_and(|length| length > 0) {}
    }

    /// Closes the connection after this.
    pub fn close(&mut self) {
        self.closed = true;
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

impl Origin {
    /// Starts an origin that answers each complete request by `script`.
    pub fn new(script: impl Fn(&Received, &mut Wire<'_>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (log, stopped) = (Arc::new(Log::default()), Arc::new(AtomicBool::new(false)));
        let (thread_log, thread_stopped, script) = (Arc::clone(&log), Arc::clone(&stopped), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if thread_stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (log, script) = (Arc::clone(&thread_log), Arc::clone(&script));
                std::thread::spawn(move || converse(&stream, &log, &*script));
            }
        });
        Self { port, log, stopped }
    }

    /// Starts an origin whose every answer is 200 with this text.
    pub fn saying(text: &'static str) -> Self {
        Self::new(move |_, wire| wire.answer("200 OK", &[("content-type", "text/plain")], text))
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.host())
    }

    /// `127.0.0.1:PORT`
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The requests so far, in the order of their arrival.
    pub fn received(&self) -> Vec<Received> {
        self.log.lock().clone()
    }

    /// The only request so far.
    #[track_caller]
    pub fn only(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "requests at the origin: {received:#?}");
        received.into_iter().next().unwrap()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.log.lock().clear();
    }

    /// Waits until the requests so far are as `wanted`.
    #[track_caller]
    pub fn until(&self, wanted: impl Fn(&[Received]) -> bool) {
        let guard = self.log.lock();
        let (guard, waited) = self
            .log
            .changed
            .wait_timeout_while(guard, PATIENCE, |received| !wanted(received))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "the origin has only received {:#?}", *guard);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, so that it sees the flag.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

#[derive(Debug, Default)]
struct Log {
    received: Mutex<Vec<Received>>,
    changed: Condvar,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Received>)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// Serves one connection to its end.
fn converse(stream: &TcpStream, log: &Log, script: &dyn Fn(&Received, &mut Wire<'_>)) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    while let Ok(Some(head)) = Head::read(&mut reader) {
        let mut words = head.first_line.splitn(3, ' ');
        let mut received = Received {
            method: words.next().unwrap_or_default().to_owned(),
            target: words.next().unwrap_or_default().to_owned(),
            headers: head.headers.clone(),
            body: Vec::new(),
            complete: false,
        };
        let mut index = 0;
        log.change(|all| {
            index = all.len();
            all.push(received.clone());
        });
        let arrived = |bytes: &[u8]| {
            received.body.extend_from_slice(bytes);
            log.change(|all| {
                if let Some(entry) = all.get_mut(index) {
                    entry.body.extend_from_slice(bytes);
                }
            });
        };
        if head.read_body(&mut reader, false, arrived).is_err() {
            return;
        }
        received.complete = true;
        log.change(|all| {
            if let Some(entry) = all.get_mut(index) {
                entry.complete = true;
            }
        });
        let mut wire = Wire { stream, has_body: received.method != "HEAD", closed: false };
        script(&received, &mut wire);
        if wire.closed {
            return;
        }
    }
}
