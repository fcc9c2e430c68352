//! Who answers a visitor. In: a table, a visitor's id, the time. Out: a variant.
//!
//! # Method
//!
//! Weighted rendezvous hashing (Schindelhauer and Schomaker 2005, "Weighted distributed hash tables";
//! <https://www.snia.org/sites/default/files/SDC15_presentations/dist_sys/Jason_Resch_New_Consistent_Hashings_Rev.pdf>):
//! each variant draws an exponential waiting time from the hash of (salt, variant, visitor), divided by its weight, and
//! the shortest wins. The winner is variant *i* with probability wᵢ / Σw, and no draw depends on another's weight. Hence
//!
//! - raising a weight only ever moves visitors *to* that variant, lowering it only *away* from it;
//! - draining one of N variants moves its own visitors and nobody else;
//! - a new salt draws anew for everybody.
//!
//! The hash is SipHash-2-4, which is specified and so stays the same for ever; the logarithm is `libm`'s, computed in
//! software, so that the router in wasm and the program on any processor agree to the last bit.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128 as _, SipHasher24 as SipHasher24Wide};

use crate::{RoutingTable, Timestamp};

/// An opaque visitor id: 128 bits, written as 32 lower-case hex digits. It says nothing about the variant.
///
/// ```
/// use crossfade_core::assign::VisitorId;
///
/// let visitor = VisitorId::derive(["192.0.2.7", "Firefox", "de"]);
/// assert_eq!(VisitorId::parse(&visitor.to_string()), Some(visitor));
/// assert_eq!(VisitorId::from_bits(visitor.bits()), visitor);
/// assert_eq!(VisitorId::parse("somebody"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VisitorId(u128);

impl VisitorId {
    /// Reads a cookie's value. `None` when it is not an id: then the visitor counts as a new one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex =
            text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_hex { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
    }

    /// The id of a visitor without a cookie, from what all requests of a first visit have in common: the client's
    /// address, its `User-Agent`, its `Accept-Language`. Empty texts are fine.
    pub fn derive(traits: [&str; 3]) -> Self {
        let mut hasher = SipHasher24Wide::new();
        for text in traits {
            hasher.write(text.as_bytes());
            // 0xff occurs in no UTF-8 text, so ("a", "bc") and ("ab", "c") differ.
            hasher.write_u8(0xff);
        }
        Self(hasher.finish128().as_u128())
    }

    /// An id by its number.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The number.
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl std::fmt::Display for VisitorId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A table made ready for many visitors.
///
/// ```
/// # use crossfade_core::{RoutingTable, Timestamp, assign::{Assignment, Choice, VisitorId}};
/// # let json = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/example.json"));
/// let assignment = Assignment::new(RoutingTable::parse(json)?);
/// assert!(assignment.is_split());
/// assert_eq!(assignment.table().revision().number(), 42);
///
/// let during = Timestamp::parse("2026-01-31T12:04:59Z").unwrap();
/// let on_green = |bits| assignment.choose(VisitorId::from_bits(bits), during).variant == 1;
/// assert!((450..550).contains(&(0..10_000).filter(|bits| on_green(*bits)).count()));
///
/// // The lease has run out: everybody is on stable.
/// let after = Timestamp::parse("2026-01-31T12:05:00Z").unwrap();
/// assert_eq!(assignment.choose(VisitorId::from_bits(7), after), Choice { variant: 0, lapsed: true });
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Assignment {
    table: RoutingTable,
    stable: usize,
    /// Variants with a weight above 0, each with the hash of (salt, name) begun.
    draws: Vec<Draw>,
}

#[derive(Clone, Debug)]
struct Draw {
    index: usize,
    weight: f64,
    hasher: SipHasher24,
}

/// Who answers, and whether that is because the lease ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Index into [`RoutingTable::variants`].
    pub variant: usize,
    /// The lease has run out, so the weights no longer count.
    pub lapsed: bool,
}

impl Assignment {
    /// Makes a table ready.
    pub fn new(table: RoutingTable) -> Self {
        let stable_name = &table.stable().name;
        let stable = table.variants().iter().position(|variant| variant.name == *stable_name);
        let stable = stable.expect("`stable` names one of the variants");
        let salt = &table.affinity().salt;
        let draws = table
            .variants()
            .iter()
            .enumerate()
            .filter(|(_, variant)| variant.weight.basis_points() > 0)
            .map(|(index, variant)| {
                let mut hasher = SipHasher24::new();
                for text in [salt.as_str(), variant.name.as_str()] {
                    hasher.write(text.as_bytes());
                    hasher.write_u8(0xff);
                }
                Draw { index, weight: f64::from(variant.weight.basis_points()), hasher }
            })
            .collect();
        Self { table, stable, draws }
    }

    /// The table this was made from.
    pub const fn table(&self) -> &RoutingTable {
        &self.table
    }

    /// Whether visitors are split at all: more than one variant has a weight.
    pub fn is_split(&self) -> bool {
        self.draws.len() > 1
    }

    /// Who answers this visitor now.
    pub fn choose(&self, visitor: VisitorId, now: Timestamp) -> Choice {
        if self.table.lapsed(now) {
            return Choice { variant: self.stable, lapsed: true };
        }
        let variant = match self.draws.as_slice() {
            // Nothing to draw while one variant has everybody: the usual state between releases.
            [only] => only.index,
            draws => shortest(draws, visitor).unwrap_or(self.stable),
        };
        Choice { variant, lapsed: false }
    }
}

/// The variant with the shortest waiting time; the earlier one of two equal.
fn shortest(draws: &[Draw], visitor: VisitorId) -> Option<usize> {
    let mut best: Option<(f64, usize)> = None;
    for draw in draws {
        let mut hasher = draw.hasher;
        hasher.write_u128(visitor.0);
        let time = -libm::log(unit_interval(hasher.finish())) / draw.weight;
        if best.is_none_or(|(shortest, _)| time < shortest) {
            best = Some((time, draw.index));
        }
    }
    best.map(|(_, index)| index)
}

/// A hash as a number strictly between 0 and 1: its upper 53 bits, which is what a double holds, and a half.
fn unit_interval(hash: u64) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    ((hash >> 11) as f64 + 0.5) * STEP
}

#[cfg(test)]
mod tests;
