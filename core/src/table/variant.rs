//! Where visitors are sent, and where pages of older versions find their files.

use serde::{Deserialize, Serialize};

use super::{Origin, VariantName, Version, Weight};

/// One destination.
///
/// ```
/// use crossfade_core::table::{Origin, Previous, Variant, VariantName, Version, Weight};
///
/// let green = Variant {
///     name: VariantName::new("name", "green")?,
///     origin: Origin::new("origin", "https://4e5f6a7b.booking.pages.dev")?,
///     version: Version::new("version", "1.5.0")?,
///     weight: Weight::ZERO,
/// };
/// assert_eq!(Previous::from(green).version.as_str(), "1.5.0");
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// The slot or instance: `blue`, `green`, …
    pub name: VariantName,
    /// Where its requests go.
    pub origin: Origin,
    /// What is deployed there.
    pub version: Version,
    /// Its share of the visitors.
    pub weight: Weight,
}

/// An older release that pages loaded before a deploy may still need files of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Previous {
    /// Where it is.
    pub origin: Origin,
    /// What it was.
    pub version: Version,
}
