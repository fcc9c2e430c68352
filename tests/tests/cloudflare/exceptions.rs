//! Where Cloudflare's own description of its API is not what Cloudflare does: each place, and why we know better.

use serde_json::{Value, json};

/// What is changed at a place.
pub(crate) enum Change {
    /// This keyword is taken away.
    Without(&'static str),
    /// This property is not required.
    Optional(&'static str),
    /// `null` is a value too.
    OrNull,
    /// A body of this media type is as one of the other.
    AlsoAs(&'static str, &'static str),
}

use Change::{AlsoAs, Optional, OrNull, Without};

const KV_VALUE: &str =
    "/paths/~1accounts~1{account_id}~1storage~1kv~1namespaces~1{namespace_id}~1values~1{key_name}";

/// Place (a JSON pointer, [`KV_VALUE`] in front of those that begin with `KV`), change, reason.
const EXCEPTIONS: [(&str, Change, &str); 9] = [
    (
        "/components/schemas/pages_identifier",
        Without("maxLength"),
        "at most 32 characters, but a deployment's id is a UUID of 36",
    ),
    (
        "/components/schemas/pages_project/properties/latest_deployment",
        OrNull,
        "nullable, but combined with a schema that is not; a new project has no deployment",
    ),
    (
        "/components/schemas/pages_project/properties/canonical_deployment",
        OrNull,
        "the same, for a project without a production deployment",
    ),
    (
        "/components/schemas/pages_deployment",
        Optional("source"),
        "a whole Git configuration is required, which a direct upload does not have",
    ),
    (
        "/components/schemas/pages_messages/items/properties/code",
        Without("minimum"),
        "at least 1000, but the rate limiter's code is 971",
    ),
    (
        "/components/schemas/workers-kv_messages/items/properties/code",
        Without("minimum"),
        "the same, in KV's copy of it",
    ),
    (
        "KV/delete/requestBody",
        Without("required"),
        "a body is required, but there is nothing to say; wrangler sends none",
    ),
    (
        "KV/put/requestBody/content",
        AlsoAs("text/plain", "application/octet-stream"),
        "wrangler's plain `kv key put` says text/plain",
    ),
    (
        "/paths/~1accounts~1{account_id}~1pages~1projects/post/requestBody/content",
        AlsoAs("text/plain", "application/json"),
        "wrangler's `pages project create` says text/plain",
    ),
];

/// Makes the exceptions in the description. One that changes nothing any more is an exception no more, and fails.
pub(crate) fn make(document: &mut Value) {
    for (place, change, reason) in EXCEPTIONS {
        let pointer =
            place.strip_prefix("KV").map_or_else(|| place.to_owned(), |rest| format!("{KV_VALUE}{rest}"));
        let schema = document.pointer_mut(&pointer).unwrap_or_else(|| panic!("{pointer} is gone ({reason})"));
        let before = schema.clone();
        match change {
            Without(keyword) => {
                schema.as_object_mut().unwrap().remove(keyword);
            }
            Optional(property) => {
                schema["required"].as_array_mut().unwrap().retain(|required| required != property);
            }
            OrNull => *schema = json!({ "anyOf": [{ "type": "null" }, before] }),
            AlsoAs(media_type, other) => schema[media_type] = before[other].clone(),
        }
        assert_ne!(*schema, before, "{pointer} is right by now ({reason})");
    }
}
