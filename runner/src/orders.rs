//! What people say to a release in flight, from wherever they are.
//!
//! The KV key `order:<environment>` holds the last order. The runner in charge looks at it again and again
//! ([`crate::record::Heartbeat`]), does what it says when it is for its release, and puts what became of it into its record,
//! where whoever said it waits for that.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossfade_core::Timestamp;
use crossfade_core::rollout::Order;
use crossfade_core::table::Environment;
use serde::{Deserialize, Serialize};

use crate::cloudflare::kv::Namespace;
use crate::error::Error;

const SCHEMA: u64 = 1;

/// One order on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The document's schema: 1.
    pub schema: u64,
    /// Tells one order from the next.
    pub id: String,
    /// For whom.
    pub release: String,
    /// What to do.
    pub order: Word,
    /// Why.
    pub why: Option<String>,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Go home.
    Abort,
    /// See [`Order::Promote`].
    Promote,
    /// See [`Order::PromoteFull`].
    PromoteFull,
    /// See [`Order::Pause`].
    Pause,
    /// See [`Order::Resume`].
    Resume,
    /// See [`Order::Approve`].
    Approve,
}

impl Word {
    /// What the machine is told; it hears of an abort as of any cancellation.
    pub const fn order(self) -> Option<Order> {
        match self {
            Self::Abort => None,
            Self::Promote => Some(Order::Promote),
            Self::PromoteFull => Some(Order::PromoteFull),
            Self::Pause => Some(Order::Pause),
            Self::Resume => Some(Order::Resume),
            Self::Approve => Some(Order::Approve),
        }
    }

    /// The command that says it.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Promote => "promote",
            Self::PromoteFull => "promote --full",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Approve => "approve",
        }
    }
}

impl Letter {
    /// An order for a release, said now.
    pub fn new(release: &str, order: Word, why: Option<&str>, by: String) -> Self {
        let id = format!("{:08x}", getrandom::u32().unwrap_or_else(|_| std::process::id()));
        let (release, why, at) = (release.to_owned(), why.map(str::to_owned), crate::report::now());
        Self { schema: SCHEMA, id, release, order, why, by, at }
    }

    /// Who says so, and why.
    pub fn whose(&self) -> String {
        match &self.why {
            Some(why) => format!("by {}: {why}", self.by),
            None => format!("by {}", self.by),
        }
    }
}

/// Where orders of an environment lie.
#[derive(Clone)]
pub struct Mailbox {
    namespace: Namespace,
    key: String,
}

impl Mailbox {
    /// An environment's.
    pub fn new(namespace: Namespace, environment: &Environment) -> Self {
        Self { namespace, key: format!("order:{environment}") }
    }

    /// Says something.
    ///
    /// # Errors
    /// When KV cannot be written.
    pub fn send(&self, letter: &Letter, within: Duration) -> Result<(), Error> {
        let json = serde_json::to_vec(letter)
            .map_err(|error| Error::Record { key: self.key.clone(), why: error.to_string() })?;
        let to = Error::cloudflare(format!("write `{}` to KV", self.key));
        self.namespace.write(&self.key, &json, within).map_err(to)
    }

    /// What was said last. What cannot be read now is read the next time; what is no order is none.
    pub fn look(&self, within: Duration) -> Option<Letter> {
        let bytes = self.namespace.read_once(&self.key, within).ok()??;
        serde_json::from_slice::<Letter>(&bytes).ok().filter(|letter| letter.schema == SCHEMA)
    }
}

/// Orders that have come in, and what became of them.
#[derive(Clone, Debug, Default)]
pub struct Inbox(Arc<Mutex<Letters>>);

#[derive(Debug, Default)]
struct Letters {
    waiting: VecDeque<Order>,
    replies: VecDeque<(Order, Result<(), String>)>,
}

impl Inbox {
    /// Puts an order in.
    pub fn put(&self, order: Order) {
        self.lock().waiting.push_back(order);
    }

    /// Takes the next order out.
    pub fn take(&self) -> Option<Order> {
        self.lock().waiting.pop_front()
    }

    /// Says what became of an order: obeyed, or why not.
    pub fn reply(&self, order: Order, reply: Result<(), String>) {
        self.lock().replies.push_back((order, reply));
    }

    /// What became of this order, once that is known.
    pub(crate) fn reply_to(&self, order: Order) -> Option<Result<(), String>> {
        let mut letters = self.lock();
        let index = letters.replies.iter().position(|(of, _)| *of == order)?;
        letters.replies.remove(index).map(|(_, reply)| reply)
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who speaks here: the workflow's actor, else the user of this machine
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/variables>).
pub fn speaker() -> String {
    let named = |variable: &str| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let name = named("GITHUB_ACTOR").or_else(|| named("USER")).or_else(|| named("USERNAME"));
    name.unwrap_or_else(|| "somebody".into()).chars().filter(|it| !it.is_control()).take(64).collect()
}
