//! Typos in `crossfade.toml`.

use crossfade_tests::{Ended, Site, crossfade, root};

/// A change of the example's file, and what is said about it.
const TYPOS: &[(&str, &str, &[&str])] = &[
    ("directory = ", "directroy = ", &["line 3, column 1", "unknown field `directroy`", "`directory`"]),
    ("[rollout]", "[roll-out]", &["unknown field `roll-out`", "line 17, column 2"]),
    ("confirm_within", "confirm_wihtin", &["line 21, column 1", "unknown field `confirm_wihtin`"]),
    ("expect = { status = 200,", "expect = { staus = 200,", &["line 26", "unknown field `staus`"]),
    ("cleanup = [\n  { method", "cleanup = [\n  { mehtod", &["line 51, column 5", "unknown field `mehtod`"]),
    ("project = \"booking\"", "project = booking", &["line 2, column 11"]),
    ("project = \"booking\"", "", &["missing field `project`"]),
    ("project = \"booking\"", "project = \"Booking!\"", &["`project` is `Booking!`", "a-z, 0-9 and `-`"]),
    ("keep = 3", "keep = \"three\"", &["invalid type: string \"three\"", "line 96, column 8"]),
    ("keep = 3", "keep = -1", &["invalid value: integer `-1`", "line 96"]),
    ("lease = \"60s\"", "lease = \"60 parsecs\"", &["`60 parsecs` is not a duration", "line 18, column 9"]),
    ("lease = \"60s\"", "lease = 60", &["invalid type: integer `60`", "line 18"]),
    (
        "lease = \"60s\"",
        "lease = \"15s\"",
        &["lease (15 s) must be longer than renewal interval (10 s) plus"],
    ),
    (
        "[rollout]",
        "[rollout]\nsteps = [{ weight = \"5\", hold = \"1m\" }, { weight = \"5%\", hold = \"1m\" }]",
        &["step 2 (5 %) does not raise the weight of the step before (5 %)"],
    ),
    (
        "[rollout]",
        "[rollout]\nsteps = [{ weight = \"100.5%\", hold = \"1m\" }]",
        &["`100.5%` is not a share", "line 18"],
    ),
    ("[rollout]", "[rollout]\nsteps = [{ weight = 5, hold = \"1m\" }]", &["invalid type: integer `5`"]),
    ("[rollout]", "[rollout]\nslots = [\"blue\", \"blue\"]", &["`rollout.slots` names `blue` twice"]),
    ("[rollout]", "[rollout]\nslots = [\"blue\", \"Green\"]", &["`rollout.slots` has `Green`", "a-z"]),
    ("[rollout]", "[rollout]\nstrategy = \"canarry\"", &["unknown variant `canarry`", "line 18"]),
    ("status = 200,", "status = 2000,", &["`2000` is not a status such as 200 or \"2xx\"", "line 26"]),
    (
        "\"/migrations\" =",
        "\"migrations\" =",
        &["`migrations` is not a JSON pointer such as /status", "line 31"],
    ),
    ("latency = \"2s\"", "latency = \"fast\"", &["`fast` is not a duration"]),
    ("{ token = \"/token\" }", "{ token = \"token\" }", &["is not a capture: write a JSON pointer"]),
    ("name = \"database\"\n", "name = \"basic\"\n", &["[[health]] `basic` exists twice"]),
    (
        "url = \"http://127.0.0.1:8787\"",
        "url = \"booking.example.com\"",
        &["`environments.production.url` is `booking.example.com`", "such as https://booking.example.com"],
    ),
    (
        "url = \"http://127.0.0.1:8787\"",
        "url = \"http://booking.example.com\"",
        &["`environments.production.url` is `http://booking.example.com`", "it must begin with https://"],
    ),
    (
        "kv_namespace = \"5a4db0c55a4db0c55a4db0c55a4db0c5\"",
        "kv_namespace = \"ROUTING\"",
        &["`environments.production.kv_namespace` is `ROUTING`", "`wrangler kv namespace list` shows them"],
    ),
    (
        "[environments.production]",
        "[environments.Production]",
        &["`environments.Production`", "a name is 1 to 32 of a-z"],
    ),
];

#[test]
fn a_typo_is_named_by_place_value_and_remedy() {
    let example = std::fs::read_to_string(root().join("example/crossfade.toml")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("crossfade.toml");
    for (from, to, says) in TYPOS {
        assert!(example.contains(from), "`{from}` is not in the example");
        std::fs::write(&file, example.replacen(from, to, 1)).unwrap();
        let mut command = crossfade();
        command.arg("validate").current_dir(directory.path());
        println!("{to}");
        let ended = Ended::of(command).expect(2).says(says);
        ended.says(&[
            "the configuration `crossfade.toml` is wrong",
            "hint: `crossfade schema` prints what the file may contain",
        ]);
    }
}

#[test]
fn with_a_typo_no_command_asks_anybody_anything() {
    let site = Site::new();
    site.configure("directory = ", "directroy = ");
    for arguments in [
        &["deploy", "--as", "2.0.0"] as &[&str],
        &["rollback"],
        &["status"],
        &["history"],
        &["weights", "blue=100"],
        &["check"],
    ] {
        let ended = site.run(arguments).expect(2).says(&["unknown field `directroy`"]);
        assert_eq!(ended.stdout, "");
    }
    assert_eq!(site.sandbox.requests(), []);
    // Programs are told the same.
    let ended = site.run(&["status", "--json"]).expect(2);
    let event = ended.event("error");
    assert_eq!((&event["version"], &event["exit_code"]), (&1.into(), &2.into()));
    assert!(event["text"].as_str().unwrap().contains("line 3, column 1"), "{event}");
}
