use super::*;

const BASE: &str = r#"
project = "booking"
[environments.production]
url = "https://booking.example.com"
kv_namespace = "0f2ac74b498b48028cb68387c421e279"
"#;

fn outlook(toml: &str, requests_per_second: Option<f64>) -> Outlook {
    let config = Config::parse(&format!("{BASE}{toml}")).unwrap();
    let (name, environment) = config.environments.first_key_value().unwrap();
    Outlook::of(&config, (name, environment), requests_per_second).unwrap()
}

#[test]
fn a_plan_is_told_as_people_read_it() {
    insta::assert_snapshot!("blue_green", outlook("", None));
    let unheld = outlook("", Some(20.0)).to_string();
    assert!(unheld.contains("until one measurement passes; 6600 at risk"), "{unheld}");
    insta::assert_snapshot!("canary", outlook("[rollout]\nstrategy = \"canary\"", Some(200.0)));
    let gates = r#"
        [hooks]
        build = { run = "make" }
        database = { run = "make migrate" }
        confirm_promotion = [{ url = "https://ops.example.com" }]
        [version]
        path = "/version.json"
        [rollout]
        settle_approval = true
        steps = [{ weight = "5%", hold = "90s", approval = true, approve_within = "30m" }]
        [[health]]
        name = "home"
        path = "/"
    "#;
    insta::assert_snapshot!("gates", outlook(gates, None));
}

#[test]
fn a_fleets_batches_are_told() {
    let instances: String =
        (1..=3).map(|n| format!("[[instances]]\nname = \"web-{n}\"\nproject = \"web-{n}\"\n")).collect();
    let toml = format!("[rollout]\nstrategy = \"rolling\"\n{instances}");
    insta::assert_snapshot!("rolling", outlook(&toml, None));
}

#[test]
fn programs_are_told_the_same() {
    let told = outlook("[rollout]\nstrategy = \"canary\"", Some(100.0)).to_json();
    assert_eq!(told["strategy"], "canary");
    assert_eq!(told["forecast"]["steps"][2]["begins_seconds"], 25.0 * 60.0);
    assert_eq!(told["forecast"]["steps"][2]["share"], 2_500);
    assert_eq!(told["worst_way_home_seconds"], 330.0);
    assert_eq!(told["requests"][0]["at_risk"], 330.0);
    assert_eq!(told["runner_minutes"]["shortest"], 145);
    assert_eq!(outlook("", None).to_json()["requests"], serde_json::Value::Null);
}
