//! Hooks that are told of everything, beside the release: it never waits for them, and they cannot fail it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Asker, Moment, Phase, hold};
use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;
use crate::config::Hook;
use crate::report::{Entry, Event, Listener, counted};

/// Events that may be waiting to be told; further ones are lost, and counted.
const WAITING_MAX: usize = 256;
/// How long the last ones have once the release is over.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// The hooks `event` of a release, and the thread that tells them.
pub struct Events {
    telling: Beside<Undelivered>,
    cancel: Cancel,
    lost: Arc<AtomicUsize>,
    queue: Arc<Mutex<Option<SyncSender<Entry>>>>,
}

/// By hook: how many events it did not take, and why not the first of them.
type Undelivered = BTreeMap<String, (usize, String)>;

impl Events {
    /// Begins to tell `hooks`; nothing is begun when there are none.
    pub fn start(hooks: &[Hook], asker: &Asker, moment: &Moment) -> Option<Self> {
        if hooks.is_empty() {
            return None;
        }
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let cancel = Cancel::default();
        let (hooks, asker, moment) = (hooks.to_vec(), asker.with_cancel(cancel.clone()), moment.clone());
        Some(Self {
            telling: Beside::start(move || tell(&receiver, hooks, &asker, &moment)),
            cancel,
            lost: Arc::default(),
            queue: Arc::new(Mutex::new(Some(sender))),
        })
    }

    /// What hears of events and returns at once, whatever the hooks do.
    pub fn listener(&self) -> Listener {
        let (queue, lost) = (Arc::clone(&self.queue), Arc::clone(&self.lost));
        Box::new(move |entry| {
            let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(queue) = queue.as_ref() else { return };
            if is_told(&entry.event) && queue.try_send(entry.clone()).is_err() {
                lost.fetch_add(1, Ordering::Relaxed);
            }
        })
    }

    /// Waits a moment for the last events to be told; what was not, in words. `cancel` ends the waiting.
    pub fn finish(self, cancel: &Cancel) -> Vec<String> {
        // The thread ends when nothing can come any more.
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let undelivered = match self.telling.wait(cancel, Some(FINISH_WITHIN)) {
            Waited::Ended(undelivered) => Some(undelivered),
            Waited::NotYet | Waited::Cancelled(_) => {
                self.cancel.cancel("the release is over");
                // A command in flight is given its time to end; nothing of it is left running.
                match self.telling.wait(&Cancel::default(), Some(super::command::END_WITHIN * 2)) {
                    Waited::Ended(undelivered) => Some(undelivered),
                    Waited::NotYet | Waited::Cancelled(_) | Waited::Panicked => None,
                }
            }
            Waited::Panicked => None,
        };
        let mut said: Vec<String> = undelivered
            .unwrap_or_else(|| {
                BTreeMap::from([("event".into(), (1, "nothing was heard of it again".into()))])
            })
            .into_iter()
            .map(|(hook, (count, why))| {
                format!("hook {hook}: {} could not be told: {why}", counted(count, "event"))
            })
            .collect();
        match self.lost.load(Ordering::Relaxed) {
            0 => {}
            lost => said.push(format!(
                "{} more were dropped: the hooks `event` are too slow",
                counted(lost, "event")
            )),
        }
        said
    }
}

/// Progress is left out: how much of it there is depends on how the command speaks.
const fn is_told(event: &Event) -> bool {
    !matches!(event, Event::Progress { .. })
}

fn tell(queue: &Receiver<Entry>, hooks: Vec<Hook>, asker: &Asker, moment: &Moment) -> Undelivered {
    let mut undelivered = Undelivered::new();
    for entry in queue {
        let moment = Moment { event: serde_json::to_value(&entry).ok(), ..moment.clone() };
        for hook in &hooks {
            let why = match hold(Phase::Event, hook, asker, &moment, &mut |_| ()) {
                Ok(Ok(())) => continue,
                Ok(Err(why)) => why,
                Err(cancelled) => cancelled.0,
            };
            undelivered.entry(hook.title().to_owned()).or_insert((0, why)).0 += 1;
        }
    }
    undelivered
}
