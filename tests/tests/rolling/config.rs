//! Fleets that could never be replaced are refused: place, value, remedy.

use crossfade_tests::{Ended, crossfade, root};

const TWO: &str =
    "[[instances]]\nname = \"eu\"\nproject = \"eu\"\n[[instances]]\nname = \"us\"\nproject = \"us\"\n";

/// Strategy, what else is in `[rollout]`, the instances, and what is said; nothing: it is fine.
fn cases() -> Vec<(&'static str, &'static str, String, &'static [&'static str])> {
    let own = "origin = \"https://eu.example.com\"\ndeploy = \"./d\"\nrollback = \"./r\"\n";
    let eu = "[[instances]]\nname = \"eu\"\n";
    let us = "[[instances]]\nname = \"us\"\nproject = \"us\"\n";
    let many: String =
        (0..17).map(|it| format!("[[instances]]\nname = \"i{it}\"\nproject = \"p{it}\"\n")).collect();
    vec![
        ("rolling", "rolling = { batch = 1 }", TWO.into(), &[]),
        ("rolling", "rolling = { batch = 1 }", format!("{eu}{own}{us}"), &[]),
        (
            "rolling",
            "",
            String::new(),
            &["`rollout.strategy` is \"rolling\"", "`production` has no instances: add [[instances]]"],
        ),
        ("blue-green", "", TWO.into(), &["[[instances]] `eu` has no meaning without strategy = \"rolling\""]),
        ("rolling", "", TWO.into(), &["`rollout.rolling.batch` is 2 with 2 instances: it must be 1 to 1"]),
        ("rolling", "rolling = { batch = 0 }", TWO.into(), &["`rollout.rolling.batch` is 0"]),
        ("rolling", "", us.into(), &["[[instances]] has `us` alone", "strategy = \"blue-green\""]),
        ("rolling", "", many, &["there are 17 [[instances]]", "at most 16"]),
        (
            "rolling",
            "",
            TWO.replace("\"us\"\nproject", "\"eu\"\nproject"),
            &["[[instances]] `eu` exists twice"],
        ),
        (
            "rolling",
            "",
            TWO.replace("project = \"us\"", "project = \"eu\""),
            &["`us`: `project` `eu` is another instance's"],
        ),
        (
            "rolling",
            "",
            TWO.replace("name = \"us\"", "name = \"stable\""),
            &["`stable`: the name has a meaning of its own"],
        ),
        ("rolling", "", TWO.replace("name = \"us\"", "name = \"U S\""), &["`name` is `U S`"]),
        (
            "rolling",
            "",
            TWO.replace("project = \"us\"", "project = \"U\""),
            &["`us`: `project` is `U`", "a-z"],
        ),
        ("rolling", "", TWO.replace("project = \"us\"", ""), &["`us` has neither `project` nor `origin`"]),
        (
            "rolling",
            "",
            format!("{eu}project = \"eu\"\n{own}{us}"),
            &["`eu` has `project` (`eu`) and what belongs to an `origin`"],
        ),
        (
            "rolling",
            "",
            format!("{eu}origin = \"https://eu.example.com\"\ndeploy = \"./d\"\n{us}"),
            &["`eu` has an `origin` and no `rollback`"],
        ),
        (
            "rolling",
            "",
            format!("{eu}{}{us}", own.replace("./d", " ")),
            &["`eu` has an `origin` and no `deploy`"],
        ),
        (
            "rolling",
            "",
            format!("{eu}{}{us}", own.replace("https", "http")),
            &["`eu`: `origin` is `http://eu.example.com`"],
        ),
        ("rolling", "", format!("{eu}{own}timeout = \"0s\"\n{us}"), &["`eu`: `timeout` is 0 s"]),
        (
            "rolling",
            "rolling = { batch = 1 }",
            format!("[router]\nmirror = \"5%\"\n{TWO}"),
            &["`router.mirror` is 5 %", "leave it out"],
        ),
        (
            "rolling",
            "rolling = { batch = 1 }",
            format!("[router]\nrules = [{{ to = \"canary\" }}]\n{TWO}"),
            &["`router.rules[0].to` is `canary`", "one of [[instances]]"],
        ),
        (
            "rolling",
            "rolling = { batch = 1 }",
            format!("{TWO}[[environments.production.instances]]\nname = \"x\"\nproject = \"x\"\n"),
            &["[[instances]] has `x` alone"],
        ),
    ]
}

#[test]
fn a_fleet_that_could_never_be_replaced_is_told_before_anything_is_done() {
    let example = std::fs::read_to_string(root().join("example/crossfade.toml")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (strategy, rollout, behind, says) in cases() {
        println!("{strategy}\n{behind}");
        let config =
            example.replacen("[rollout]", &format!("[rollout]\nstrategy = \"{strategy}\"\n{rollout}"), 1);
        std::fs::write(directory.path().join("crossfade.toml"), format!("{config}\n{behind}")).unwrap();
        let mut command = crossfade();
        command.arg("validate").current_dir(directory.path());
        let ended = Ended::of(command);
        if says.is_empty() {
            ended.expect(0);
        } else {
            ended.expect(2).says(says).says(&["the configuration `crossfade.toml` is wrong"]);
        }
    }
}
