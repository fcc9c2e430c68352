//! Matching a text. No regular expressions: an engine would be a third of the router, and JavaScript's can be made to hang.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// What a text must be.
///
/// ```
/// use crossfade_core::table::TextMatch;
///
/// assert!(TextMatch::Prefix("/admin".into()).holds("/admin/users"));
/// assert!(!TextMatch::Exact("/admin".into()).holds("/admin/users"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextMatch {
    /// The same, byte for byte.
    Exact(String),
    /// It begins so.
    Prefix(String),
    /// It has this somewhere.
    Contains(String),
    /// Whatever it is, as long as it is there.
    Present,
}

impl TextMatch {
    /// Whether a text that is there is as wanted.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Exact(wanted) => text == wanted,
            Self::Prefix(wanted) => text.starts_with(wanted.as_str()),
            Self::Contains(wanted) => text.contains(wanted.as_str()),
            Self::Present => true,
        }
    }
}

impl Serialize for TextMatch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Exact(text) => map.serialize_entry("exact", text)?,
            Self::Prefix(text) => map.serialize_entry("prefix", text)?,
            Self::Contains(text) => map.serialize_entry("contains", text)?,
            Self::Present => map.serialize_entry("present", &true)?,
        }
        map.end()
    }
}
