//! What people say to a release in flight, from wherever they are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossfade_core::rollout::Order;

/// Orders that have come in, and what became of them.
#[derive(Clone, Debug, Default)]
pub struct Inbox(Arc<Mutex<Letters>>);

#[derive(Debug, Default)]
struct Letters {
    waiting: VecDeque<Order>,
    replies: Vec<(Order, Result<(), String>)>,
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
        self.lock().replies.push((order, reply));
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
