//! `action.yml`, as far as the runner needs it.

use std::collections::BTreeMap;

use crossfade_tests::root;
use serde::Deserialize;

/// The action.
pub(crate) struct Metadata {
    defaults: BTreeMap<String, String>,
    /// Scripts, relative to the workspace.
    pub(crate) main: String,
    pub(crate) post: String,
    /// When `post` runs.
    pub(crate) post_if: String,
}

#[derive(Deserialize)]
struct File {
    inputs: BTreeMap<String, Input>,
    runs: Runs,
}

#[derive(Deserialize)]
struct Input {
    #[serde(default)]
    default: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Runs {
    main: String,
    post: String,
    post_if: String,
}

impl Metadata {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let text = std::fs::read_to_string(root().join("action.yml")).unwrap();
        let file: File = serde_saphyr::from_str(&text).unwrap();
        let Runs { main, post, post_if } = file.runs;
        let defaults = file.inputs.into_iter().map(|(name, input)| (name, input.default)).collect();
        Self { defaults, main, post, post_if }
    }

    /// The variables of a step with these inputs; those that it does not give have their defaults.
    pub(crate) fn inputs(&self, given: &[(&'static str, String)]) -> BTreeMap<String, String> {
        let mut inputs: BTreeMap<&str, &str> =
            self.defaults.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for (name, value) in given {
            assert!(inputs.insert(name, value).is_some(), "action.yml has no input `{name}`");
        }
        let variable = |(name, value): (&str, &str)| {
            // The only expression that a default of ours has.
            let value = value.replace("${{ github.sha }}", "0123456789abcdef0123456789abcdef01234567");
            assert!(!value.contains("${{"), "`{value}` is a default that this executor does not know");
            (format!("INPUT_{}", name.to_uppercase().replace(' ', "_")), value)
        };
        inputs.into_iter().map(variable).collect()
    }
}
