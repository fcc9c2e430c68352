//! Tells other runners, again and again, that a release is still in charge.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{EXPIRES_AFTER, Ledger, Record, WITHIN};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::report;

/// How often a record is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(45);

/// Keeps a release in charge while it works, whatever it waits for.
pub struct Heartbeat {
    record: Arc<Mutex<Record>>,
    ledger: Ledger,
    stop: Cancel,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Heartbeat {
    /// Renews `record` until it is ended or dropped. When another release is found in charge, `cancel` is told.
    pub fn start(ledger: Ledger, record: Record, cancel: Cancel) -> Self {
        let record = Arc::new(Mutex::new(record));
        let stop = Cancel::default();
        let (shared, stopped, its_ledger) = (Arc::clone(&record), stop.clone(), ledger.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.wait(RENEW_EVERY) {
                // A renewal that fails is tried again next time; the record outlives four of them.
                if let Err(Error::Superseded(by)) = its_ledger.renew(&renewed(&shared), WITHIN) {
                    cancel.cancel(&format!("{by} took charge"));
                    return;
                }
            }
        });
        Self { record, ledger, stop, thread: Some(thread) }
    }

    /// Changes the record and writes it: what a release is about to do is known before it does it. Each of the two calls
    /// to KV takes at most `within`.
    ///
    /// # Errors
    /// [`Error::Superseded`] when another release has taken charge; or when KV cannot be reached.
    pub fn update(&self, within: Duration, change: impl FnOnce(&mut Record)) -> Result<(), Error> {
        change(&mut lock(&self.record));
        self.ledger.renew(&renewed(&self.record), within)
    }

    /// Changes the record; the next renewal writes it.
    pub fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut lock(&self.record));
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

fn renewed(record: &Mutex<Record>) -> Record {
    let mut record = lock(record);
    record.updated_at = report::now();
    record.expires_at = record.updated_at.plus(EXPIRES_AFTER);
    record.clone()
}

fn lock(record: &Mutex<Record>) -> std::sync::MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}
