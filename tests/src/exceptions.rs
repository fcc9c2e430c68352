//! Where Cloudflare's own description of its API is not what Cloudflare does: each place, and why we know better.

use crossfade_sandbox::Exchange;
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
    /// This query parameter is taken too.
    AlsoTakes(&'static str),
    /// Any of these will do, not exactly one.
    AnyOf,
    /// It is a failure of Workers, and no success beside.
    Failure,
}

use Change::{AlsoAs, AlsoTakes, AnyOf, Failure, Optional, OrNull, Without};

const SCRIPT: &str = "/paths/~1accounts~1{account_id}~1workers~1scripts~1{script_name}";
const KV_VALUE: &str =
    "/paths/~1accounts~1{account_id}~1storage~1kv~1namespaces~1{namespace_id}~1values~1{key_name}";

/// Place (a JSON pointer, [`KV_VALUE`] in front of those that begin with `KV`, [`SCRIPT`] of those with `S`), change, reason.
const EXCEPTIONS: [(&str, Change, &str); 26] = [
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
    (
        "/components/schemas/workers-kv_bulk-get-result/properties/values/additionalProperties",
        OrNull,
        "a key that is not there has no value; with metadata it is described so",
    ),
    (
        "/paths/~1accounts~1{account_id}~1storage~1kv~1namespaces~1{namespace_id}/delete/requestBody",
        Without("required"),
        "a body is required that may be anything; wrangler sends none",
    ),
    (
        "/components/schemas/workers_binding_kind_secret_text",
        Optional("text"),
        "it is write-only, but required, also of an answer",
    ),
    (
        "/components/schemas/workers_deployment",
        Optional("id"),
        "it is read-only, but required, also of a request",
    ),
    ("/components/schemas/workers_deployment", Optional("source"), "the same"),
    ("/components/schemas/workers_deployment", Optional("created_on"), "the same"),
    (
        "/components/schemas/workers_multipart-script/properties/metadata/properties/migrations",
        AnyOf,
        "several steps also count as a single one of no kind",
    ),
    (
        "/components/schemas/zones_zone/properties/name",
        Without("pattern"),
        "a name has a dot, but the sandbox's zone is this machine",
    ),
    (
        "/components/schemas/dns-records_dns-record-response",
        Optional("data"),
        "only records of several fields have it",
    ),
    (
        "/components/schemas/workers_deployment/properties/versions/items/properties/percentage",
        Without("minimum"),
        "at least 0.01, but a version that only overrides reach is deployed at 0 %",
    ),
    ("/components/schemas/workers_route", Optional("id"), "it is read-only, but required, also of a request"),
    (
        "/components/schemas/workers_Domain",
        Optional("id"),
        "it is read-only, but required, also of a request",
    ),
    ("/components/schemas/workers_Domain", Optional("cert_id"), "the same"),
    (
        "S/delete/requestBody",
        Without("required"),
        "a body is required that may be anything; wrangler sends none",
    ),
    ("S/put", AlsoTakes("excludeScript"), "wrangler sends it with every script"),
    (
        "S~1versions~1{version_id}/get/responses/4XX/content/application~1json/schema",
        Failure,
        "a failure must be a success as well",
    ),
    ("S~1versions/post/responses/4XX/content/application~1json/schema", Failure, "the same"),
];

/// Makes the exceptions in the description. One that changes nothing any more is an exception no more, and fails.
pub(crate) fn make(document: &mut Value) {
    for (place, change, reason) in EXCEPTIONS {
        let pointer = match (place.strip_prefix("KV"), place.strip_prefix('S')) {
            (Some(rest), _) => format!("{KV_VALUE}{rest}"),
            (None, Some(rest)) => format!("{SCRIPT}{rest}"),
            (None, None) => place.to_owned(),
        };
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
            AnyOf => {
                let choices = schema.as_object_mut().unwrap().remove("oneOf").unwrap();
                schema["anyOf"] = choices;
            }
            AlsoTakes(name) => {
                let parameter = json!({ "name": name, "in": "query", "schema": {} });
                schema["parameters"].as_array_mut().unwrap().push(parameter);
            }
            Failure => {
                *schema = json!({ "$ref": "#/components/schemas/workers_api-response-common-failure" })
            }
            AlsoAs(media_type, other) => schema[media_type] = before[other].clone(),
        }
        assert_ne!(*schema, before, "{pointer} is right by now ({reason})");
    }
}

/// Paths that wrangler asks for and the description does not have.
const UNDOCUMENTED: [(&str, &str); 4] = [
    ("/workers/services/", "how wrangler asks whether there is a script"),
    ("/routes", "how wrangler sets a script's routes; the zone's own path is described"),
    ("/domains/changeset", "how wrangler finds out what custom domains would change"),
    ("/domains/records", "how wrangler sets custom domains"),
];

/// Whether a call is one of those.
pub(crate) fn is_undocumented(exchange: &Exchange) -> bool {
    let path = &exchange.path;
    UNDOCUMENTED
        .iter()
        .any(|(place, _)| path.ends_with(place) || (place.ends_with('/') && path.contains(place)))
}
