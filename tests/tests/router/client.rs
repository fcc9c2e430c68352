//! A visitor's connection: the bytes that go out are the test's own, the answer comes back as it stood on the wire.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crossfade_tests::origin::wire::{self, Head, header};

/// No answer may take longer; a test that meets this has found a request that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection that is kept from request to request.
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    authority: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names and values in their order; each byte a character.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of that name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// All headers of that name, in their order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Our header, which must be there exactly once.
    #[track_caller]
    pub(crate) fn crossfade(&self) -> &str {
        let all = self.all("crossfade");
        assert_eq!(all.len(), 1, "the answer must have one `crossfade` header: {self:?}");
        all[0]
    }

    /// The variant that our header names.
    #[track_caller]
    pub(crate) fn variant(&self) -> &str {
        let named = self.crossfade().strip_prefix("variant=\"").and_then(|rest| rest.split('"').next());
        named.unwrap_or_else(|| panic!("no variant in {self:?}"))
    }

    /// The revision that our header names.
    #[track_caller]
    pub(crate) fn revision(&self) -> u64 {
        let named = self.crossfade().split_once("revision=").map(|(_, rest)| rest);
        let digits = named.and_then(|rest| rest.split(',').next()).and_then(|digits| digits.parse().ok());
        digits.unwrap_or_else(|| panic!("no revision in {self:?}"))
    }
}

impl Client {
    /// Connects to `http://HOST:PORT`.
    pub(crate) fn connect(url: &str) -> Self {
        let authority = url.strip_prefix("http://").unwrap().to_owned();
        let stream = TcpStream::connect(&authority).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { reader: BufReader::new(stream), authority }
    }

    /// Sends bytes as they are. A peer that has closed shows when the answer is read.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) {
        let _ = self.reader.get_ref().write_all(bytes.as_ref());
    }

    /// Sends bytes until the peer takes no more for a while, or `most` are gone; how many went.
    pub(crate) fn fill(&self, most: usize) -> usize {
        wire::fill(self.reader.get_ref(), most)
    }

    /// Sends a request; its length is added when there is a body.
    pub(crate) fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("host: {}\r\n", self.authority);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!("content-length: {}\r\n", body.len());
        }
        // Each character a byte, as in what is read.
        let mut bytes: Vec<u8> =
            format!("{head}\r\n").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        bytes.extend_from_slice(body);
        self.send(bytes);
    }

    /// Reads the head of an answer; its body is read by [`Client::body`].
    #[track_caller]
    pub(crate) fn head(&mut self) -> (u16, Head) {
        let head = Head::read(&mut self.reader).unwrap_or_else(|error| panic!("no answer: {error}"));
        let head = head.expect("the connection was closed without an answer");
        let status = head.first_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.unwrap_or_else(|| panic!("no status: {}", head.first_line)), head)
    }

    /// Hands over the body that follows a head, piece by piece as it arrives; an error when it breaks off.
    pub(crate) fn body(&mut self, head: &Head, arrived: impl FnMut(&[u8])) -> io::Result<()> {
        head.read_body(&mut self.reader, true, arrived)
    }

    /// Reads a whole answer.
    #[track_caller]
    pub(crate) fn answer(&mut self, method: &str) -> Answer {
        let (status, head) = self.head();
        let mut body = Vec::new();
        if method != "HEAD" && ![204, 304].contains(&status) && status >= 200 {
            self.body(&head, |bytes| body.extend_from_slice(bytes))
                .unwrap_or_else(|error| panic!("the body broke off: {error}; {head:?}"));
        }
        Answer { status, headers: head.headers, body }
    }

    /// One request and its answer.
    #[track_caller]
    pub(crate) fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.request(method, target, headers, body);
        self.answer(method)
    }

    /// A GET and its answer.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", target, headers, b"")
    }

    /// Reads until the bytes read so far, framing included, contain `wanted`.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: &str) {
        let mut seen = Vec::new();
        while !seen.windows(wanted.len()).any(|window| window == wanted.as_bytes()) {
            let mut byte = [0];
            let read = self.reader.read(&mut byte).unwrap_or_else(|error| panic!("no `{wanted}`: {error}"));
            assert_eq!(read, 1, "closed before `{wanted}`: {}", String::from_utf8_lossy(&seen));
            seen.push(byte[0]);
        }
    }

    /// Says that no more bytes will come, and reads all that is answered.
    pub(crate) fn finish(mut self) -> String {
        let _ = self.reader.get_ref().shutdown(Shutdown::Write);
        let mut bytes = Vec::new();
        let _ = self.reader.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
