//! What is wrong with a routing table: the field, its value, the problem.

use std::fmt;

/// A routing table that was refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("routing table: `{field}` is {value}: {problem}")]
pub struct TableError {
    /// Where, as a path into the document: `variants[1].weight`.
    pub field: String,
    /// What stands there, shortened.
    pub value: String,
    /// Why it cannot stay.
    pub problem: Problem,
}

impl TableError {
    pub(crate) fn new(field: impl Into<String>, value: impl fmt::Display, problem: Problem) -> Self {
        /// Enough to recognise a value by; a table damaged by hand may hold a whole page.
        const SHOWN_MAX: usize = 80;
        let value: String =
            value.to_string().chars().flat_map(char::escape_debug).take(SHOWN_MAX + 1).collect();
        let value = match value.char_indices().nth(SHOWN_MAX) {
            Some((cut, _)) => format!("`{}…`", &value[..cut]),
            None => format!("`{value}`"),
        };
        Self { field: field.into(), value, problem }
    }

    pub(super) fn missing(field: impl Into<String>) -> Self {
        Self { field: field.into(), value: "missing".into(), problem: Problem::Missing }
    }
}

/// Why a field was refused; the text says what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The document is not JSON at all.
    NotJson,
    /// A field that every table has is absent.
    Missing,
    /// The value has another JSON type.
    WrongType(&'static str),
    /// Written by a newer Crossfade.
    NewerSchema,
    /// Not between 0 and 10000.
    WeightRange,
    /// The weights do not make a whole.
    WeightSum,
    /// No variant, or more than the table may have.
    VariantCount,
    /// Two variants of one name.
    DuplicateName,
    /// `stable` names no variant.
    StableUnknown,
    /// More older releases than the table may have.
    PreviousCount,
    /// Not a name.
    NotAName,
    /// Not a word that can stand in a header.
    NotAWord,
    /// Not an origin.
    NotAnOrigin,
    /// Not a date-time.
    NotATime,
    /// Revision 0.
    RevisionZero,
    /// A way of recognising visitors that this version does not know.
    UnknownAffinity,
    /// Not one of a cookie's `SameSite` values.
    UnknownSameSite,
    /// Not a path that a cookie can be limited to.
    NotAPath,
    /// A rule or mirror to a variant that is not there.
    VariantUnknown,
    /// More rules than the table may have.
    RuleCount,
    /// A condition that says nothing, or more than one thing.
    NotACondition,
    /// Not a country's code.
    NotACountry,
    /// Not a header's name in lower case.
    NotAHeader,
    /// A time beyond an hour.
    TooLong,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("the document is not JSON"),
            Self::Missing => f.write_str("every table has this field"),
            Self::WrongType(expected) => write!(f, "it must be {expected}"),
            Self::NewerSchema => f.write_str("this version reads schema 1 only; use a newer Crossfade"),
            Self::WeightRange => f.write_str("a weight is a whole number of basis points, 0 to 10000"),
            Self::WeightSum => f.write_str("the weights must make exactly 10000 basis points"),
            Self::VariantCount => f.write_str("a table has 1 to 16 variants"),
            Self::DuplicateName => f.write_str("another variant has this name"),
            Self::StableUnknown => f.write_str("no variant has this name"),
            Self::PreviousCount => f.write_str("a table lists at most 5 older releases"),
            Self::NotAName => {
                f.write_str("a name is 1 to 32 of a-z, 0-9 and `-`, beginning with a letter or digit")
            }
            Self::NotAWord => {
                f.write_str("it must be 1 to 128 printable ASCII characters except quotes and backslashes")
            }
            Self::NotAnOrigin => f.write_str(
                "an origin is `https://host[:port]` (or `http://` on a loopback host) without path",
            ),
            Self::NotATime => f.write_str("it must be an RFC 3339 date-time such as 2026-01-31T12:00:00Z"),
            Self::RevisionZero => f.write_str("revisions begin at 1"),
            Self::UnknownAffinity => {
                f.write_str("visitors are recognised by `cookie`, `header` or `address`")
            }
            Self::UnknownSameSite => f.write_str("it must be `lax`, `strict` or `none`"),
            Self::NotAPath => f.write_str("it must be a path such as `/shop`, without `;` and blanks"),
            Self::VariantUnknown => f.write_str("no variant has this name"),
            Self::RuleCount => f.write_str("a table has at most 16 rules"),
            Self::NotACondition => {
                f.write_str("a condition has exactly one of `exact`, `prefix`, `contains` and `present`")
            }
            Self::NotACountry => f.write_str("a country is two capital letters or digits such as `DE`"),
            Self::NotAHeader => f.write_str("a header's name is of a-z, 0-9 and `-`"),
            Self::TooLong => f.write_str("it must be 1 to 3600000 milliseconds"),
        }
    }
}
