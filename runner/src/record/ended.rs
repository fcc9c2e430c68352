//! How a release ended.

use crossfade_core::Timestamp;
use serde::{Deserialize, Serialize};

/// How a release ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// `promoted`, `not-started`, `rolled-back`, `superseded`, `stuck`; `shifted` by hand; `abandoned` when it never said.
    pub outcome: String,
    /// One sentence.
    pub text: String,
}

impl Ended {
    /// What outcome and version do not say: a release's last line names both itself.
    pub fn reason(&self, version: &str) -> &str {
        let outcome = self.outcome.replace('-', " ");
        let text = self.text.as_str();
        let after = |said: &str| text.strip_prefix(said)?.strip_prefix(": ");
        after(&format!("{outcome} {version}"))
            .or_else(|| after(&outcome))
            .or_else(|| after(&format!("{version} was not released")))
            .unwrap_or(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_history_says_nothing_twice() {
        for (outcome, text, said) in [
            ("promoted", "promoted 1.1.0: it serves everybody", "it serves everybody"),
            ("rolled-back", "rolled back 1.1.0: health failed", "health failed"),
            ("not-started", "1.1.0 was not released: smoke: red", "smoke: red"),
            ("superseded", "superseded: rel-7 took over", "rel-7 took over"),
            ("stuck", "stuck: no answer", "no answer"),
            (
                "promoted",
                "blue 1.1.0 serves everybody (revision 7)",
                "blue 1.1.0 serves everybody (revision 7)",
            ),
        ] {
            let ended = Ended { at: crate::report::now(), outcome: outcome.into(), text: text.into() };
            assert_eq!(ended.reason("1.1.0"), said);
        }
    }
}
