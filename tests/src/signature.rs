//! Signed tables, made without the product's own code: HMAC-SHA256 (RFC 2104) over the document without its signature, keys in
//! order, no blanks.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

/// The document with a signature; one that is there is replaced.
pub fn signed(document: &Value, key: &str) -> Value {
    let mut document = document.clone();
    document.as_object_mut().unwrap().remove("signature");
    let signature = hmac_sha256(key, document.to_string().as_bytes());
    document["signature"] = format!("hmac-sha256={signature}").into();
    document
}

/// In hexadecimal.
pub fn hmac_sha256(key: &str, message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, section 4.3.
    #[test]
    fn it_is_the_hmac_of_the_standard() {
        assert_eq!(
            hmac_sha256("Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
