//! How visitors are recognised and spread.

use serde::Serialize;

use super::{TableError, name};

/// How visitors are recognised and spread.
///
/// ```
/// use crossfade_core::table::{Affinity, AffinityBy, SameSite};
///
/// let by = AffinityBy::Cookie { same_site: SameSite::Strict, path: "shop".into() };
/// assert!(by.check().unwrap_err().to_string().contains("it must be a path such as `/shop`"));
///
/// let affinity = Affinity { by: AffinityBy::default(), salt: "rel-7".into() };
/// assert_eq!(serde_json::to_string(&affinity).unwrap(), r#"{"by":"cookie","salt":"rel-7"}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Affinity {
    /// What recognises a visitor.
    #[serde(flatten)]
    pub by: AffinityBy,
    /// Changes who is among the first; a new one with every release.
    pub salt: String,
}

/// What recognises a visitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum AffinityBy {
    /// A cookie with an opaque id; before the first answer, the client's address and browser.
    Cookie {
        /// Which of the visitor's requests carry it. Default: `lax`.
        #[serde(skip_serializing_if = "is_lax")]
        same_site: SameSite,
        /// Below which path. Default: `/`. Another one rules out the `__Host-` prefix.
        #[serde(skip_serializing_if = "is_root")]
        path: String,
    },
    /// A request header, such as one with a user's id; requests without it count by address and browser.
    Header {
        /// Its name, in lower case.
        header: String,
    },
    /// The client's address and browser alone; no cookie is ever set.
    Address,
}

/// A cookie's `SameSite` (<https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#samesitesamesite-value>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SameSite {
    /// Sent when somebody follows a link from elsewhere, not with what other sites embed.
    #[default]
    Lax,
    /// Only from the site itself.
    Strict,
    /// Also with what other sites embed; browsers then want `Secure`.
    None,
}

impl Default for AffinityBy {
    fn default() -> Self {
        Self::Cookie { same_site: SameSite::Lax, path: "/".into() }
    }
}

impl AffinityBy {
    /// The invariants.
    ///
    /// # Errors
    /// The field that breaks one, with its value.
    pub fn check(&self) -> Result<(), TableError> {
        match self {
            Self::Cookie { path, .. } => name::check_cookie_path("affinity.path", path),
            Self::Header { header } => name::check_header("affinity.header", header),
            Self::Address => Ok(()),
        }
    }
}

fn is_lax(same_site: &SameSite) -> bool {
    *same_site == SameSite::Lax
}

fn is_root(path: &str) -> bool {
    path == "/"
}
