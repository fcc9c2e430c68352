//! The view into a frame. Nothing is said by colour alone.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, LineGauge, Paragraph, Row as TableRow, Table, Wrap};

use super::View;
use super::view::Row;

/// How wide the bars of the split are.
const BAR: usize = 20;
/// From which width on there is room for them.
const WIDE: u16 = 100;
/// How wide the versions' column is at least; figures give way to it, the last of these first.
const VERSION: usize = 20;
const GIVE_WAY: [usize; 6] = [0, 2, 1, 4, 3, 5];
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

/// Draws it.
pub fn draw(view: &View, frame: &mut Frame<'_>) {
    let inner = frame.area().width.saturating_sub(2);
    let told = |texts: &[String]| texts.iter().map(|text| lines(wrapped(text, inner).len())).sum::<u16>();
    let rows = lines(view.rows.len()) + told(&view.missing) + 3;
    let release = told(&view.release) + told(&view.facts) + u16::from(view.gauge.is_some()) + 2;
    let foot = 1 + lines(keys(view).width()).div_ceil(frame.area().width.max(1));
    // Who serves whom comes first where there is no room for all; below three lines a block is its border alone.
    let mut left = frame.area().height.saturating_sub(foot);
    let mut take = |wanted: u16| {
        let taken = Some(wanted.min(left)).filter(|it| *it >= 3).unwrap_or_default();
        left -= taken;
        Constraint::Length(taken)
    };
    let [split, state, events, foot] =
        Layout::vertical([take(rows), take(release), take(u16::MAX), Constraint::Fill(1)])
            .areas(frame.area());
    draw_split(view, frame, split);
    draw_state(view, frame, state);
    draw_events(view, frame, events);
    draw_foot(view, frame, foot);
}

fn lines(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// A text in lines of this width, a few of them at most: why something failed stands at the end of a long sentence.
fn wrapped(text: &str, width: u16) -> Vec<String> {
    const MOST: usize = 6;
    let width = usize::from(width.max(1));
    let mut letters: Vec<char> = text.chars().collect();
    let mut told = Vec::new();
    while letters.len() > width && told.len() + 1 < MOST {
        let blank = letters[..=width].iter().rposition(|it| *it == ' ').filter(|at| *at > width / 2);
        let rest = letters.split_off(blank.unwrap_or(width));
        told.push(letters.into_iter().collect());
        letters = rest.into_iter().skip_while(|it| *it == ' ').collect();
    }
    told.push(letters.into_iter().collect());
    told
}

fn draw_split(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered().title(Span::styled(format!(" {} ", view.title), BOLD));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [table, missing] =
        Layout::vertical([Constraint::Length(lines(view.rows.len()) + 1), Constraint::Min(0)]).areas(inner);
    let bar = if area.width < WIDE { 0 } else { BAR };
    let over = format!("errors, {} s", view.over.as_secs());
    let head = ["version", "visitors", "requests", &over, "p50", "p95", "p99"].map(str::to_owned);
    let widths = [lines(bar) + 8, 9, 13, 7, 7, 7];
    let longest = view.rows.iter().map(|row| Line::raw(row.name()).width()).max().unwrap_or_default();
    let mut room = inner.width.saturating_sub(lines(longest.min(VERSION)));
    let mut shown = [true, false, false, false, false, false, false];
    for column in GIVE_WAY {
        let Some(rest) = room.checked_sub(widths[column] + 1) else { break };
        (room, shown[column + 1]) = (rest, true);
    }
    let only = |cells: [String; 7]| {
        TableRow::new(cells.into_iter().zip(shown).filter_map(|(cell, is)| is.then_some(cell)))
    };
    let lengths = widths.into_iter().zip(&shown[1..]).filter(|(_, is)| **is);
    let widths = [Constraint::Fill(1)].into_iter().chain(lengths.map(|(width, _)| Constraint::Length(width)));
    let rows = view.rows.iter().map(|row| only(cells(row, view, bar)).style(style(row)));
    frame.render_widget(Table::new(rows, widths).header(only(head).style(DIM)), table);
    let missing_lines: Vec<Line<'_>> =
        view.missing.iter().flat_map(|why| wrapped(why, inner.width)).map(Line::raw).collect();
    frame.render_widget(Paragraph::new(missing_lines), missing);
}

fn cells(row: &Row, view: &View, width: usize) -> [String; 7] {
    let full = (row.share * width as f64).round() as usize;
    // A few are never nobody, and most are never everybody.
    let full = match row.share {
        0.0 => 0,
        1.0 => width,
        _ => full.clamp(width.min(1), width.saturating_sub(1)),
    };
    let bar = format!(
        "{}{}{}{}",
        "█".repeat(full),
        "░".repeat(width - full),
        if width > 0 { " " } else { "" },
        row.weight
    );
    let [requests, errors, p50, p95, p99] = row.columns(view.over);
    [row.name(), bar, requests, errors, p50, p95, p99]
}

fn style(row: &Row) -> Style {
    let failing = row.figures.as_ref().is_some_and(|figures| figures.errors > 0);
    if failing { Style::new().fg(Color::Yellow) } else { Style::new() }
}

fn draw_state(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered().title(" release ");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let first = |index: usize| if index == 0 { BOLD } else { Style::new() };
    let told = view.release.iter().enumerate().flat_map(|(index, it)| {
        wrapped(it, inner.width).into_iter().map(move |line| Line::styled(line, first(index)))
    });
    let told: Vec<Line<'_>> = told.collect();
    let [release, gauge, facts] = Layout::vertical([
        Constraint::Length(lines(told.len())),
        Constraint::Length(u16::from(view.gauge.is_some())),
        Constraint::Min(0),
    ])
    .areas(inner);
    frame.render_widget(Paragraph::new(told), release);
    match &view.gauge {
        Some(super::Gauge { ratio: Some(ratio), label }) => {
            frame.render_widget(
                LineGauge::default()
                    .filled_symbol("━")
                    .unfilled_symbol("╌")
                    .ratio(*ratio)
                    .label(label.as_str()),
                gauge,
            );
        }
        Some(super::Gauge { ratio: None, label }) => {
            frame.render_widget(Paragraph::new(label.as_str()), gauge)
        }
        None => {}
    }
    let known = view.facts.iter().flat_map(|fact| wrapped(fact, inner.width));
    let known: Vec<Line<'_>> = known.map(|line| Line::styled(line, DIM)).collect();
    frame.render_widget(Paragraph::new(known), facts);
}

fn draw_events(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered().title(" events ");
    let room = usize::from(block.inner(area).height);
    let newest = view.events.iter().skip(view.events.len().saturating_sub(room));
    let told: Vec<Line<'_>> = newest.map(|event| Line::raw(event.as_str())).collect();
    frame.render_widget(Paragraph::new(told).block(block), area);
}

fn draw_foot(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let line = match (&view.question, &view.note) {
        (Some(question), _) => Line::styled(question.as_str(), BOLD.fg(Color::Yellow)),
        (None, Some(note)) => Line::raw(note.as_str()),
        (None, None) => Line::raw(""),
    };
    let text = vec![line, keys(view)];
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }), area);
}

fn keys(view: &View) -> Line<'_> {
    let keys = view.keys.iter().flat_map(|(key, name)| {
        [
            Span::styled(format!(" {key} "), Style::new().add_modifier(Modifier::REVERSED)),
            Span::raw(format!(" {name}  ")),
        ]
    });
    Line::from(keys.collect::<Vec<_>>())
}
