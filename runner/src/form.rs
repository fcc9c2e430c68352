//! `multipart/form-data` (RFC 7578): parts in, bytes out. A form can be a part of a form, as Pages wants its Workers.

/// The longest commit message that Pages keeps, in bytes (wrangler cuts there too).
const MESSAGE_MAX: usize = 384;

/// A form in the making.
pub(crate) struct Form {
    boundary: String,
    bytes: Vec<u8>,
}

impl Form {
    pub(crate) fn new() -> Self {
        let random = getrandom::u64().unwrap_or(0x5eed);
        Self { boundary: format!("----crossfade-{random:016x}{:08x}", std::process::id()), bytes: Vec::new() }
    }

    /// A field. Its line breaks become those of forms, as the HTML standard wants it of text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        let value = value.replace("\r\n", "\n").replace('\n', "\r\n");
        self.part(&format!("name=\"{}\"", quoted(name)), None, value.as_bytes());
    }

    /// A file whose name is its field's.
    pub(crate) fn file(&mut self, name: &str, bytes: &[u8]) {
        self.module(name, "application/octet-stream", bytes);
    }

    /// A file of a type.
    pub(crate) fn module(&mut self, name: &str, content_type: &str, bytes: &[u8]) {
        let name = quoted(name);
        self.part(&format!("name=\"{name}\"; filename=\"{name}\""), Some(content_type), bytes);
    }

    /// The `Content-Type` and the body.
    pub(crate) fn finish(mut self) -> (String, Vec<u8>) {
        self.bytes.extend(format!("--{}--\r\n", self.boundary).into_bytes());
        (format!("multipart/form-data; boundary={}", self.boundary), self.bytes)
    }

    fn part(&mut self, disposition: &str, content_type: Option<&str>, content: &[u8]) {
        let mut head = format!("--{}\r\nContent-Disposition: form-data; {disposition}\r\n", self.boundary);
        if let Some(content_type) = content_type {
            head.push_str(&format!("Content-Type: {content_type}\r\n"));
        }
        head.push_str("\r\n");
        self.bytes.extend(head.into_bytes());
        self.bytes.extend(content);
        self.bytes.extend(b"\r\n");
    }
}

/// How the HTML standard writes names
/// (<https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data>).
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// As much of a commit message as Pages keeps.
pub(crate) fn shorten(message: &str) -> &str {
    message.get(..message.floor_char_boundary(MESSAGE_MAX)).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_separated_and_names_cannot_break_out() {
        let mut form = Form::new();
        form.text("branch", "ma\nin");
        form.file("a\"\r\nX: y", b"\x00\xff");
        let (content_type, body) = form.finish();
        let boundary = content_type.split("boundary=").nth(1).unwrap();
        let text = String::from_utf8_lossy(&body);
        assert_eq!(text.matches(&format!("--{boundary}\r\n")).count(), 2);
        assert!(text.ends_with(&format!("--{boundary}--\r\n")));
        assert!(text.contains("name=\"branch\"\r\n\r\nma\r\nin\r\n"));
        assert!(text.contains("filename=\"a%22%0D%0AX: y\""));
    }

    #[test]
    fn messages_are_cut_between_characters() {
        assert_eq!(shorten("one\ntwo"), "one\ntwo");
        let long = "é".repeat(300);
        assert_eq!(shorten(&long).len(), 384);
    }
}
