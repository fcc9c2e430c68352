//! Tells other runners, again and again, that a release is still in charge, and listens to what people say to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::{Answered, EXPIRES_AFTER, Ledger, Record, WITHIN};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::orders::{Inbox, Letter, Mailbox};
use crate::report;

/// How often a record is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(45);
/// How soon news are told: KV takes one write a second to a key
/// (<https://developers.cloudflare.com/kv/platform/limits/>).
const NEWS_EVERY: Duration = Duration::from_secs(2);
/// How soon what became of an order is told.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The most that one look for orders may take.
const LISTEN_WITHIN: Duration = Duration::from_secs(5);

/// Keeps a release in charge while it works, whatever it waits for.
pub struct Heartbeat {
    record: Arc<Mutex<Record>>,
    pen: Arc<Pen>,
    news: Arc<AtomicBool>,
    lost_to: Arc<OnceLock<String>>,
    stop: Cancel,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Changes a release's record from another thread.
#[derive(Clone)]
pub struct Notes(Arc<Mutex<Record>>);

impl Notes {
    /// Changes the record; the next renewal writes it.
    pub fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut lock(&self.0));
    }
}

/// Where a release hears what people say.
pub struct Ear {
    /// Where it lies.
    pub mailbox: Mailbox,
    /// Where the release takes it from.
    pub inbox: Inbox,
    /// How often it looks.
    pub every: Duration,
}

impl Heartbeat {
    /// Renews `record` until it is ended or dropped. When another release is found in charge, or somebody wants this one
    /// aborted, `cancel` is told.
    pub fn start(ledger: Ledger, record: Record, cancel: Cancel, ear: Ear) -> Self {
        let record = Arc::new(Mutex::new(record));
        let (stop, news) = (Cancel::default(), Arc::new(AtomicBool::new(false)));
        let lost_to = Arc::new(OnceLock::new());
        let pen = Arc::new(Pen { ledger, writing: Mutex::new(()) });
        let beat = Beat {
            record: Arc::clone(&record),
            pen: Arc::clone(&pen),
            news: Arc::clone(&news),
            lost_to: Arc::clone(&lost_to),
            cancel,
            ear,
            waiting: None,
            last: lock(&record).heard.clone(),
        };
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || beat.run(&stopped));
        Self { record, pen, news, lost_to, stop, thread: Some(thread) }
    }

    /// Changes the record and writes it: what a release is about to do is known before it does it. A renewal under way may
    /// take `within` to end; then each of the two calls to KV takes at most `within`.
    ///
    /// # Errors
    /// [`Error::Superseded`] when another release has taken charge; or when KV cannot be reached in time.
    pub fn update(&self, within: Duration, change: impl FnOnce(&mut Record)) -> Result<(), Error> {
        change(&mut lock(&self.record));
        self.pen.write(&self.record, within, within)
    }

    /// Changes the record; the next renewal writes it.
    pub fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut lock(&self.record));
    }

    /// Changes the record, and has it written soon.
    pub fn tell(&self, change: impl FnOnce(&mut Record)) {
        change(&mut lock(&self.record));
        self.news.store(true, Ordering::Relaxed);
    }

    /// The same for another thread.
    pub fn notes(&self) -> Notes {
        Notes(Arc::clone(&self.record))
    }

    /// Who has been found in charge in the place of this one. Nothing is to be written any more, not even the way home: whoever
    /// it is may not have written a table yet that would say so.
    pub fn lost_to(&self) -> Option<&str> {
        self.lost_to.get().map(String::as_str)
    }

    /// The record as it is.
    pub fn record(&self) -> Record {
        lock(&self.record).clone()
    }

    /// Stops renewing.
    pub fn stop(&mut self) {
        self.stop.cancel("stop");
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop.cancel("stop");
    }
}

