//! One screen for somebody who watches. In: what was found of an environment, and the time. Out: what stands where, and what a key
//! means. Nothing here asks anybody or draws anything but into a frame.

mod draw;
mod events;
mod keys;
#[cfg(test)]
mod tests;
mod view;

pub use draw::draw;
pub(crate) use keys::possible;
pub use keys::{Dialog, Key, Wish};
pub use view::{Gauge, Row, Seen, View};
