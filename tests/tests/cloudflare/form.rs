//! `multipart/form-data` as it stood on the wire: bytes in, parts out, a form within a form too.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Names in lower case, and values.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Part {
    /// The name of its field.
    pub(crate) fn name(&self) -> &str {
        let disposition = &self.headers["content-disposition"];
        disposition.split("; name=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The parts of a form, in their order. Its boundary is its first line, as in `_worker.bundle`.
#[track_caller]
pub(crate) fn parts(form: &[u8]) -> Vec<Part> {
    let boundary = form.split(|byte| *byte == b'\r').next().unwrap().to_vec();
    assert!(boundary.starts_with(b"--"), "no form: {}", String::from_utf8_lossy(form));
    // The first delimiter has no line break in front of it, all others have.
    let delimiter = [b"\r\n".as_slice(), &boundary].concat();
    let whole = [b"\r\n".as_slice(), form].concat();
    let mut pieces = split(&whole, &delimiter);
    assert_eq!(pieces.pop().as_deref(), Some(b"--\r\n".as_slice()), "the form does not end");
    pieces.iter().skip(1).map(|piece| part(piece)).collect()
}

/// A form in which boundaries, the order of a manifest's lines and the random names of what wrangler compiled do not count.
pub(crate) fn without_layout(form: &[Part]) -> Vec<(Value, Value)> {
    let content = |part: &Part| match part.name() {
        "manifest" => serde_json::from_slice(&part.body).unwrap(),
        "_worker.bundle" => json!(without_layout(&parts(&part.body))),
        _ => json!(without_random_names(&part.text())),
    };
    form.iter()
        .map(|part| (json!(without_random_names(&json!(part.headers).to_string())), content(part)))
        .collect()
}

/// What wrangler compiled, without its random names: `functionsWorker-0.123.js`, and comments with temporary paths.
fn without_random_names(text: &str) -> String {
    let lines = text.split_inclusive('\n').filter(|line| !line.starts_with("// ")).collect::<String>();
    let mut pieces = lines.split("functionsWorker-0.");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        text + "functionsWorker" + piece.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

#[track_caller]
fn part(piece: &[u8]) -> Part {
    let piece = piece.strip_prefix(b"\r\n").expect("a delimiter ends its line");
    let end = piece.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a part has a head");
    let head = std::str::from_utf8(&piece[..end]).unwrap();
    let headers = head.split("\r\n").map(|line| {
        let (name, value) = line.split_once(": ").expect("a header line");
        (name.to_lowercase(), value.to_owned())
    });
    Part { headers: headers.collect(), body: piece[end + 4..].to_vec() }
}

fn split(bytes: &[u8], delimiter: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(delimiter.len()).position(|window| window == delimiter) {
        pieces.push(rest[..at].to_vec());
        rest = &rest[at + delimiter.len()..];
    }
    pieces.push(rest.to_vec());
    pieces
}

#[test]
fn a_form_is_read_to_the_byte() {
    let form = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n2\r\n--b\r\n\
                content-disposition: form-data; name=\"_f\"; filename=\"_f\"\r\nContent-Type: x/y\r\n\r\n\r\n--b--\r\n";
    let read = parts(form.as_bytes());
    assert_eq!(
        read.iter().map(|part| (part.name(), part.text())).collect::<Vec<_>>(),
        [("a", "1\r\n2".to_owned()), ("_f", String::new())]
    );
    assert_eq!(read[1].headers["content-type"], "x/y");
}
