//! Typos in `[[notifications]]` and `[monitor]`.

use super::config::{example, validate};

#[test]
fn what_is_wrong_with_a_notification_is_said_with_its_remedy_and_without_secrets() {
    for (text, said) in [
        ("name = \"x\"", "one of `file`, `url` and `slack`"),
        ("file = \"a\"\nslack = \"{{env.CHAT}}\"", "one of `file`, `url` and `slack`"),
        ("file = \"a\"\nhmac = \"KEY\"", "`hmac` is for a webhook, and this is a file"),
        ("slack = \"{{env.CHAT}}\"\nbearer = \"KEY\"", "`bearer` is for a webhook, and this is a chat"),
        ("file = \"a\"\nretries = 1", "`retries` is for what is sent"),
        ("file = \"a\"\nevents = []", "`events` is empty"),
        ("file = \"a\"\nevents = [\"deployment_begun\"]", "unknown variant `deployment_begun`"),
        ("slack = \"https://hooks.slack.com/services/T0/B0/4711\"", "the address of a chat is a secret"),
        ("url = \"http://hooks.example.com\"", "secrets would travel"),
        (
            "url = \"https://hooks.example.com\"\nhmac = \"4711-value\"",
            "must be the name of an environment variable",
        ),
        ("url = \"https://hooks.example.com\"\ncolour = \"red\"", "unknown field `colour`"),
    ] {
        let ended = validate(&format!("{}\n[[notifications]]\n{text}\n", example())).expect(2).says(&[said]);
        assert!(!ended.stderr.contains("4711"), "{}", ended.stderr);
    }
}

#[test]
fn what_is_wrong_with_an_alert_is_said_with_its_remedy() {
    let rule = |name: &str, measure: &str, when: &str| {
        format!(
            "[[monitor.alerts]]\nname = \"{name}\"\nmeasure = {measure}\nwhen = {when}\nseverity = \"warning\"\n"
        )
    };
    let fine = rule("slow", "{ quantile-seconds = 0.95 }", "{ above = 2.0 }");
    for (text, said) in [
        ("[monitor]\nevery = \"0s\"".to_owned(), "`monitor.every` is 0 s: it must be longer than nothing"),
        ("[monitor]\nevery = \"2h\"".to_owned(), "`monitor.every` is 2 h: it must be at most 1 h"),
        (rule("a", "\"reading\"", "{ above = 1.0 }"), "`measure` is `reading`, which only an analysis has"),
        (
            rule("a", "{ quantile-seconds = 95.0 }", "{ above = 1.0 }"),
            "the quantile is 95: it must be 0 to 1",
        ),
        (rule("a", "\"error-rate\"", "{ above = -1.0 }"), "`when` compares with -1: it must be 0 or more"),
        (rule("not measured", "\"error-rate\"", "{ above = 0.1 }"), "`not measured` exists twice"),
        (format!("{fine}{fine}"), "`slow` exists twice"),
        (rule(" ", "\"error-rate\"", "{ above = 0.1 }"), "reports need a name"),
    ] {
        validate(&format!("{}\n{text}\n", example())).expect(2).says(&[said]);
    }
    validate(&format!("{}\n[monitor]\nevery = \"1m\"\n{fine}", example())).expect(0);
}
