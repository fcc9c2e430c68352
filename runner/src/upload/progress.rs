//! How far an upload is, for people.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::report::{counted, seconds};

/// How often it is said.
const SAY_EVERY: Duration = Duration::from_millis(100);
/// A rate of less time than this would be a guess.
const RATE_FROM: Duration = Duration::from_secs(1);

/// How far an upload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The directory was read.
    Scanned {
        /// How many files.
        files: usize,
        /// How large they are together.
        bytes: u64,
    },
    /// Assets are on their way.
    Uploading {
        /// Bytes sent.
        done: u64,
        /// Bytes that were missing.
        total: u64,
        /// Files stored.
        files: usize,
        /// Files that were missing.
        of_files: usize,
        /// Since when.
        elapsed: Duration,
    },
    /// All assets are there.
    Stored {
        /// How many files.
        files: usize,
        /// How many of them had to be uploaded.
        new: usize,
        /// Whether the store took note of what is in use.
        noted: bool,
    },
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scanned { files, bytes } => write!(f, "{}, {}", counted(*files, "file"), Bytes(*bytes)),
            Self::Uploading { done, total, files, of_files, elapsed } => {
                write!(f, "{} of {}, {files} of {of_files} files", Bytes(*done), Bytes(*total))?;
                let rate = u128::from(*done) * 1000 / elapsed.as_millis().max(1);
                match u64::try_from(rate) {
                    Ok(rate @ 1..) if *elapsed >= RATE_FROM => {
                        let left = Duration::from_secs(total.saturating_sub(*done).div_ceil(rate));
                        write!(f, ", {}/s, {} left", Bytes(rate), seconds(left))
                    }
                    Ok(_) | Err(_) => Ok(()),
                }
            }
            Self::Stored { files, new, noted } => {
                let warning =
                    if *noted { "" } else { "; Cloudflare took no note, and may want them again next time" };
                write!(f, "{}, {new} of them new{warning}", counted(*files, "file"))
            }
        }
    }
}

/// A size as a person says it.
pub(crate) struct Bytes(pub(crate) u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MIB: u64 = 1024 * 1024;
        let tenths = self.0 / (MIB / 10);
        match self.0 {
            MIB.. => write!(f, "{}.{} MiB", tenths / 10, tenths % 10),
            bytes => write!(f, "{} KiB", bytes.div_ceil(1024)),
        }
    }
}

/// Counts what several threads send, and says so now and then.
pub(super) struct Tally<'a> {
    total: u64,
    of_files: usize,
    done: AtomicU64,
    files: AtomicUsize,
    started: Instant,
    said: Mutex<Instant>,
    say: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Tally<'a> {
    pub(super) fn new(total: u64, of_files: usize, say: &'a (dyn Fn(Progress) + Sync)) -> Self {
        let now = Instant::now();
        Self {
            total,
            of_files,
            done: AtomicU64::new(0),
            files: AtomicUsize::new(0),
            started: now,
            said: Mutex::new(now),
            say,
        }
    }

    /// More bytes are on their way.
    pub(super) fn sent(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
        let due = self.said.try_lock().is_ok_and(|mut said| {
            let due = said.elapsed() >= SAY_EVERY;
            if due {
                *said = Instant::now();
            }
            due
        });
        if due {
            self.say();
        }
    }

    /// They did not arrive, and will be sent again.
    pub(super) fn lost(&self, bytes: u64) {
        self.done.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Files are in the store.
    pub(super) fn stored(&self, files: usize) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.say();
    }

    fn say(&self) {
        (self.say)(Progress::Uploading {
            done: self.done.load(Ordering::Relaxed),
            total: self.total,
            files: self.files.load(Ordering::Relaxed),
            of_files: self.of_files,
            elapsed: self.started.elapsed(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_bytes_files_rate_and_time_left() {
        let said = |done, elapsed| {
            let elapsed = Duration::from_millis(elapsed);
            Progress::Uploading { done, total: 10 << 20, files: 2, of_files: 9, elapsed }.to_string()
        };
        assert_eq!(said(1 << 20, 500), "1.0 MiB of 10.0 MiB, 2 of 9 files");
        assert_eq!(said(5 << 20, 2_000), "5.0 MiB of 10.0 MiB, 2 of 9 files, 2.5 MiB/s, 2.0 s left");
        assert_eq!(said(0, 2_000), "0 KiB of 10.0 MiB, 2 of 9 files");
        assert_eq!(Bytes(1023).to_string(), "1 KiB");
    }

    #[test]
    fn what_is_lost_on_the_way_does_not_count() {
        let told = Mutex::new(Vec::new());
        let note = |progress| told.lock().unwrap().push(progress);
        let tally = Tally::new(30, 3, &note);
        tally.sent(20);
        tally.lost(20);
        tally.sent(10);
        tally.stored(1);
        let told = told.into_inner().unwrap();
        assert!(matches!(
            told.last(),
            Some(Progress::Uploading { done: 10, total: 30, files: 1, of_files: 3, .. })
        ));
    }
}
