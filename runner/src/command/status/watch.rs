//! `crossfade status --watch` at a terminal: one screen. What is slow happens beside it, so a key is answered at once.

use std::io::IsTerminal as _;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{ASK_WITHIN, WATCH_EVERY};
use crate::command::Session;
use crate::command::question::{AT_ONCE, left_when_cancelled};
use crate::edge::by_variant;
use crate::error::Error;
use crate::notice::VariantFigures;
use crate::orders::{Letter, Mailbox, Word, speaker};
use crate::record::WITHIN;
use crate::release::table_in_force;
use crate::report::{Mode, now};
use crate::screen::{Dialog, Key, Seen, View, Wish, draw};

/// Over how long figures are counted.
const OVER: Duration = Duration::from_secs(60);
/// How often what is left is drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(250);

/// What comes in from beside.
enum News {
    Seen(Box<Seen>),
    Said(Result<Letter, String>),
}

/// Whether there is a terminal that takes a screen, and somebody before it.
pub(in crate::command) fn has_screen(mode: Mode) -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    mode == Mode::Lines && !dumb && std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// Shows it until somebody leaves.
pub(in crate::command) fn run(session: Session) -> Result<(), Error> {
    let session = Arc::new(session);
    let (sender, news) = mpsc::channel();
    let (looking, to) = (Arc::clone(&session), sender.clone());
    // It ends with the process: an answer under way is not waited for.
    std::thread::spawn(move || {
        while to.send(News::Seen(Box::new(look(&looking)))).is_ok() && !looking.cancel.wait(WATCH_EVERY) {
            // Not every terminal that is closed says so by a signal.
            if !std::io::stdin().is_terminal() {
                looking.cancel.cancel("the terminal is gone");
            }
        }
    });
    let cannot = |source| Error::Io { doing: "cannot use this terminal".into(), source };
    // A panic restores the terminal too.
    let mut terminal = ratatui::try_init().map_err(cannot)?;
    let cancel = session.cancel.clone();
    // Of a terminal that is gone no event ever comes, nor does the wait for it end: <https://github.com/crossterm-rs/crossterm/issues/793>.
    let shown = left_when_cancelled(&cancel, AT_ONCE, move || {
        show(&session, &mut terminal, &sender, &news).map_err(cannot)
    });
    let restored = ratatui::try_restore().map_err(cannot);
    match shown {
        Err(Error::Interrupted(_)) => Ok(()),
        shown => shown.and(restored),
    }
}

fn show(
    session: &Arc<Session>,
    terminal: &mut ratatui::DefaultTerminal,
    sender: &mpsc::Sender<News>,
    news: &mpsc::Receiver<News>,
) -> std::io::Result<()> {
    let (mut seen, mut dialog) = (None::<Seen>, Dialog::default());
    while !session.cancel.is_cancelled() {
        for it in news.try_iter() {
            match it {
                News::Seen(found) => seen = Some(found.after(seen.as_ref())),
                News::Said(Ok(letter)) => dialog = Dialog::Said(letter),
                News::Said(Err(why)) => dialog = Dialog::Failed(why),
            }
        }
        let now = now();
        let view = seen
            .as_ref()
            .map_or_else(|| View::waiting(&session.settings.url), |seen| View::of(seen, &dialog, now));
        terminal.draw(|frame| draw(&view, frame))?;
        if !event::poll(DRAW_EVERY)? {
            continue;
        }
        let Some(key) = key(&event::read()?) else { continue };
        let record = seen.as_ref().and_then(|seen| seen.record.as_ref().ok()?.as_ref());
        let (next, wish) = std::mem::take(&mut dialog).key(key, record, now);
        dialog = next;
        match wish {
            Some(Wish::Leave) => return Ok(()),
            Some(Wish::Say(word, release)) => say(session, sender, word, release),
            None => {}
        }
    }
    Ok(())
}

/// Says it, beside the screen.
fn say(session: &Arc<Session>, sender: &mpsc::Sender<News>, word: Word, release: String) {
    let (session, sender) = (Arc::clone(session), sender.clone());
    std::thread::spawn(move || {
        let letter = Letter::new(&release, word, None, speaker());
        let mailbox = Mailbox::new(session.namespace.clone(), &session.environment);
        let sent = mailbox.send(&letter, WITHIN).map(|()| letter).map_err(|error| error.in_one_line());
        // Whoever left does not hear of it.
        let _ = sender.send(News::Said(sent));
    });
}

fn look(session: &Session) -> Seen {
    let edge = session.edge().map_err(|error| error.in_one_line());
    let figures = edge.clone().and_then(|edge| {
        let from = now().minus(OVER);
        let metrics = edge.metrics(from, ASK_WITHIN).map_err(|error| error.to_string())?;
        let counted = by_variant(&metrics);
        Ok(counted.iter().map(|(subject, counts)| VariantFigures::of(subject, counts)).collect())
    });
    Seen {
        environment: session.environment.to_string(),
        balanced: session.routing.balancer.is_some(),
        url: session.settings.url.clone(),
        table: table_in_force(session).map_err(|error| error.in_one_line()),
        record: session.ledger.current().map_err(|error| error.in_one_line()),
        edge: edge.and_then(|edge| edge.status(ASK_WITHIN).map_err(|error| error.to_string())),
        figures,
        over: OVER,
    }
}

fn key(event: &Event) -> Option<Key> {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else { return None };
    match code {
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Interrupt),
        KeyCode::Char(letter) => Some(Key::Letter(*letter)),
        KeyCode::Esc => Some(Key::Escape),
        _ => None,
    }
}
