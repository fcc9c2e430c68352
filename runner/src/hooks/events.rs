//! Hooks that are told of everything, beside the release: it never waits for them, and they cannot fail it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::command::END_WITHIN;
use super::{Asker, Moment, Phase, hold};
use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;
use crate::config::Hook;
use crate::report::{Entry, Event, Listener, counted};

/// Events that may be waiting to be told; further ones are lost, and counted.
const WAITING_MAX: usize = 256;
/// How long the last ones have once the release is over.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// The hooks `event` of a release, each with a queue and a thread of its own: one that is dead does not keep another waiting.
pub struct Events {
    hooks: Vec<Told>,
    cancel: Cancel,
}

/// A hook that is being told.
struct Told {
    title: String,
    queue: Arc<Queue>,
    telling: Beside<Undelivered>,
}

/// What a hook has yet to be told.
struct Queue {
    /// Gone when nothing can come any more.
    sender: Mutex<Option<SyncSender<Entry>>>,
    dropped: AtomicUsize,
}

/// How many events a hook did not take, and why not the first of them.
#[derive(Default)]
struct Undelivered {
    count: usize,
    why: Option<String>,
}

impl Events {
    /// Begins to tell `hooks`; nothing is begun when there are none.
    pub fn start(hooks: &[Hook], asker: &Asker, moment: &Moment) -> Option<Self> {
        let cancel = Cancel::default();
        let hooks: Vec<Told> = hooks
            .iter()
            .map(|hook| {
                let (sender, receiver) = sync_channel(WAITING_MAX);
                let queue = Queue { sender: Mutex::new(Some(sender)), dropped: AtomicUsize::new(0) };
                let (title, hook) = (hook.title().to_owned(), hook.clone());
                let (asker, moment) = (asker.with_cancel(cancel.clone()), moment.clone());
                let telling = Beside::start(move || tell(&receiver, hook, &asker, &moment));
                Told { title, queue: Arc::new(queue), telling }
            })
            .collect();
        if hooks.is_empty() { None } else { Some(Self { hooks, cancel }) }
    }

    /// What hears of events and returns at once, whatever the hooks do.
    pub fn listener(&self) -> Listener {
        let queues: Vec<Arc<Queue>> = self.hooks.iter().map(|hook| Arc::clone(&hook.queue)).collect();
        Box::new(move |entry| {
            if is_told(&entry.event) {
                queues.iter().for_each(|queue| queue.put(entry));
            }
        })
    }

    /// Waits a moment for the last events to be told; what was not, in words. `cancel` ends the waiting.
    pub fn finish(self, cancel: &Cancel) -> Vec<String> {
        self.hooks.iter().for_each(|hook| hook.queue.close());
        let deadline = Instant::now() + FINISH_WITHIN;
        let mut said = Vec::new();
        for Told { title, queue, telling } in self.hooks {
            let within = deadline.saturating_duration_since(Instant::now());
            let undelivered = match telling.wait(cancel, Some(within)) {
                Waited::NotYet | Waited::Cancelled(_) => {
                    self.cancel.cancel("the release is over");
                    // A command in flight is given its time to end; nothing of it is left running.
                    telling.wait(&Cancel::default(), Some(END_WITHIN * 2))
                }
                ended => ended,
            };
            let Undelivered { count, why } = match undelivered {
                Waited::Ended(undelivered) => undelivered,
                Waited::NotYet | Waited::Cancelled(_) | Waited::Panicked => {
                    Undelivered { count: 1, why: Some("nothing was heard of it again".into()) }
                }
            };
            if let Some(why) = why {
                said.push(format!("hook {title}: {} could not be told: {why}", counted(count, "event")));
            }
            match queue.dropped.load(Ordering::Relaxed) {
                0 => {}
                dropped => {
                    said.push(format!("hook {title}: too slow, {} dropped", counted(dropped, "event")))
                }
            }
        }
        said
    }
}

impl Queue {
    fn put(&self, entry: &Entry) {
        if let Some(sender) = &*self.sender()
            && sender.try_send(entry.clone()).is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The thread ends when it has told what is there.
    fn close(&self) {
        *self.sender() = None;
    }

    fn sender(&self) -> MutexGuard<'_, Option<SyncSender<Entry>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Progress is left out: how much of it there is depends on how the command speaks. So are looks at what was counted: nobody
/// wants to be told every five seconds.
const fn is_told(event: &Event) -> bool {
    !matches!(event, Event::Progress { .. } | Event::Measurement(_))
}

fn tell(queue: &Receiver<Entry>, mut hook: Hook, asker: &Asker, moment: &Moment) -> Undelivered {
    let mut undelivered = Undelivered::default();
    for entry in queue {
        let moment = Moment { event: serde_json::to_value(&entry).ok(), ..moment.clone() };
        let why = match hold(Phase::Event, &hook, asker, &moment, &mut |_| ()) {
            Ok(Ok(())) => continue,
            Ok(Err(why)) => why,
            Err(cancelled) => cancelled.0,
        };
        undelivered.count += 1;
        undelivered.why.get_or_insert(why);
        // What was dead after all its tries is likely to be still; the next events shall not pile up behind it.
        hook = hook.tried_once();
    }
    undelivered
}
