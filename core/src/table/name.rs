//! The words of a table: what may stand in a KV key, a header, a report.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Problem, TableError};

/// Whether a text can stand in a quoted HTTP header string as it is: printable ASCII, no `"` and no `\`, 1 to 128 long.
pub(super) fn fits_a_header(text: &str) -> bool {
    const LENGTH_MAX: usize = 128;
    (1..=LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\')
}

/// Whether a text is a name: 1 to 32 of `a-z`, `0-9`, `-`, not beginning with `-`.
fn is_name(text: &str) -> bool {
    const LENGTH_MAX: usize = 32;
    (1..=LENGTH_MAX).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Refuses what is no header's name in lower case.
pub(super) fn check_header(field: &str, name: &str) -> Result<(), TableError> {
    const LENGTH_MAX: usize = 64;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=LENGTH_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(())
    } else {
        Err(TableError::new(field, name, Problem::NotAHeader))
    }
}

/// Refuses what no cookie can be limited to.
pub(super) fn check_cookie_path(field: &str, path: &str) -> Result<(), TableError> {
    const LENGTH_MAX: usize = 256;
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b';';
    if path.starts_with('/') && path.len() <= LENGTH_MAX && path.bytes().all(allowed) {
        Ok(())
    } else {
        Err(TableError::new(field, path, Problem::NotAPath))
    }
}

macro_rules! word {
    ($(#[$doc:meta])* $type:ident, $valid:expr, $problem:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl TryFrom<String> for $type {
            type Error = TableError;

            fn try_from(text: String) -> Result<Self, TableError> {
                Self::new(stringify!($type), text)
            }
        }

        impl From<$type> for String {
            fn from(word: $type) -> Self {
                word.0
            }
        }

        impl $type {
            /// Checks the text.
            ///
            /// # Errors
            /// Names `field` and the text when it is not one.
            pub fn new(field: &str, text: impl Into<String>) -> Result<Self, TableError> {
                let text = text.into();
                if $valid(&text) { Ok(Self(text)) } else { Err(TableError::new(field, text, $problem)) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

word!(
    /// The name of an environment: `production`, `staging`.
    ///
    /// ```
    /// use crossfade_core::table::Environment;
    ///
    /// assert_eq!(Environment::new("environment", "staging").unwrap().as_str(), "staging");
    /// assert!(Environment::new("environment", "Staging").is_err());
    /// ```
    Environment, is_name, Problem::NotAName
);
word!(
    /// The name of a variant: `blue`, `green`, an instance.
    ///
    /// ```
    /// use crossfade_core::table::VariantName;
    ///
    /// assert_eq!(VariantName::new("name", "green").unwrap().as_str(), "green");
    /// assert!(VariantName::new("name", "Green!").is_err());
    /// ```
    VariantName, is_name, Problem::NotAName
);
word!(
    /// What is deployed, in its authors' own words: `1.5.0`, a commit.
    ///
    /// ```
    /// use crossfade_core::table::Version;
    ///
    /// assert_eq!(Version::new("version", "1.5.0").unwrap().as_str(), "1.5.0");
    /// assert!(Version::new("version", "\"1.5.0\"").is_err());
    /// ```
    Version, fits_a_header, Problem::NotAWord
);
word!(
    /// One run of the program: `rel-…`.
    ///
    /// ```
    /// use crossfade_core::table::ReleaseId;
    ///
    /// assert_eq!(ReleaseId::new("release", "rel-7").unwrap().as_str(), "rel-7");
    /// assert!(ReleaseId::new("release", "").is_err());
    /// ```
    ReleaseId, fits_a_header, Problem::NotAWord
);
word!(
    /// One process that drives a release, drawn at random: `3f9c21`.
    ///
    /// ```
    /// use crossfade_core::table::RunnerId;
    ///
    /// assert_eq!(RunnerId::new("runner", "3f9c21").unwrap().as_str(), "3f9c21");
    /// assert!(RunnerId::new("runner", "-").is_err());
    /// ```
    RunnerId, is_name, Problem::NotAName
);
