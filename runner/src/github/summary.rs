//! The step's summary: what a release came to, as people read it on the workflow run's page.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::chart;
use crate::story::Story;
use crate::summary::markdown;

/// GitHub takes 1 MiB for a step, and nothing of what is more
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits>).
const SIZE_MAX: usize = 1024 * 1024;
/// What is left of that for whoever adds to it.
const SPARE: usize = 100 * 1024;
const CUT: &str = "\n\n… cut: GitHub takes no more. The report has all of it.\n";

/// The file that the runner reads the summary from.
pub(super) struct Summary {
    path: Option<PathBuf>,
    written: AtomicBool,
}

impl Summary {
    pub(super) const fn new(path: Option<PathBuf>) -> Self {
        Self { path, written: AtomicBool::new(false) }
    }

    /// Adds a text to what others have written, unless there is one of ours already.
    pub(super) fn write_once(&self, text: &str) {
        let Some(path) = &self.path else { return };
        if self.written.swap(true, Ordering::Relaxed) {
            return;
        }
        let there =
            std::fs::metadata(path).map_or(0, |file| usize::try_from(file.len()).unwrap_or(usize::MAX));
        let text = cut(text, SIZE_MAX.saturating_sub(SPARE).saturating_sub(there));
        if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path) {
            let _ = file.write_all(text.as_bytes());
        }
    }
}

/// Of a release that has ended.
pub(super) fn of(story: &Story, report: Option<&Path>, run_url: Option<&str>) -> String {
    let mut text = story.markdown_around(&chart::of(story));
    if let Some(report) = report {
        let run = run_url.map_or_else(String::new, |url| format!(" of [this run]({url}#artifacts)"));
        text.push_str(&format!(
            "\nThe full report is in {}: `report.html`, and every event in `events.ndjson`. `actions/upload-artifact` keeps it \
             among the artifacts{run}.\n",
            markdown(&report.to_string_lossy())
        ));
    }
    text
}

/// Of a command that did not do what it was asked to. The first line says what happened.
pub(super) fn of_failure(text: &str) -> String {
    let mut lines = text.lines().map(str::trim);
    let first = lines.next().unwrap_or_default();
    let more: String = lines.map(|line| format!("{}\n\n", markdown(line))).collect();
    format!("## ❌ {}\n\n{more}", markdown(first))
}

/// Of what was asked: as it is shown, of which nothing is markup.
pub(super) fn of_answer(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// As many whole lines as there is room for.
fn cut(text: &str, room: usize) -> String {
    if text.len() <= room {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(room.saturating_sub(CUT.len()));
    let whole = text.get(..end).and_then(|kept| kept.rfind('\n')).unwrap_or_default();
    format!("{}{CUT}", text.get(..whole).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::tests::record;

    fn story() -> Story {
        Story::of(&record(), str::to_owned)
    }

    #[test]
    fn people_read_the_outcome_first_and_then_how_it_went() {
        let text = of(
            &story(),
            Some(Path::new("/tmp/crossfade-1/report")),
            Some("https://github.example/acme/booking/actions/runs/17"),
        );
        assert!(text.starts_with("## ❌ 1.5.0 to production: rolled back\n"), "{text}");
        insta::assert_snapshot!("summary", text);
    }

    #[test]
    fn there_is_one_and_it_fits_beside_what_others_wrote() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("summary");
        std::fs::write(&path, "somebody's own\n").unwrap();
        let summary = Summary::new(Some(path.clone()));
        summary.write_once(&"| ü | a row |\n".repeat(200_000));
        summary.write_once("too late");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.len() < SIZE_MAX && text.len() > SIZE_MAX - 2 * SPARE, "{}", text.len());
        assert!(text.starts_with("somebody's own\n| ü | a row |\n") && text.ends_with(CUT));
    }

    #[test]
    fn a_failure_says_what_happened_and_nothing_of_it_is_markup() {
        let text = of_failure("cannot <b>read</b> `x`\n  because: [no](https://evil.example)\nhint: look");
        assert_eq!(
            text,
            "## ❌ cannot &lt;b&gt;read&lt;/b&gt; \\`x\\`\n\nbecause: \\[no\\](https:&#47;&#47;evil.example)\n\nhint: look\n\n"
        );
    }
}
