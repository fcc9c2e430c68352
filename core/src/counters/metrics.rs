//! Questions and answers of `/__crossfade/metrics`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Subject, Tally};
use crate::Timestamp;

/// What is answered when nobody says from when on.
const FROM_DEFAULT: Duration = Duration::from_secs(3600);
/// The longest period that is told second by second.
const BY_SECOND_MAX: Duration = Duration::from_secs(3600);

/// A question.
///
/// ```
/// use crossfade_core::{Timestamp, counters::{By, Query, metrics::Format}};
///
/// let query = Query::parse([("by", "second"), ("from", "2026-01-31T12:00:00Z")])?;
/// assert_eq!((query.by, query.format), (By::Second, Format::Json));
/// let noon = Timestamp::parse("2026-01-31T12:00:00Z").unwrap();
/// assert_eq!(query.begin(noon.plus(std::time::Duration::from_secs(60))), noon);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Whose traffic; only named in the answer.
    pub environment: String,
    /// From when on; an hour before the end when nothing is said.
    pub from: Option<Timestamp>,
    /// Up to when; the whole seconds that are over when it is later, or nothing is said.
    pub to: Option<Timestamp>,
    /// How it is split.
    pub by: By,
    /// The form of the answer.
    pub format: Format,
}

/// How an answer is split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// One sum for each subject.
    #[default]
    Total,
    /// One for each subject and second.
    Second,
    /// One for each subject since the object began, whatever the period.
    Ever,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    #[default]
    Json,
    /// Prometheus' text format, always of [`By::Ever`].
    Prometheus,
}

impl Query {
    /// From the pairs of a URL's query; names it does not know are ignored.
    ///
    /// # Errors
    /// In words, when a value makes no sense.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut query = Self::default();
        for (name, value) in pairs {
            match name {
                "environment" => query.environment = value.to_owned(),
                "from" => query.from = Some(time(name, value)?),
                "to" => query.to = Some(time(name, value)?),
                "by" => {
                    query.by = match value {
                        "total" => By::Total,
                        "second" => By::Second,
                        "ever" => By::Ever,
                        _ => return Err(format!("`by` is `total`, `second` or `ever`, not `{value}`")),
                    }
                }
                "format" => {
                    query.format = match value {
                        "json" => Format::Json,
                        "prometheus" => Format::Prometheus,
                        _ => return Err(format!("`format` is `json` or `prometheus`, not `{value}`")),
                    }
                }
                _ => {}
            }
        }
        if query.format == Format::Prometheus {
            query.by = By::Ever;
        }
        if let (Some(from), Some(to)) = (query.from, query.to)
            && (from > to || query.by == By::Second && to.since(from) > BY_SECOND_MAX)
        {
            return Err("`from` is before `to`, and by the second at most an hour".into());
        }
        Ok(query)
    }

    /// From when on, for an answer up to `to`.
    pub fn begin(&self, to: Timestamp) -> Timestamp {
        let default = || to.minus(FROM_DEFAULT);
        let from = self.from.unwrap_or_else(default).min(to);
        if self.by == By::Second { from.max(to.minus(BY_SECOND_MAX)) } else { from }
    }
}

/// As a URL's query, without a question mark.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            By::Total => "total",
            By::Second => "second",
            By::Ever => "ever",
        };
        let format = match self.format {
            Format::Json => "json",
            Format::Prometheus => "prometheus",
        };
        write!(f, "format={format}&by={by}&environment={}", self.environment)?;
        for (name, time) in [("from", self.from), ("to", self.to)] {
            if let Some(time) = time {
                write!(f, "&{name}={}", time.as_millis())?;
            }
        }
        Ok(())
    }
}

/// Milliseconds since 1970, or RFC 3339.
fn time(name: &str, value: &str) -> Result<Timestamp, String> {
    let millis = value.parse().ok().map(Timestamp::from_millis);
    millis.or_else(|| Timestamp::parse(value)).ok_or_else(|| {
        format!("`{name}` is a time: milliseconds since 1970 or `2026-01-31T12:00:00Z`, not `{value}`")
    })
}

/// An answer: what was counted in `[from, to)`, complete and never changed again.
///
/// ```
/// use crossfade_core::counters::{Metrics, Series, prometheus};
///
/// let answer = |requests: u64| -> Metrics {
///     serde_json::from_value(serde_json::json!({
///         "schema": 1, "environment": "production", "from": 0, "to": 60_000, "until": 60_000,
///         "series": [{"revision": 42, "release": "rel-7", "variant": "green", "version": "1.5.0",
///                     "requests": requests, "errors": 0, "latency": [0]}],
///     })).unwrap()
/// };
/// // Two objects' answers to one question.
/// let all = Metrics::merged([answer(2), answer(3)]).unwrap();
/// let Series { tally, .. } = &all.series[0];
/// assert_eq!(tally.requests, 5);
/// assert!(prometheus::text(&all).contains("crossfade_requests_total{environment=\"production\""));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// Whose traffic.
    pub environment: String,
    /// From when on, inclusive.
    #[serde(with = "millis")]
    pub from: Timestamp,
    /// Up to when, exclusive; never later than `until`. The next question begins here.
    #[serde(with = "millis")]
    pub to: Timestamp,
    /// Up to when one could have asked.
    #[serde(with = "millis")]
    pub until: Timestamp,
    /// Subjects with a count, by second when that was asked for.
    pub series: Vec<Series>,
}

/// What was counted of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The second, when the answer is split by seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "millis::optional")]
    pub at: Option<Timestamp>,
    /// The subject.
    #[serde(flatten)]
    pub subject: Subject,
    /// Its counts.
    #[serde(flatten)]
    pub tally: Tally,
}

impl Metrics {
    /// One answer out of those of an environment's objects to one question; `None` of none.
    pub fn merged(answers: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut answers = answers.into_iter();
        let mut all = answers.next()?;
        let mut series = BTreeMap::new();
        let mut add = |of: Vec<Series>| {
            for Series { at, subject, tally } in of {
                let sum: &mut Tally = series.entry((at, subject)).or_default();
                sum.merge(&tally);
            }
        };
        add(std::mem::take(&mut all.series));
        for answer in answers {
            all.from = all.from.min(answer.from);
            all.to = all.to.min(answer.to);
            all.until = all.until.min(answer.until);
            add(answer.series);
        }
        let one = |((at, subject), tally)| Series { at, subject, tally };
        all.series = series.into_iter().map(one).collect();
        Some(all)
    }
}

/// Milliseconds since 1970, as a number.
mod millis {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::Timestamp;

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(time.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_millis)
    }

    pub(super) mod optional {
        use super::{Deserializer, Serializer, Timestamp};

        pub(in super::super) fn serialize<S: Serializer>(
            time: &Option<Timestamp>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            super::deserialize(deserializer).map(Some)
        }
    }
}
