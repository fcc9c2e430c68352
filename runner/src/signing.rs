//! The routing table as it is written to KV. In: a table. Out: its document, signed when there is a key.
//!
//! Every table that this program writes passes here. What is signed, and where the signature stands, is
//! [`crossfade_core::signature`]'s; the cryptography is RustCrypto's.

use crossfade_core::{RoutingTable, signature};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The variable that holds the key.
pub const SIGNING_KEY: &str = "CROSSFADE_SIGNING_KEY";

/// The secret that the router knows as `SIGNING_KEY`. It never appears in a message.
#[derive(Clone, Default)]
pub struct Signer(Option<String>);

impl Signer {
    /// A signer with the key from the environment; without one tables are not signed.
    pub const fn new(key: Option<String>) -> Self {
        Self(key)
    }

    /// The document.
    pub fn document(&self, table: &RoutingTable) -> String {
        let document = table.to_json();
        let Some(key) = &self.0 else { return document };
        signed(&document, key).expect("a table's document is a JSON object")
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Signer(…)" } else { "Signer(none)" })
    }
}

fn signed(document: &str, key: &str) -> Result<String, crossfade_core::table::TableError> {
    let message = signature::take_apart(document.as_bytes())?.message;
    signature::put(document.as_bytes(), &hmac_sha256(key, &[&message]))
}

/// The HMAC-SHA256 of these parts, one behind the other.
pub(crate) fn hmac_sha256(key: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"{"schema":1,"environment":"production","revision":7,"release":"rel-7",
        "updated_at":"2026-01-31T12:00:00Z","stable":"a","affinity":{"by":"cookie","salt":"s"},
        "variants":[{"name":"a","origin":"https://a.example","version":"1","weight":10000}]}"#;

    fn table() -> RoutingTable {
        RoutingTable::parse(TABLE.as_bytes()).unwrap()
    }

    #[test]
    fn a_signed_document_is_the_same_table_and_has_the_signature_that_openssl_makes() {
        let document = Signer::new(Some("key".into())).document(&table());
        assert_eq!(RoutingTable::parse(document.as_bytes()).unwrap(), table());
        let signature = signature::take_apart(document.as_bytes()).unwrap().signature.unwrap();
        let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        // openssl dgst -sha256 -hmac key, of the table above with its keys in order and without blanks.
        assert_eq!(hex, "839f659b09e8dd7e30d00779fe7e86c15b55fede56b05acbe2e853c7650d6454");
    }

    #[test]
    fn without_a_key_nothing_is_signed_and_the_key_is_shown_to_nobody() {
        assert_eq!(Signer::default().document(&table()), table().to_json());
        let signer = Signer::new(Some("a secret".into()));
        assert!(!format!("{signer:?}").contains("secret"));
        assert!(!signer.document(&table()).contains("secret"));
    }
}
