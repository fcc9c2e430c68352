//! The JSON Schema of `crossfade.toml`, which editors check it by.

use crossfade_tests::{Ended, crossfade, root};
use serde_json::Value;

#[test]
fn the_schema_knows_a_hook_from_what_is_none() {
    let mut command = crossfade();
    command.arg("schema");
    let schema: Value = serde_json::from_str(&Ended::of(command).expect(0).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let example = std::fs::read_to_string(root().join("example/crossfade.toml")).unwrap();
    let is_valid = |hooks: &str| {
        let file: Value =
            toml::from_str(&example.replacen("[hooks]", &format!("[hooks]\n{hooks}"), 1)).unwrap();
        let errors: Vec<String> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
        println!("{hooks}: {errors:?}");
        errors.is_empty()
    };
    for good in [
        "confirm_rollout = [{ url = \"https://a.example\", hmac = \"KEY\", wait_max = \"1h\", metadata = { a = 1 } }]",
        "event = [{ run = \"true\", name = \"bell\", retries = 2, timeout = \"5s\" }]",
    ] {
        assert!(is_valid(good));
    }
    for bad in [
        "confirm_rolout = []",
        "event = [{ name = \"chat\" }]",
        "event = [{ run = \"true\", url = \"https://a.example\" }]",
        "event = [{ run = \"true\", tmieout = \"5s\" }]",
        "event = [{ run = \"true\", retries = \"two\" }]",
    ] {
        assert!(!is_valid(bad));
    }
}
