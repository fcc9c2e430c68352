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
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

/// Draws it.
pub fn draw(view: &View, frame: &mut Frame<'_>) {
    let rows = lines(view.rows.len() + view.missing.len()) + 3;
    let release = lines(view.release.len() + view.facts.len()) + u16::from(view.gauge.is_some()) + 2;
    let [split, state, events, foot] = Layout::vertical([
        Constraint::Length(rows),
        Constraint::Length(release),
        Constraint::Min(3),
        Constraint::Length(2),
    ])
    .areas(frame.area());
    draw_split(view, frame, split);
    draw_state(view, frame, state);
    draw_events(view, frame, events);
    draw_foot(view, frame, foot);
}

fn lines(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn draw_split(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered().title(Span::styled(format!(" {} ", view.title), BOLD));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [table, missing] =
        Layout::vertical([Constraint::Length(lines(view.rows.len()) + 1), Constraint::Min(0)]).areas(inner);
    let bar = if area.width < WIDE { 0 } else { BAR };
    let over = format!("errors, {} s", view.over.as_secs());
    let head = ["version", "visitors", "requests", &over, "p50", "p95", "p99"];
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(lines(bar) + 8),
        Constraint::Length(9),
        Constraint::Length(13),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(7),
    ];
    let head = TableRow::new(head.map(str::to_owned)).style(DIM);
    frame.render_widget(
        Table::new(view.rows.iter().map(|row| table_row(row, view, bar)), widths).header(head),
        table,
    );
    let missing_lines: Vec<Line<'_>> = view.missing.iter().map(|why| Line::raw(format!("! {why}"))).collect();
    frame.render_widget(Paragraph::new(missing_lines), missing);
}

fn table_row<'a>(row: &Row, view: &View, width: usize) -> TableRow<'a> {
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
    let name = format!("{}{} {}", row.name, if row.stable { " ●" } else { "" }, row.version);
    let failing = row.figures.as_ref().is_some_and(|figures| figures.errors > 0);
    let style = if failing { Style::new().fg(Color::Yellow) } else { Style::new() };
    let [requests, errors, p50, p95, p99] = row.columns(view.over);
    TableRow::new([name, bar, requests, errors, p50, p95, p99]).style(style)
}

fn draw_state(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered().title(" release ");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [release, gauge, facts] = Layout::vertical([
        Constraint::Length(lines(view.release.len())),
        Constraint::Length(u16::from(view.gauge.is_some())),
        Constraint::Min(0),
    ])
    .areas(inner);
    let first = |index: usize| if index == 0 { BOLD } else { Style::new() };
    let told = view.release.iter().enumerate().map(|(index, it)| Line::styled(it.as_str(), first(index)));
    frame.render_widget(Paragraph::new(told.collect::<Vec<_>>()), release);
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
    let known: Vec<Line<'_>> = view.facts.iter().map(|fact| Line::styled(fact.as_str(), DIM)).collect();
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
    let keys = view.keys.iter().flat_map(|(key, name)| {
        [
            Span::styled(format!(" {key} "), Style::new().add_modifier(Modifier::REVERSED)),
            Span::raw(format!(" {name}  ")),
        ]
    });
    let text = vec![line, Line::from(keys.collect::<Vec<_>>())];
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: false }), area);
}
