//! What is measured in numbers: who was served by whom, how many requests failed, how long they took.

use svg::node::element::path::Data;
use svg::node::element::{Circle, Path};

use super::geometry::{Axis, linear_ticks, logarithmic_ticks};
use super::{Canvas, GAP, round, title};
use crate::report::percent;
use crate::story::evidence::{Measurement, Side};

/// With more points than this a curve has no dots.
const DOTS_MAX: usize = 80;

/// Which of the two.
#[derive(Clone, Copy)]
enum Of {
    New,
    Old,
}

impl Of {
    const BOTH: [Self; 2] = [Self::New, Self::Old];

    const fn class(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Old => "old",
        }
    }

    const fn side(self, measurement: &Measurement) -> &Side {
        match self {
            Self::New => &measurement.canary,
            Self::Old => &measurement.stable,
        }
    }
}

/// The new version's share of the visitors.
pub(super) fn weights(canvas: &mut Canvas<'_>) {
    const HEIGHT: f64 = 84.0;
    heading(canvas, "visitors by version");
    let (top, bottom) = (canvas.y, canvas.y + HEIGHT);
    let axis = Axis::linear((0.0, 1.0), (bottom, top));
    let ticks = [0.0, 0.5, 1.0].map(|share| (share, percent(share)));
    let (left, right) = (canvas.time.left(), canvas.time.right());
    // A staircase: a share holds until the next one.
    let mut stairs = vec![(left, bottom)];
    for shares in &canvas.story.shares {
        let (x, y) =
            (canvas.time.at(shares.at), axis.at(f64::from(shares.of(&canvas.story.version)) / 10_000.0));
        let before = stairs.last().map_or(bottom, |(_, y)| *y);
        stairs.extend([(x, before), (x, y)]);
    }
    stairs.push((right, stairs.last().map_or(bottom, |(_, y)| *y)));
    // Before the first release ever nobody served.
    let old = canvas.story.stable_version.as_ref().map(|_| (Of::Old, top));
    for (of, edge) in [(Of::New, bottom)].into_iter().chain(old) {
        let around = stairs.iter().copied().chain([(right, edge), (left, edge)]);
        canvas.add(path(around).set("class", format!("area {}", of.class())));
    }
    canvas.frame(HEIGHT, &axis, &ticks);
    canvas.add(path(stairs).set("class", "curve new"));
    canvas.y = bottom + GAP;
}

/// The share of requests that failed.
pub(super) fn errors(canvas: &mut Canvas<'_>) {
    const HEIGHT: f64 = 96.0;
    /// A scale is at least so high: one error in many must not look like a fire.
    const SCALE_MIN: f64 = 0.01;
    let of = |of: Of| curve(canvas, |measurement| of.side(measurement).error_rate());
    let curves = Of::BOTH.map(of);
    let most = curves.iter().flatten().filter_map(|(_, rate, _)| *rate).fold(SCALE_MIN, f64::max);
    if canvas.story.measurements.is_empty() {
        return;
    }
    heading(canvas, "failed requests");
    let ticks = linear_ticks(most);
    let axis = Axis::linear((0.0, ticks.last().copied().unwrap_or(most)), (canvas.y + HEIGHT, canvas.y));
    let ticks: Vec<(f64, String)> = ticks.into_iter().map(|tick| (tick, percent(tick))).collect();
    canvas.frame(HEIGHT, &axis, &ticks);
    for (of, points) in Of::BOTH.into_iter().zip(curves).rev() {
        draw(canvas, &axis, &points, of.class(), true);
    }
    canvas.y += HEIGHT + GAP;
}

