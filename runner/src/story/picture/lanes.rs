//! What happened: verdicts, phases and hooks, alerts, each at its time.

use svg::node::element::Rectangle;

use super::geometry::clock;
use super::{Canvas, GAP, LINE, Width, line, round, text_width, title};
use crate::report::seconds;
use crate::story::evidence::{Bar, Kind, Measurement, Result, Verdict};

/// The rows of phases and hooks; the page's table has all.
const ROWS_MAX: usize = 28;

/// Each measurement as a line, and each time of one verdict as a field.
pub(super) fn verdicts(canvas: &mut Canvas<'_>) {
    const HEIGHT: f64 = 18.0;
    let measurements = &canvas.story.measurements;
    if measurements.is_empty() {
        return;
    }
    let changes = measurements.chunk_by(|one, next| one.verdict == next.verdict);
    let runs: Vec<&[Measurement]> = changes.collect();
    canvas.heading("verdicts", &[("plain", "  ✓ pass  ✗ fail  ? not enough yet  ‖ hold  ! not measured")]);
    // Above the lane there is room for the marks of what was short.
    canvas.y += 8.0;
    let y = canvas.y;
    for (nth, run) in runs.iter().enumerate() {
        let [first, ..] = run else { continue };
        let last = run.last().unwrap_or(first);
        let end = runs.get(nth + 1).and_then(|next| next.first()).map_or(last.at, |next| next.at);
        let (from, to) = (canvas.time.at(first.at), canvas.time.at(end));
        let width = (to - from).max(3.0);
        let (mark, said) = last.verdict.said();
        let class = class(last.verdict);
        let field = Rectangle::new()
            .set("x", round(from))
            .set("y", round(y))
            .set("width", round(width))
            .set("height", HEIGHT);
        let told = format!("{}: {said}. {}", last.at, last.why);
        canvas.add(field.set("class", format!("{class} soft")).add(title(&told)));
        for measurement in *run {
            let x = canvas.time.at(measurement.at);
            canvas.add(line((x, y + HEIGHT), (x, y + HEIGHT + 5.0), "axis"));
        }
        if width >= 10.0 {
            canvas.text((from + width / 2.0, y + 13.0), &format!("mark {class}"), mark);
        } else {
            canvas.text((from + 1.5, y - 1.0), &format!("mark {class}"), mark);
        }
    }
    canvas.y += HEIGHT + 6.0 + GAP;
}

const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::Fail => "bad",
        Verdict::Inconclusive | Verdict::Error => "wait",
        Verdict::Hold => "hold",
    }
}

/// Phases and hooks, each name in a row of its own.
pub(super) fn bars(canvas: &mut Canvas<'_>) {
    let rows = rows(&canvas.story.bars);
    if rows.is_empty() {
        return;
    }
    canvas.heading("phases, gates and hooks", &[("plain", "  how long each took")]);
    for bars in rows.iter().take(ROWS_MAX) {
        row(canvas, bars);
    }
    if rows.len() > ROWS_MAX {
        let text = format!("… and {} more, in the table", rows.len() - ROWS_MAX);
        canvas.text((canvas.time.left(), canvas.y + 11.0), "tick", &text);
        canvas.y += LINE;
    }
    canvas.y += GAP;
}

/// Those of one name together, in the order in which the first of each began.
fn rows(bars: &[Bar]) -> Vec<Vec<&Bar>> {
    let mut rows: Vec<Vec<&Bar>> = Vec::new();
    for bar in bars {
        let same =
            |row: &&mut Vec<&Bar>| row.first().is_some_and(|it| (it.kind, &it.name) == (bar.kind, &bar.name));
        match rows.iter_mut().find(same) {
            Some(row) => row.push(bar),
            None => rows.push(vec![bar]),
        }
    }
    rows.sort_by_key(|row| row.first().map(|bar| bar.from));
    rows
}

fn row(canvas: &mut Canvas<'_>, bars: &[&Bar]) {
    const THICK: f64 = 10.0;
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return };
    let times = if bars.len() > 1 { format!(" × {}", bars.len()) } else { String::new() };
    let label = format!("{} {}{times}", last.result.said().0, seconds(last.to.since(last.from)));
    let begin = canvas.time.at(first.from);
    let end = canvas.time.at(last.to).max(canvas.time.at(last.from) + 2.0);
    let beside = Beside::of(&label, (begin, end), (canvas.time.left(), canvas.time.right()));
    let name = |most: usize| match beside {
        Beside::Right | Beside::Left => cut(&last.name, most),
        Beside::Nowhere => {
            format!("{} {label}", cut(&last.name, most.saturating_sub(label.chars().count() + 1)))
        }
    };
    match canvas.width {
        Width::Wide => canvas.text((canvas.time.left() - 6.0, canvas.y + 10.0), "tick end", &name(23)),
        Width::Narrow => {
            canvas.text((canvas.time.left(), canvas.y + 10.0), "tick", &name(46));
            canvas.y += 14.0;
        }
    }
    for bar in bars {
        let (from, to) = (canvas.time.at(bar.from), canvas.time.at(bar.to));
        let (_, said) = bar.result.said();
        let told = format!("{} {said} after {}: {}", bar.name, seconds(bar.to.since(bar.from)), bar.text);
        let drawn = Rectangle::new()
            .set("x", round(from))
            .set("y", round(canvas.y + 1.0))
            .set("width", round((to - from).max(2.0)))
            .set("height", THICK)
            .set("rx", 2)
            .set("class", format!("{} {}", kind(bar.kind), result(bar.result)));
        canvas.add(drawn.add(title(&told)));
    }
    match beside {
        Beside::Right => canvas.text((end + 4.0, canvas.y + 10.0), "tick", &label),
        Beside::Left => canvas.text((begin - 4.0, canvas.y + 10.0), "tick end", &label),
        Beside::Nowhere => {}
    }
    canvas.y += LINE;
}

/// Where there is room for how long a row's bars took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Right,
    Left,
    /// It stands behind the name.
    Nowhere,
}

impl Beside {
    fn of(label: &str, (begin, end): (f64, f64), (left, right): (f64, f64)) -> Self {
        let room = text_width(label) + 4.0;
        if end + room <= right {
            Self::Right
        } else if begin - room >= left {
            Self::Left
        } else {
            Self::Nowhere
        }
    }
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Phase => "phase",
        Kind::Hook => "hook",
        Kind::Gate => "gate",
    }
}

const fn result(result: Result) -> &'static str {
    match result {
        Result::Good => "good",
        Result::Bad => "bad",
        Result::Waiting => "wait",
    }
}

/// Alerts and warnings.
pub(super) fn notes(canvas: &mut Canvas<'_>) {
    if canvas.story.notes.is_empty() {
        return;
    }
    canvas.heading("alerts and warnings", &[("plain", "  ▲ raised  ! warning")]);
    let y = canvas.y;
    for note in &canvas.story.notes {
        let (mark, class) = if note.alert { ("▲", "mark bad") } else { ("!", "mark wait") };
        let x = canvas.time.at(note.at.min(canvas.time.end()));
        canvas.text((x, y + 10.0), class, mark);
        canvas.add(line((x, y + 12.0), (x, y + 16.0), "axis").add(title(&format!(
            "{}: {}",
            clock(note.at, true),
            note.text
        ))));
    }
    canvas.y += LINE + GAP;
}

/// A text with an end: at most so many characters.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
