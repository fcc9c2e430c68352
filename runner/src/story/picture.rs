//! The picture of a release: weights, error rates, percentiles, verdicts, phases and hooks above one another on one time axis.
//!
//! It is drawn for a width: a telephone gets another drawing than a desk, not a smaller one. Colours are classes; the page, or
//! [`STYLE`] in a picture that stands alone, gives them values for dark and light. What a colour says, a mark or a word says too.

use svg::node::element::{Element, Group, Rectangle, Style, TSpan, Text, Title};
use svg::{Document, Node as _};

use super::Story;

mod geometry;
mod lanes;
mod panels;

use geometry::{Axis, TimeAxis, clock};
pub(super) use panels::in_time;

/// How wide it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// For a desk.
    Wide,
    /// For a telephone.
    Narrow,
}

/// The classes' colours, in light and in dark.
pub(super) const STYLE: &str = include_str!("picture/style.css");

/// Room for the next thing below what is drawn.
const GAP: f64 = 14.0;
/// The height of a line of text.
const LINE: f64 = 16.0;

/// The characters of a heading that have room on a telephone.
const LINE_MAX: usize = 44;

/// What is free on the right of everything.
const MARGIN_MIN: f64 = 10.0;

/// What is drawn on.
struct Canvas<'a> {
    story: &'a Story,
    width: Width,
    time: TimeAxis,
    /// Where the next thing begins.
    y: f64,
    drawn: Group,
}

/// A picture to be put into a page, or `alone`, with its own style.
pub(super) fn draw(story: &Story, width: Width, alone: bool) -> String {
    let (across, left, right) = match width {
        Width::Wide => (960.0, 168.0, 14.0),
        Width::Narrow => (380.0, 54.0, 10.0),
    };
    let time = TimeAxis::new((story.started_at, story.until), (left, across - right));
    let mut canvas = Canvas { story, width, time, y: 4.0, drawn: Group::new() };
    panels::weights(&mut canvas);
    panels::errors(&mut canvas);
    panels::latency(&mut canvas);
    lanes::verdicts(&mut canvas);
    lanes::bars(&mut canvas);
    lanes::notes(&mut canvas);
    canvas.time_axis();
    let height = canvas.y.ceil();
    let name = format!("Release {} of {}: {}", story.release, story.version, story.outcome());
    let mut document = Document::new()
        .set("viewBox", (0, 0, across as u32, height as u32))
        .set("role", "img")
        .set("aria-label", format!("{name}. The tables below say the same in words."))
        .set("class", "picture")
        .add(title(&name));
    if alone {
        document = document.set("width", across as u32).set("height", height as u32).add(Style::new(STYLE));
        document =
            document.add(Rectangle::new().set("class", "ground").set("width", "100%").set("height", "100%"));
    }
    // Named so that `Node::append` is the one that is meant.
    document.append(canvas.drawn);
    document.to_string()
}

impl Canvas<'_> {
    fn add(&mut self, element: impl Into<Element>) {
        self.drawn.append(element.into());
    }

    /// A heading above what comes next; what explains it is below it where there is no room beside it.
    fn heading(&mut self, what: &str, beside: &[(&str, &str)]) {
        let x = round(self.time.left());
        let span = |class: &str, text: &str| TSpan::new(text).set("class", class);
        let mut heading = Text::new("").set("x", x).set("y", round(self.y + 11.0)).set("class", "heading");
        heading.append(span("what", what));
        let length =
            beside.iter().map(|(_, text)| text.chars().count()).sum::<usize>() + what.chars().count();
        if self.width == Width::Narrow && length > LINE_MAX {
            self.add(std::mem::replace(&mut heading, Text::new("").set("class", "heading")));
            self.y += LINE - 2.0;
            heading = heading.set("x", x).set("y", round(self.y + 11.0));
        }
        for (class, text) in beside {
            heading.append(span(class, text));
        }
        self.add(heading);
        self.y += LINE + 4.0;
    }

    fn text(&mut self, (x, y): (f64, f64), class: &str, text: &str) {
        self.add(Text::new(text).set("x", round(x)).set("y", round(y)).set("class", class));
    }

    /// The frame of a panel so high, with a line and a label a tick.
    fn frame(&mut self, height: f64, axis: &Axis, ticks: &[(f64, String)]) {
        let (left, right) = (self.time.left(), self.time.right());
        for (value, label) in ticks {
            let y = axis.at(*value);
            self.add(line((left, y), (right, y), "grid"));
            self.text((left - 6.0, y + 4.0), "tick end", label);
        }
        for at in self.changes() {
            self.add(line((at, self.y), (at, self.y + height), "change"));
        }
    }

    /// Where weights changed.
    fn changes(&self) -> Vec<f64> {
        self.story.shares.iter().map(|shares| self.time.at(shares.at)).collect()
    }

    fn time_axis(&mut self) {
        let (left, right, y) = (self.time.left(), self.time.right(), self.y);
        self.add(line((left, y), (right, y), "axis"));
        let most = match self.width {
            Width::Wide => 9,
            Width::Narrow => 4,
        };
        let (ticks, precise) = self.time.ticks(most);
        for tick in ticks {
            let x = self.time.at(tick);
            self.add(line((x, y), (x, y + 4.0), "axis"));
            let label = clock(tick, precise);
            let half = text_width(&label) / 2.0;
            // The last one must not stick out; fonts differ, and the widths here are only estimates.
            let end = right + MARGIN_MIN - 2.0;
            if x + half > end - 2.0 {
                self.text((end, y + 17.0), "tick end", &label);
            } else {
                self.text((x, y + 17.0), "tick middle", &label);
            }
        }
        self.text(
            (left, y + 33.0),
            "tick",
            &format!("{} UTC", self.story.started_at.to_string().get(..10).unwrap_or_default()),
        );
        self.y += 40.0;
    }
}

fn line((x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) -> svg::node::element::Line {
    svg::node::element::Line::new()
        .set("x1", round(x1))
        .set("y1", round(y1))
        .set("x2", round(x2))
        .set("y2", round(y2))
        .set("class", class)
}

/// What is shown when a pointer rests on it.
fn title(text: &str) -> Title {
    Title::new(text)
}

/// How wide a small text is at most, whatever the font: fonts are the reader's.
fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * 7.0
}

/// A tenth of a pixel is fine enough, and the same on every machine.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
