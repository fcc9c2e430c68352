//! The sequential judge on the router's counters, from end to end.

use crossfade_sandbox::Counters;
use serde_json::Value;

use crate::door::Door;
use crate::{Pages, Stage, looks};

/// Quick, and content with a few hundred requests.
const ANALYSIS: &str = "[analysis]\nevery = \"1s\"\nretries = 0\n\n\
     [analysis.sequential]\nsettle = \"0s\"\nmargin = 0.05\ndispersion = 1.0\nresponse_time = \"500ms\"\n\n\
     [router]\nrescue = { budget = \"100%\" }\n";
const QUARTER: &str = r#"steps = [{ weight = "5%", hold = "1s" }, { weight = "25%", hold = "1h" }]
on_inconclusive = "promote""#;

fn of<'a>(looks: &'a [Value], verdict: &str) -> Option<&'a Value> {
    looks.iter().find(|look| look["verdict"] == verdict)
}

#[test]
fn a_canary_that_fails_or_is_slow_from_a_quarter_on_is_rolled_back_although_its_checks_pass() {
    for (pages, why) in [
        (Pages::Failing { one_of: 2 }, "the canary fails more than"),
        (Pages::Slow, "the canary is slower than"),
    ] {
        let stage = Stage::new(QUARTER, ANALYSIS);
        let (asked, failed, ended) = stage.visited(|| {
            let mut running = stage.begin();
            running.until("\"weight\":2500");
            stage.are(pages);
            running.end().expect(4)
        });
        assert!(ended.error().contains(why), "{}", ended.stderr);
        assert!(stage.serves("1.0.0"));
        assert_eq!(failed, [""; 0], "of {asked}: what the canary failed at was rescued");
        let looks = looks(&ended);
        let fail = of(&looks, "fail").unwrap();
        assert_eq!((&fail["step"], &fail["weight"]), (&Value::from(1), &Value::from(2_500)), "{fail}");
        assert!(fail["why"].as_str().unwrap().contains(why), "{fail}");
        for (one, next) in looks.iter().zip(&looks[1..]) {
            assert_eq!(one["to"], next["from"], "each second is judged once");
        }
        let history = stage.site.run(&["history", "--json"]).expect(0);
        assert!(history.stdout.contains("\"type\":\"measurement\""), "the history has the looks");
    }
}

#[test]
fn a_good_canary_passes_with_enough_requests_and_whatever_a_killed_runner_saw_is_gone_on_with() {
    let steps = r#"steps = [{ weight = "25%", hold = "2s" }, { weight = "50%", hold = "3s" }]"#;
    let stage = Stage::new(steps, ANALYSIS);
    let (_, failed, ended) = stage.visited(|| {
        let mut running = stage.begin();
        running.until("\"weight\":5000");
        drop(running);
        let judging = stage.site.document("release:production")["saved"]["judging"].clone();
        assert!(judging["seen_until"].is_string(), "{judging}");
        assert_eq!(judging["judge"]["settings"]["counting"], "visitors", "{judging}");
        let ended = crossfade_tests::Ended::of(stage.site.command(&["resume", "--runner-is-dead", "--json"]));
        (ended.expect(0), judging)
    });
    let (ended, judging) = ended;
    let looks = looks(&ended);
    let seen = crossfade_core::Timestamp::parse(judging["seen_until"].as_str().unwrap()).unwrap();
    assert_eq!(looks[0]["from"], seen.as_millis(), "nothing is left out and nothing is judged twice");
    assert!(of(&looks, "pass").is_some() && of(&looks, "fail").is_none(), "{looks:#?}");
    assert_eq!(failed, [""; 0]);
    assert!(stage.serves("2.0.0"));
}

#[test]
fn without_visitors_nothing_is_proven_and_the_plan_decides() {
    let steps = r#"steps = [{ weight = "50%", hold = "1s" }]"#;
    let stage = Stage::new(&format!("{steps}\non_inconclusive = \"abort\""), ANALYSIS);
    let ended = stage.release().expect(4);
    let error = ended.error();
    assert!(
        error.contains("step 1 (50 %) is undecided") && error.contains("more requests will do"),
        "{error}"
    );
    assert!(of(&looks(&ended), "pass").is_none() && of(&looks(&ended), "fail").is_none());

    // Who never asked for a judge is not kept waiting by him; how many requests were missing is told.
    let stage = Stage::new(steps, "");
    let ended = stage.release().expect(0);
    let looks = looks(&ended);
    let why = of(&looks, "inconclusive").unwrap()["why"].as_str().unwrap().to_owned();
    assert!(why.contains("more requests will do"), "{why}");
    assert!(stage.serves("2.0.0"));
}

#[test]
fn counters_that_do_not_answer_are_could_not_measure_and_no_counters_are_no_judge() {
    let steps = r#"steps = [{ weight = "50%", hold = "1h" }]"#;
    let stage = Stage::new(steps, ANALYSIS);
    let door = Door::before(&stage.site);
    let mut running = stage.begin();
    running.until("\"type\":\"measurement\"");
    door.counters_die();
    let ended = running.end().expect(4);
    let error = ended.error();
    assert!(error.contains("step 1 could not be measured 5 times in a row"), "{error}");
    assert!(error.contains("/__crossfade/metrics: status 503: the counters are away"), "{error}");
    let looks = looks(&ended);
    assert!(of(&looks, "error").is_some() && of(&looks, "fail").is_none(), "never a failure of the canary");
    // Asked for and not there is found out before any visitor meets the new version.
    assert!(stage.release().expect(3).error().contains("the counters are away"));

    let stage = Stage::counted(steps, ANALYSIS, Counters::Absent);
    assert!(stage.release().expect(3).error().contains("has no counters, which `[analysis]` asks for"));
    let stage = Stage::counted(r#"steps = [{ weight = "50%", hold = "0s" }]"#, "", Counters::Absent);
    let ended = stage.release().expect(0);
    assert!(crate::looks(&ended).is_empty(), "as without a judge");
}
