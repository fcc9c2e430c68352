//! Work on a thread of its own, which can be left, and be taken up again.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::cancel::Cancel;

/// How soon a cancellation is seen.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Work in progress.
pub(crate) struct Beside<T>(mpsc::Receiver<T>);

/// What came of waiting for it.
pub(crate) enum Waited<T> {
    /// It ended with this.
    Ended(T),
    /// It goes on.
    NotYet,
    /// Somebody cancelled; it goes on, and nobody has to wait.
    Cancelled(String),
    /// It will never end well.
    Panicked,
}

impl<T: Send + 'static> Beside<T> {
    /// Begins.
    pub(crate) fn start(work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(work()));
        Self(receiver)
    }

    /// Waits for the end, a time or a cancellation.
    pub(crate) fn wait(&self, cancel: &Cancel, within: Option<Duration>) -> Waited<T> {
        let deadline = within.map(|within| Instant::now() + within);
        loop {
            match self.0.recv_timeout(LOOK_EVERY) {
                Ok(value) => return Waited::Ended(value),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Waited::Panicked,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            if let Some(reason) = cancel.reason() {
                return Waited::Cancelled(reason);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Waited::NotYet;
            }
        }
    }
}
