use std::time::Duration;

use super::*;

fn parts(text: &str) -> Result<(AffinityBy, Policy), String> {
    let config: RouterConfig = toml::from_str(text).map_err(|error| error.to_string())?;
    config.parts(&["blue".into(), "green".into()])
}

#[test]
fn nothing_said_is_every_default_of_the_table() {
    assert_eq!(parts("").unwrap(), (AffinityBy::default(), Policy::default()));
    for text in [
        "affinity = { by = \"cookie\" }\nmirror = \"0%\"\nrules = []",
        "affinity = { by = \"cookie\", same_site = \"lax\", path = \"/\" }\nrescue = {}\nbreaker = {}",
        "rescue = { budget = \"20%\", deadline = \"10s\" }\nbreaker = { failures = 5, sweep = \"10s\", ejection = \"30s\" }",
    ] {
        assert_eq!(parts(text).unwrap(), (AffinityBy::default(), Policy::default()), "{text}");
    }
}

#[test]
fn all_that_can_be_said_is_in_the_table() {
    let (affinity, policy) = parts(
        r#"
        affinity = { by = "header", header = "x-user" }
        rescue = { budget = "0.5%", deadline = "500ms" }
        breaker = { failures = 2, sweep = "1m", ejection = "1h" }
        mirror = "5%"
        rules = [
          { to = "canary", header = { name = "x-team", exact = "qa" } },
          { to = "blue", path = { prefix = "/old/" }, country = ["DE", "T1"] },
          { to = "stable", cookie = { name = "Plan", contains = "free" }, path = { present = true } },
        ]"#,
    )
    .unwrap();
    assert_eq!(affinity, AffinityBy::Header { header: "x-user".into() });
    let json = serde_json::to_value(&policy).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "rescue": { "budget": 50, "deadline_ms": 500 },
            "breaker": { "failures": 2, "sweep_ms": 60_000, "ejection_ms": 3_600_000 },
            "mirror": { "to": "canary", "weight": 500 },
            "rules": [
                { "to": "canary", "header": { "name": "x-team", "exact": "qa" } },
                { "to": "blue", "path": { "prefix": "/old/" }, "country": ["DE", "T1"] },
                { "to": "stable", "cookie": { "name": "Plan", "contains": "free" }, "path": { "present": true } },
            ],
        })
    );
    assert_eq!(policy.rescue.deadline, Duration::from_millis(500));
    let affinity = |text: &str| parts(&format!("affinity = {text}")).unwrap().0;
    assert_eq!(affinity("{ by = \"address\" }"), AffinityBy::Address);
    assert_eq!(
        affinity("{ by = \"cookie\", same_site = \"none\", path = \"/shop\" }"),
        AffinityBy::Cookie { same_site: SameSite::None, path: "/shop".into() }
    );
}

#[test]
fn what_makes_no_sense_is_named_by_field_value_and_remedy() {
    let many = format!("rules = [{}]", "{ to = \"canary\" },".repeat(17));
    for (text, says) in [
        ("afinity = {}", "unknown field `afinity`"),
        ("affinity = { by = \"ip\" }", "unknown variant `ip`"),
        ("affinity = { by = \"cookie\", header = \"x\" }", "unknown field `header`"),
        ("affinity = { by = \"address\", path = \"/\" }", "unknown field `path`"),
        ("affinity = { by = \"header\" }", "missing field `header`"),
        (
            "affinity = { by = \"header\", header = \"X-User\" }",
            "`router.affinity.header` is `X-User`: a header's name",
        ),
        (
            "affinity = { by = \"cookie\", path = \"shop\" }",
            "`router.affinity.path` is `shop`: it must be a path",
        ),
        ("affinity = { by = \"cookie\", path = \"/a; b\" }", "`router.affinity.path`"),
        ("affinity = { by = \"cookie\", same_site = \"Lax\" }", "unknown variant `Lax`"),
        ("rescue = { share = \"5%\" }", "unknown field `share`"),
        ("rescue = { budget = \"200%\" }", "`200%` is not a share"),
        ("rescue = { deadline = \"0s\" }", "`router.rescue.deadline`: it must be 1ms to 1h"),
        ("rescue = { deadline = \"2h\" }", "`router.rescue.deadline`: it must be 1ms to 1h"),
        ("breaker = { sweep = \"500us\" }", "`router.breaker.sweep`: it must be 1ms to 1h"),
        ("breaker = { failures = -1 }", "invalid value"),
        ("mirror = 5", "invalid type"),
        ("rules = [{}]", "missing field `to`"),
        ("rules = [{ to = \"canary\", host = \"x\" }]", "unknown field `host`"),
        (
            "rules = [{ to = \"red\" }]",
            "`router.rules[0].to` is `red`: it must be `canary`, `stable` or one of `rollout.slots`",
        ),
        ("rules = [{ to = \"blue\" }, { to = \"Green\" }]", "`router.rules[1].to` is `Green`: a name is"),
        (
            "rules = [{ to = \"canary\", path = {} }]",
            "`router.rules[0].path`: a condition has exactly one of",
        ),
        ("rules = [{ to = \"canary\", path = { present = false } }]", "`router.rules[0].path`: a condition"),
        ("rules = [{ to = \"canary\", path = { regex = \"x\" } }]", "unknown field `regex`"),
        (
            "rules = [{ to = \"canary\", cookie = { name = \"a\", exact = \"b\", present = true } }]",
            "`router.rules[0].cookie`: a",
        ),
        ("rules = [{ to = \"canary\", header = { exact = \"b\" } }]", "missing field `name`"),
        (
            "rules = [{ to = \"canary\", header = { name = \"X\", exact = \"b\" } }]",
            "`router.rules[0].header.name` is `X`",
        ),
        (
            "rules = [{ to = \"canary\", country = [\"DE\", \"Germany\"] }]",
            "`router.rules[0].country[1]` is `Germany`",
        ),
        (&many, "`router.rules` is `17`: a table has at most 16 rules"),
    ] {
        let error = parts(text).unwrap_err();
        assert!(error.contains(says), "{text}\n`{says}` is not in:\n{error}");
    }
}
