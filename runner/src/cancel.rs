//! SIGINT, SIGTERM and SIGHUP in, one flag out.
//!
//! The first signal asks for the orderly way: traffic home first, niceties later. Further ones are ignored while traffic
//! goes home, and end the niceties; GitHub's runner sends SIGINT and, 7.5 seconds later, SIGTERM
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-cancellation>).

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whether somebody wants it undone; shared by everything that waits.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    shared: Arc<Shared>,
    /// How many earlier ones do not count.
    ignored: usize,
}

#[derive(Debug, Default)]
struct Shared {
    /// Why, each time that somebody asked.
    reasons: Mutex<Vec<String>>,
    changed: Condvar,
}

impl Cancel {
    /// Listens to the process's signals.
    ///
    /// # Errors
    /// When the system refuses the handlers.
    pub fn on_signals() -> std::io::Result<Self> {
        let cancel = Self::default();
        listen(cancel.clone())?;
        Ok(cancel)
    }

    /// Asks everything to be undone.
    pub fn cancel(&self, reason: &str) {
        self.reasons().push(reason.to_owned());
        self.shared.changed.notify_all();
    }

    /// One that has not heard what was asked so far, and hears what is asked from now on.
    #[must_use]
    pub fn further(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), ignored: self.reasons().len() }
    }

    /// Why it is to be undone, the first reason; `None` while nobody asked.
    pub fn reason(&self) -> Option<String> {
        self.reasons().get(self.ignored).cloned()
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.reasons().len() > self.ignored
    }

    /// Waits for `duration`, or until somebody asks; says whether somebody did.
    pub fn wait(&self, duration: Duration) -> bool {
        let deadline = Instant::now() + duration;
        let mut reasons = self.reasons();
        while reasons.len() <= self.ignored {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            reasons = match self.shared.changed.wait_timeout(reasons, left) {
                Ok((reasons, _)) => reasons,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        true
    }

    /// A panic elsewhere must not keep traffic from going home, so a poisoned lock is as good as any.
    fn reasons(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.shared.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
fn listen(cancel: Cancel) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            cancel.cancel(signal_hook::low_level::signal_name(signal).unwrap_or("a signal"));
        }
    });
    Ok(())
}

/// Windows has no signals to wait for; what the C library makes of Ctrl-C sets a flag.
#[cfg(windows)]
fn listen(cancel: Cancel) -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use std::sync::atomic::{AtomicBool, Ordering};
    const LOOK_EVERY: Duration = Duration::from_millis(50);
    let mut flags = Vec::new();
    for (signal, name) in [(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM")] {
        let flag = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
        flags.push((flag, name));
    }
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(LOOK_EVERY);
            for (flag, name) in &flags {
                if flag.swap(false, Ordering::Relaxed) {
                    cancel.cancel(name);
                }
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        let cancel = Cancel::default();
        assert!(!cancel.is_cancelled());
        cancel.cancel("SIGINT");
        cancel.cancel("SIGTERM");
        assert_eq!(cancel.reason().as_deref(), Some("SIGINT"));
    }

    #[test]
    fn a_further_one_hears_only_what_comes_later() {
        let cancel = Cancel::default();
        cancel.cancel("SIGINT");
        let further = cancel.further();
        assert!(!further.is_cancelled() && !further.wait(Duration::from_millis(1)));
        cancel.cancel("SIGTERM");
        assert!(further.wait(Duration::from_secs(60)));
        assert_eq!(
            (further.reason().as_deref(), cancel.reason().as_deref()),
            (Some("SIGTERM"), Some("SIGINT"))
        );
    }

    #[test]
    fn a_wait_ends_when_somebody_asks() {
        let cancel = Cancel::default();
        let waiter = cancel.clone();
        let waiting = std::thread::spawn(move || waiter.wait(Duration::from_secs(60)));
        cancel.cancel("SIGTERM");
        assert!(waiting.join().unwrap());
        assert!(!Cancel::default().wait(Duration::from_millis(1)));
    }
}
