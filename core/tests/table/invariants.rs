//! What holds for every table that was read.

use crossfade_core::RoutingTable;
use proptest::prelude::*;

/// Every invariant of `core::table`, said once more and by other means.
pub(crate) fn invariants_hold(table: &RoutingTable) -> Result<(), TestCaseError> {
    let variants = table.variants();
    prop_assert!((1..=16).contains(&variants.len()));
    prop_assert!(table.revision().number() >= 1);
    let sum: u64 = variants.iter().map(|variant| u64::from(variant.weight.basis_points())).sum();
    prop_assert_eq!(sum, 10_000);
    for (index, variant) in variants.iter().enumerate() {
        prop_assert!(is_name(variant.name.as_str()), "{}", variant.name);
        prop_assert!(variants[index + 1..].iter().all(|other| other.name != variant.name));
        prop_assert!(fits_a_header(variant.version.as_str()), "{}", variant.version);
        prop_assert!(is_origin(variant.origin.as_str()), "{}", variant.origin);
    }
    prop_assert!(variants.iter().filter(|variant| variant.name == table.stable().name).count() == 1);
    prop_assert!(table.previous().len() <= 5);
    for older in table.previous() {
        prop_assert!(is_origin(older.origin.as_str()) && fits_a_header(older.version.as_str()));
    }
    prop_assert!(is_name(table.environment().as_str()));
    prop_assert!(fits_a_header(table.release().as_str()) && fits_a_header(&table.affinity().salt));
    Ok(())
}

fn fits_a_header(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.chars().all(|c| (' '..='~').contains(&c) && c != '"' && c != '\\')
}

fn is_name(text: &str) -> bool {
    let (mut letters, allowed) = (text.chars(), |c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    letters.next().is_some_and(allowed) && text.len() <= 32 && letters.all(|c| allowed(c) || c == '-')
}

/// Nothing in an origin can lead a request to another host, another path or over an open line.
fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let (host, port) = rest.split_once(':').unwrap_or((rest, "443"));
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    let is_local = host == "localhost" || host.starts_with("127.");
    (scheme == "https" || scheme == "http" && is_local)
        && host.chars().all(is_plain)
        && !host.is_empty()
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}