/// The thread's own.
struct Beat {
    record: Arc<Mutex<Record>>,
    news: Arc<AtomicBool>,
    lost_to: Arc<OnceLock<String>>,
    pen: Arc<Pen>,
    cancel: Cancel,
    ear: Ear,
    /// What the release has been told and has not answered yet.
    waiting: Option<Letter>,
    /// The last order that was heard.
    last: Option<String>,
}

impl Beat {
    fn run(mut self, stopped: &Cancel) {
        let (mut renewed_at, mut listened_at) = (Instant::now(), None::<Instant>);
        while !stopped.wait(LOOK_EVERY) {
            let mut due = renewed_at.elapsed() >= RENEW_EVERY;
            due |= self.hear_answer();
            due |= renewed_at.elapsed() >= NEWS_EVERY && self.news.swap(false, Ordering::Relaxed);
            if listened_at.is_none_or(|at| at.elapsed() >= self.ear.every) {
                listened_at = Some(Instant::now());
                due |= self.listen();
            }
            if due {
                renewed_at = Instant::now();
                // A renewal that fails is tried again next time; the record outlives four of them.
                if let Err(Error::Superseded(by)) = self.pen.write(&self.record, WITHIN, WITHIN) {
                    let reason = format!("{by} took charge");
                    let _ = self.lost_to.set(by);
                    self.cancel.cancel(&reason);
                    return;
                }
            }
        }
    }

    /// Whether something was said; that it was heard is told at once.
    fn listen(&mut self) -> bool {
        let ours = |letter: &Letter| letter.release == lock(&self.record).id;
        let Some(letter) = self.ear.mailbox.look(LISTEN_WITHIN).filter(ours) else { return false };
        if self.last.as_ref() == Some(&letter.id) {
            return false;
        }
        // Whoever wants it undone does not wait for what was said before; everybody else does.
        if self.waiting.is_some() && letter.order.order().is_some() {
            return false;
        }
        self.last = Some(letter.id.clone());
        lock(&self.record).heard = Some(letter.id.clone());
        match letter.order.order() {
            Some(order) => {
                self.ear.inbox.put(order);
                self.waiting = Some(letter);
            }
            None => {
                self.waiting = None;
                self.answer(&letter, Ok(()));
                self.cancel.cancel(&format!("aborted {}", letter.whose()));
            }
        }
        true
    }

    /// Whether the release has answered what it was told.
    fn hear_answer(&mut self) -> bool {
        let Some(letter) = &self.waiting else { return false };
        let Some(reply) = letter.order.order().and_then(|order| self.ear.inbox.reply_to(order)) else {
            return false;
        };
        if let Some(letter) = self.waiting.take() {
            self.answer(&letter, reply);
        }
        true
    }

    fn answer(&self, letter: &Letter, reply: Result<(), String>) {
        lock(&self.record).answered = Some(Answered::to(letter, reply));
    }
}

/// Writes a record, one at a time: of two that are under way at once KV may keep the older one, and then a runner that takes
/// over would go on from a step before.
struct Pen {
    ledger: Ledger,
    writing: Mutex<()>,
}

impl Pen {
    fn write(&self, record: &Mutex<Record>, free_within: Duration, within: Duration) -> Result<(), Error> {
        const LOOK_EVERY: Duration = Duration::from_millis(5);
        let deadline = Instant::now() + free_within;
        let _writing = loop {
            match self.writing.try_lock() {
                Ok(writing) => break writing,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOOK_EVERY),
                Err(TryLockError::WouldBlock) => {
                    let why = "a renewal of the release's record has been under way for too long".into();
                    return Err(Error::Gate { phase: "record", why });
                }
            }
        };
        self.ledger.renew(&renewed(record), within)
    }
}

fn renewed(record: &Mutex<Record>) -> Record {
    let mut record = lock(record);
    record.updated_at = report::now();
    record.expires_at = record.updated_at.plus(EXPIRES_AFTER);
    record.clone()
}

fn lock(record: &Mutex<Record>) -> std::sync::MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}
