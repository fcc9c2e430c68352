//! What a command prints: shown as it comes, its end kept, no secret in either.

use std::io::{Read, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::beside::Beside;
use crate::cancel::Cancel;
use crate::context::Context;
use crate::github;

/// How much of an answer's or an output's end is kept for the record.
pub(super) const KEPT_MAX: usize = 4 * 1024;
/// A line longer than this is shown before it ends.
const LINE_MAX: usize = 16 * 1024;
/// What is held back of such a line: more than any secret has, so that none is cut in two and not recognised.
const HELD_BACK: usize = 4 * 1024;
/// What is left running in the background may keep the pipe open for ever; what was printed is there long before.
const END_WITHIN: Duration = Duration::from_secs(1);

/// The output of one command: its streams are read side by side.
#[derive(Clone)]
pub(super) struct Output {
    context: Arc<Context>,
    kept: Arc<Mutex<Kept>>,
    show: Arc<dyn Fn(&str) + Send + Sync>,
}

/// What is left of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// The last lines.
    pub(crate) tail: String,
    /// What `retry-after: 30` on standard output says, the last time that it does.
    pub(super) retry_after: Option<Duration>,
    /// The last line of standard output that is not blank.
    pub(crate) last_line: String,
}

/// Which of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Output {
    /// What is printed is shown by `show`.
    pub(super) fn new(context: Arc<Context>, show: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { context, kept: Arc::default(), show: Arc::new(show) }
    }

    /// Begins to read a stream.
    pub(super) fn follow(&self, stream: Stream, mut from: impl Read + Send + 'static) -> Beside<()> {
        let output = self.clone();
        Beside::start(move || {
            let mut pending = Vec::new();
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                pending.extend_from_slice(buffer.get(..count).unwrap_or_default());
                output.take(stream, &ready(&mut pending, &output.context));
            }
            output.take(stream, &output.context.redact(&String::from_utf8_lossy(&pending)));
        })
    }

    /// Waits for the streams' ends, and says what is left of them.
    pub(super) fn end(&self, streams: impl IntoIterator<Item = Beside<()>>) -> Kept {
        for stream in streams {
            let _ = stream.wait(&Cancel::default(), Some(END_WITHIN));
        }
        self.kept().clone()
    }

    fn take(&self, stream: Stream, text: &str) {
        (self.show)(text);
        let mut kept = self.kept();
        kept.tail = end_of(&format!("{}{text}", kept.tail)).to_owned();
        if stream == Stream::Stdout {
            if let Some(line) = text.lines().map(str::trim).rfind(|line| !line.is_empty()) {
                line.clone_into(&mut kept.last_line);
            }
            kept.retry_after = text.lines().filter_map(retry_after).next_back().or(kept.retry_after);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Standard output is ours: programs read events there. A job's log is one stream, in which `title` says whose text it is.
pub(super) fn on_standard_error(title: &str, text: &str) {
    let text = match github::job() {
        Some(job) if job.foreign(title, text) => return,
        // The runner reads standard error as well.
        Some(_) => &github::inert(text),
        None => text,
    };
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Takes what can be shown: whole lines, redacted, and of a line without end all but its last part.
fn ready(pending: &mut Vec<u8>, context: &Context) -> String {
    let lines = pending.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
    let whole: Vec<u8> = pending.drain(..lines).collect();
    let mut text = context.redact(&String::from_utf8_lossy(&whole));
    if pending.len() > LINE_MAX {
        let redacted = context.redact(&String::from_utf8_lossy(pending));
        let (shown, held) = redacted.split_at(redacted.floor_char_boundary(redacted.len() - HELD_BACK));
        text.push_str(shown);
        *pending = held.as_bytes().to_vec();
    }
    text
}

/// The last [`KEPT_MAX`] bytes of a text, from a whole character on.
pub(super) fn end_of(text: &str) -> &str {
    let from = text.ceil_char_boundary(text.len().saturating_sub(KEPT_MAX));
    text.get(from..).unwrap_or_default()
}

fn retry_after(line: &str) -> Option<Duration> {
    let (name, value) = line.split_once(':')?;
    let seconds = value.trim().parse().ok()?;
    name.trim().eq_ignore_ascii_case("retry-after").then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn context() -> Arc<Context> {
        let context = Context::new("1.5.0", "rel-1");
        Arc::new(context.with_environment(["{{env.SECRET}}".into()], |_| Some("hunter22".into())))
    }

    fn kept(stream: Stream, text: impl Into<Vec<u8>>) -> Kept {
        let output = Output::new(context(), |_| ());
        let following = output.follow(stream, Cursor::new(text.into()));
        output.end([following])
    }

    #[test]
    fn the_end_is_kept_without_secrets() {
        let said = kept(Stream::Stderr, "first\nthe secret is hunter22\nlast, without a line's end");
        assert_eq!(said.tail, "first\nthe secret is ***\nlast, without a line's end");
        let long = kept(Stream::Stdout, format!("begin\n{}ü\nend\n", "x".repeat(KEPT_MAX - 6)));
        assert!(long.tail.ends_with("ü\nend\n") && long.tail.len() <= KEPT_MAX, "{}", long.tail.len());
        assert!(!long.tail.contains("begin"));
    }

    #[test]
    fn a_secret_is_found_wherever_a_line_without_end_is_cut() {
        for before in LINE_MAX - HELD_BACK - 10..LINE_MAX - HELD_BACK + 10 {
            let mut pending = vec![b'x'; before];
            pending.extend_from_slice(b"hunter22");
            pending.resize(LINE_MAX + 1, b'y');
            let shown = ready(&mut pending, &context());
            let rest = String::from_utf8(pending).unwrap();
            let all = format!("{shown}{rest}");
            assert!(shown.len() > LINE_MAX / 2 && all.contains("***") && !all.contains("hunter"), "{before}");
        }
        let mut half = b"hunt".to_vec();
        assert_eq!(ready(&mut half, &context()), "");
        half.extend_from_slice(b"er22\n");
        assert_eq!(ready(&mut half, &context()), "***\n");
    }

    #[test]
    fn the_last_line_of_standard_output_is_known() {
        let said = |stream, text: &str| kept(stream, text).last_line;
        assert_eq!(said(Stream::Stdout, "first\n  https://a.example  \n\n"), "https://a.example");
        assert_eq!(said(Stream::Stdout, "first\nhttps://b.example"), "https://b.example");
        assert_eq!(said(Stream::Stderr, "https://c.example\n"), "");
    }

    #[test]
    fn a_command_says_on_standard_output_when_to_ask_again() {
        let seconds = |stream, text: &str| kept(stream, text).retry_after.map(|after| after.as_secs());
        assert_eq!(seconds(Stream::Stdout, "waiting\nRetry-After: 30\n"), Some(30));
        assert_eq!(seconds(Stream::Stdout, "retry-after:1\nretry-after: 2\nmore"), Some(2));
        assert_eq!(seconds(Stream::Stderr, "retry-after: 30\n"), None);
        assert_eq!(seconds(Stream::Stdout, "retry-after: soon\n"), None);
    }
}
