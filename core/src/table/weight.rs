//! A variant's share of the visitors.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A share in basis points: 0 (nobody) to 10000 (everybody).
///
/// ```
/// use crossfade_core::table::Weight;
///
/// let weight = Weight::from_percent("12.5").unwrap();
/// assert_eq!(weight, Weight::new(1250).unwrap());
/// assert_eq!((weight.to_string().as_str(), weight.rest().basis_points()), ("12.5 %", 8750));
/// assert_eq!(Weight::new(10_001), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Weight(u16);

impl TryFrom<u16> for Weight {
    type Error = String;

    fn try_from(basis_points: u16) -> Result<Self, String> {
        Self::new(basis_points)
            .ok_or_else(|| format!("{basis_points} basis points are more than all (10000)"))
    }
}

impl From<Weight> for u16 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

impl Weight {
    /// Nobody.
    pub const ZERO: Self = Self(0);
    /// Everybody.
    pub const TOTAL: Self = Self(10_000);

    /// A weight from basis points; `None` above 10000.
    pub const fn new(basis_points: u16) -> Option<Self> {
        if basis_points <= Self::TOTAL.0 { Some(Self(basis_points)) } else { None }
    }

    /// Reads a percentage with at most two decimals: `5`, `12.5`, `0.01`, with or without `%`.
    /// `None` when it is not one or exceeds 100.
    pub fn from_percent(text: &str) -> Option<Self> {
        let text = text.strip_suffix('%').unwrap_or(text);
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 2 {
            return None;
        }
        let hundredths: u16 = format!("{decimals:0<2}").parse().ok()?;
        Self::new(whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(hundredths)?)
    }

    /// Basis points.
    pub const fn basis_points(self) -> u16 {
        self.0
    }

    /// What is left for the others.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self(Self::TOTAL.0 - self.0)
    }
}

impl fmt::Display for Weight {
    /// As a percentage: `5 %`, `0.01 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, hundredths) = (self.0 / 100, self.0 % 100);
        match hundredths {
            0 => write!(f, "{whole} %"),
            _ if hundredths % 10 == 0 => write!(f, "{whole}.{} %", hundredths / 10),
            _ => write!(f, "{whole}.{hundredths:02} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_read_to_the_basis_point() {
        let read = |text| Weight::from_percent(text).map(Weight::basis_points);
        for (text, basis_points) in
            [("0", 0), ("5", 500), ("12.5", 1250), ("0.01", 1), ("99.99%", 9999), ("100", 10_000)]
        {
            assert_eq!(read(text), Some(basis_points), "{text}");
        }
        for text in ["", "-1", "100.01", "101", "1.234", "1e2", "٣", ".5", "5.", "nan", "+5", "99999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn weights_are_written_as_percentages() {
        let written: Vec<_> =
            [0, 1, 10, 250, 10_000].map(|bp| Weight::new(bp).unwrap().to_string()).into_iter().collect();
        assert_eq!(written, ["0 %", "0.01 %", "0.1 %", "2.5 %", "100 %"]);
    }
}