/// Times to first byte.
pub(super) fn latency(canvas: &mut Canvas<'_>) {
    const HEIGHT: f64 = 120.0;
    type Percentile = (&'static str, fn(&Side) -> Option<f64>);
    const PERCENTILES: [Percentile; 3] =
        [("p50", |side| side.p50_ms), ("p95", |side| side.p95_ms), ("p99", |side| side.p99_ms)];
    let curves: Vec<(String, Points)> = Of::BOTH
        .into_iter()
        .rev()
        .flat_map(|of| PERCENTILES.map(|(name, value)| (of, name, value)))
        .map(|(of, name, value)| {
            let positive = |side: &Side| value(side).filter(|millis| *millis > 0.0);
            (format!("{} {name}", of.class()), curve(canvas, |measurement| positive(of.side(measurement))))
        })
        .collect();
    let values = || curves.iter().flat_map(|(_, points)| points).filter_map(|(_, value, _)| *value);
    let (Some(least), Some(most)) = (values().reduce(f64::min), values().reduce(f64::max)) else { return };
    heading(canvas, "time to first byte: p50 ─, p95 ╌, p99 ┈");
    let ticks = logarithmic_ticks(least, most);
    let ends = (ticks.first().copied().unwrap_or(least), ticks.last().copied().unwrap_or(most));
    let axis = Axis::logarithmic(ends, (canvas.y + HEIGHT, canvas.y));
    let ticks: Vec<(f64, String)> = ticks.into_iter().map(|tick| (tick, in_time(tick))).collect();
    canvas.frame(HEIGHT, &axis, &ticks);
    for (class, points) in &curves {
        draw(canvas, &axis, points, class, false);
    }
    canvas.y += HEIGHT + GAP;
}

/// Where, how much, and what it is of.
type Points = Vec<(f64, Option<f64>, String)>;

fn curve(canvas: &Canvas<'_>, value: impl Fn(&Measurement) -> Option<f64>) -> Points {
    let point = |measurement: &Measurement| {
        let value = value(measurement);
        (canvas.time.at(measurement.at), value, measurement.at.to_string())
    };
    canvas.story.measurements.iter().map(point).collect()
}

/// A curve with a gap where nothing is known.
fn draw(canvas: &mut Canvas<'_>, axis: &Axis, points: &Points, class: &str, rates: bool) {
    let mut piece: Vec<(f64, f64)> = Vec::new();
    let mut pieces = Vec::new();
    for (x, value, _) in points {
        match value {
            Some(value) => piece.push((*x, axis.at(*value))),
            None => pieces.push(std::mem::take(&mut piece)),
        }
    }
    pieces.push(piece);
    for piece in pieces.into_iter().filter(|piece| piece.len() > 1) {
        canvas.add(path(piece).set("class", format!("curve {class}")));
    }
    if points.len() > DOTS_MAX {
        return;
    }
    for (x, value, at) in points {
        let Some(value) = value else { continue };
        let said = if rates { percent(*value) } else { in_time(*value) };
        let dot = Circle::new().set("cx", round(*x)).set("cy", round(axis.at(*value))).set("r", 2);
        canvas.add(dot.set("class", class).add(title(&format!("{at}: {said}"))));
    }
}

fn path(points: impl IntoIterator<Item = (f64, f64)>) -> Path {
    let data = points.into_iter().enumerate().fold(Data::new(), |data, (nth, (x, y))| {
        let place = (round(x), round(y));
        if nth == 0 { data.move_to(place) } else { data.line_to(place) }
    });
    Path::new().set("d", data)
}

fn heading(canvas: &mut Canvas<'_>, what: &str) {
    let new = format!("  ■ {}", short(&canvas.story.version));
    let old = canvas.story.stable_version.as_deref().map(|version| format!("  ■ {}", short(version)));
    canvas.heading(what, &[("new", &new), ("old", old.as_deref().unwrap_or_default())]);
}

/// A version's name, with an end.
fn short(name: &str) -> String {
    super::lanes::cut(name, 16)
}

/// `40 ms`, `1.5 s`.
pub(in crate::story) fn in_time(millis: f64) -> String {
    if millis >= 1000.0 {
        format!("{} s", (millis / 100.0).round() / 10.0)
    } else if millis >= 10.0 {
        format!("{millis:.0} ms")
    } else {
        format!("{} ms", (millis * 10.0).round() / 10.0)
    }
}
