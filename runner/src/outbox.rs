//! What is told to others beside a release, or beside the monitor: whoever speaks never waits for who listens. Each destination has
//! a queue and a thread of its own: one that is dead does not keep another waiting.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;
use crate::report::{Entry, Event, Listener, counted};

/// Events that may be waiting to be told; further ones are lost, and counted.
const WAITING_MAX: usize = 256;
/// How long the last ones have once everything is over.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// How long what is cancelled then may take to end; twice what a command has to put things in order.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Which events somebody is told of.
pub(crate) type Wants = Box<dyn Fn(&Event) -> bool + Send + Sync>;
/// How somebody is told of an event. The error is why that could not be done.
pub(crate) type Deliver = Box<dyn FnMut(&Entry) -> Result<(), String> + Send>;

/// Somebody who is told of events.
pub(crate) struct Destination {
    /// What reports call it.
    pub(crate) title: String,
    /// Of which events.
    pub(crate) wants: Wants,
    /// How.
    pub(crate) deliver: Deliver,
}

/// Destinations that are being told.
pub(crate) struct Outbox {
    destinations: Vec<Told>,
    cancel: Cancel,
}

struct Told {
    title: String,
    queue: Arc<Queue>,
    telling: Beside<()>,
}

/// What a destination has yet to be told.
struct Queue {
    /// Gone when nothing can come any more.
    sender: Mutex<Option<SyncSender<Entry>>>,
    wants: Wants,
    dropped: AtomicUsize,
    undelivered: Mutex<Undelivered>,
}

/// How many events a destination did not take, and why not the first of them.
#[derive(Default)]
struct Undelivered {
    count: usize,
    why: Option<String>,
}

impl Outbox {
    /// Begins to tell destinations, which end when `cancel` says so; nothing is begun when there are none.
    pub(crate) fn start(destinations: Vec<Destination>, cancel: Cancel) -> Option<Self> {
        let destinations: Vec<Told> = destinations
            .into_iter()
            .map(|Destination { title, wants, mut deliver }| {
                let (sender, receiver) = sync_channel(WAITING_MAX);
                let queue = Arc::new(Queue {
                    sender: Mutex::new(Some(sender)),
                    wants,
                    dropped: AtomicUsize::new(0),
                    undelivered: Mutex::default(),
                });
                let own = Arc::clone(&queue);
                let telling = Beside::start(move || tell(&receiver, &mut deliver, &own));
                Told { title, queue, telling }
            })
            .collect();
        if destinations.is_empty() { None } else { Some(Self { destinations, cancel }) }
    }

    /// What hears of events and returns at once, whatever the destinations do.
    pub(crate) fn listener(&self) -> Listener {
        let queues: Vec<Arc<Queue>> = self.destinations.iter().map(|it| Arc::clone(&it.queue)).collect();
        Box::new(move |entry| queues.iter().for_each(|queue| queue.put(entry)))
    }

    /// What could not be told since this was asked last, in words.
    pub(crate) fn trouble(&self) -> Vec<String> {
        self.destinations.iter().flat_map(|it| it.queue.trouble(&it.title)).collect()
    }

    /// Waits a moment for the last events to be told; what was not, in words. `cancel` ends the waiting.
    pub(crate) fn finish(self, cancel: &Cancel) -> Vec<String> {
        self.destinations.iter().for_each(|it| it.queue.close());
        let deadline = Instant::now() + FINISH_WITHIN;
        let mut said = Vec::new();
        for Told { title, queue, telling } in self.destinations {
            let within = deadline.saturating_duration_since(Instant::now());
            let ended = match telling.wait(cancel, Some(within)) {
                Waited::NotYet | Waited::Cancelled(_) => {
                    self.cancel.cancel("the release is over");
                    // A command in flight is given its time to end; nothing of it is left running.
                    telling.wait(&Cancel::default(), Some(END_WITHIN))
                }
                ended => ended,
            };
            if !matches!(ended, Waited::Ended(())) {
                queue.note("nothing was heard of it again".into());
            }
            said.extend(queue.trouble(&title));
        }
        said
    }
}

impl Queue {
    fn put(&self, entry: &Entry) {
        if (self.wants)(&entry.event)
            && let Some(sender) = &*lock(&self.sender)
            && sender.try_send(entry.clone()).is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The thread ends when it has told what is there.
    fn close(&self) {
        *lock(&self.sender) = None;
    }

    fn note(&self, why: String) {
        let mut undelivered = lock(&self.undelivered);
        undelivered.count += 1;
        undelivered.why.get_or_insert(why);
    }

    fn trouble(&self, title: &str) -> Vec<String> {
        let Undelivered { count, why } = std::mem::take(&mut *lock(&self.undelivered));
        let undelivered =
            why.map(|why| format!("{title}: {} could not be told: {why}", counted(count, "event")));
        let dropped = match self.dropped.swap(0, Ordering::Relaxed) {
            0 => None,
            dropped => Some(format!("{title}: too slow, {} dropped", counted(dropped, "event"))),
        };
        undelivered.into_iter().chain(dropped).collect()
    }
}

fn tell(waiting: &Receiver<Entry>, deliver: &mut Deliver, queue: &Queue) {
    for entry in waiting {
        if let Err(why) = deliver(&entry) {
            queue.note(why);
        }
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
