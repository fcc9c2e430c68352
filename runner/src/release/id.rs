//! Names that never come twice.

use crossfade_core::table::{ReleaseId, RunnerId};

/// `rel-<UTC time>-<six random characters>`: sorts by time.
pub fn new_release_id() -> ReleaseId {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S");
    ReleaseId::new("release", format!("rel-{time}-{}", six_digits()))
        .expect("letters, digits and hyphens fit a header")
}

/// Six random characters that no other process has.
pub(super) fn new_runner_id() -> RunnerId {
    RunnerId::new("runner", six_digits()).expect("six hexadecimal digits are a name")
}

fn six_digits() -> String {
    let random = getrandom::u32().unwrap_or_else(|_| std::process::id());
    format!("{:06x}", random & 0x00ff_ffff)
}
