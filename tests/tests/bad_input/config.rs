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
    (
        "[rollout]",
        "[router]\nmirorr = \"5%\"\n[rollout]",
        &["line 18, column 1", "unknown field `mirorr`", "`mirror`"],
    ),
    (
        "[rollout]",
        "[router]\nrules = [{ to = \"red\" }]\n[rollout]",
        &["`router.rules[0].to` is `red`", "`canary`, `stable` or one of `rollout.slots`"],
    ),
    (
        "[rollout]",
        "[rollout]\nsteps = [{ weight = \"5%\", hold = \"1m\" }, { weight = \"0%\", hold = \"1m\" }]",
        &["`rollout.steps[1].weight` is 0 %", "only the first step may be 0 %"],
    ),
    (
        "[rollout]",
        "[rollout]\nshift = true\nsteps = [{ weight = \"5%\", hold = \"1m\" }]",
        &["`rollout.shift` brings the usual steps", "leave it out"],
    ),
    (
        "[rollout]",
        "[rollout]\nsteps = [{ weight = \"5%\", hold = \"1m\", approval = \"yes\" }]",
        &["invalid type: string \"yes\", expected a boolean"],
    ),
    ("[rollout]", "[rollout]\nmeasure_every = \"0s\"", &["`rollout.measure_every` is 0 s"]),
    ("json = \"/version\"", "json = \"version\"", &["`version.json` is `version`", "such as /version"]),
    (
        "database = { name = \"migrations\",",
        "database = { timeout = \"0s\", name = \"migrations\",",
        &["`hooks.database`: `timeout` is 0 s"],
    ),
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

/// What is written first into `[hooks]`, and what is said about it.
const HOOKS: &[(&str, &[&str])] = &[
    ("confirm_rolout = []", &["line 14, column 1", "unknown field `confirm_rolout`", "`confirm_rollout`"]),
    (
        "event = [{ url = \"https://a.example\", tmieout = \"5s\" }]",
        &["line 14", "unknown field `tmieout`", "`timeout`"],
    ),
    (
        "event = [{ name = \"chat\" }]",
        &["line 14", "it has neither `run` nor `url`", "{ url = \"https://hooks.example.com/approve\" }"],
    ),
    (
        "event = [{ run = \"true\", url = \"https://a.example\" }]",
        &["line 14", "both `run` and `url`: keep one"],
    ),
    (
        "event = [{ run = \"true\", hmac = \"KEY\" }]",
        &["line 14", "`hmac` is for a webhook, and this is a command"],
    ),
    ("event = [{ url = \"https://a.example\", secrets = true }]", &["line 14", "`secrets` is for a command"]),
    (
        "event = [{ url = \"http://a.example/x?key=4711\" }]",
        &["`hooks.event`: `url` is `http://a.example/x`", "it must begin with https://"],
    ),
    (
        "event = [{ url = \"https://me:4711@a.example/\" }]",
        &["`hooks.event`: `url` is one with credentials in it"],
    ),
    (
        "event = [{ url = \"nonsense\" }]",
        &["`hooks.event`: `url` is `nonsense`", "such as https://hooks.example.com/approve"],
    ),
    (
        "pre_rollout = [{ url = \"https://a.example\", bearer = \"4711-abc\" }]",
        &["`hooks.pre_rollout`: `bearer` must be the name of an environment variable"],
    ),
    (
        "pre_rollout = [{ url = \"https://a.example\", bearer = \"A\", headers = { Authorization = \"b\" } }]",
        &["both `bearer` and a header `authorization`"],
    ),
    (
        "pre_rollout = [{ url = \"https://a.example/{{verison}}\" }]",
        &["`hooks.pre_rollout` uses `{{verison}}`"],
    ),
    (
        "pre_rollout = [{ url = \"https://a.example\", method = \"GET\" }]",
        &["`method` is `GET`: it must be one that has a body"],
    ),
    ("rollout = [{ run = \" \" }]", &["`hooks.rollout`: `run` is \" \""]),
    ("rollout = [{ run = \"true\", retries = 21 }]", &["`hooks.rollout`: `retries` is 21"]),
    (
        "confirm_promotion = [{ run = \"true\", wait_max = \"25h\" }]",
        &["`hooks.confirm_promotion`: `wait_max` is 1 d 1 h: it must be at most 1 d"],
    ),
];

/// What is put behind the example's file, and what is said about it: it is well-formed, and could never work.
const NEVER: &[(&str, &[&str])] = &[
    (
        "[[health]]\nname = \"x\"\npath = \"/{{verison}}\"",
        &["[[health]] `x` uses `{{verison}}`", "known here are version"],
    ),
    (
        "[[health]]\nname = \"x\"\npath = \"/\"\nheaders = { a = \"{{id}}\" }",
        &["[[health]] `x` uses `{{id}}`"],
    ),
    ("[[health]]\nname = \" \"\npath = \"/\"", &["[[health]]: `name` is \" \": reports need a name"]),
    ("[[health]]\nname = \"x\"\npath = \"/\"\nmethod = \"get\"", &["`x`: `method` is `get`", "such as GET"]),
    ("[[health]]\nname = \"x\"\npath = \"/\"\nmethod = \"G T\"", &["`x`: `method` is `G T`"]),
    (
        "[[health]]\nname = \"x\"\npath = \"/\"\nheaders = { \"a b\" = \"c\" }",
        &["`headers` has `a b`", "such as content-type"],
    ),
    (
        "[[health]]\nname = \"x\"\npath = \"/\"\nheaders = { a = \"c\\nd\" }",
        &["the value of header `a` has line breaks"],
    ),
    ("[[health]]\nname = \"x\"\npath = \"/\"\ntimeout = \"0s\"", &["`x`: `timeout` is 0 s", "such as 5s"]),
    (
        "[[health]]\nname = \"x\"\npath = \"/\"\nretries = 21",
        &["`x`: `retries` is 21: it must be at most 20"],
    ),
    ("[[smoke]]\nname = \"x\"\nsteps = []", &["[[smoke]] `x`: `steps` is []: add a step"]),
    ("[[smoke]]\nname = \"\"\nsteps = [{ path = \"/\" }]", &["[[smoke]]: `name` is \"\""]),
    (
        "[[smoke]]\nname = \"x\"\nsteps = [{ path = \"/{{id}}\", capture = { id = \"/id\" } }]",
        &["`x`: `steps[0]` uses `{{id}}`, which nothing before it captures"],
    ),
    (
        "[[smoke]]\nname = \"x\"\nsteps = [{ path = \"/\", capture = { id = \"/id\" } }]\ncleanup = [{ path = \"/{{di}}\" }]",
        &["`cleanup[0]` uses `{{di}}`", "version, release, random, id, and env.NAME"],
    ),
    (
        "[[smoke]]\nname = \"x\"\nsteps = [{ path = \"/\", json = { a = 1 }, body = \"b\" }]",
        &["`steps[0]` has both `json` ({\"a\":1}) and `body` (\"b\"): keep one"],
    ),
    (
        "[[smoke]]\nname = \"x\"\nsteps = [{ path = \"/\", timeout = \"0s\" }]",
        &["`steps[0]`: `timeout` is 0 s"],
    ),
];

#[test]
fn what_could_never_work_is_told_before_anything_is_done() {
    for (behind, says) in NEVER {
        println!("{behind}");
        validate(&format!("{}\n{behind}\n", example())).expect(2).says(says);
    }
    // Whether a variable of the environment is set shows when it is used, and twenty tries are some.
    let fine = "[[health]]\nname = \"x\"\npath = \"/{{release}}\"\nretries = 20\nheaders = { a = \"{{ env.SECRET }}\" }";
    validate(&format!("{}\n{fine}\n", example())).expect(0);
}

#[test]
fn a_hook_that_could_never_be_asked_is_told_without_its_secrets() {
    for (hook, says) in HOOKS {
        println!("{hook}");
        let ended = validate_with(&format!("[hooks]\n{hook}"), "[hooks]").expect(2).says(says);
        // TOML's own errors repeat the line that is wrong; what we say of a value that may be a secret does not.
        assert!(says[0].contains("line ") || !ended.stderr.contains("4711"), "{}", ended.stderr);
    }
    let fine = "[hooks]\nevent = [{ url = \"http://127.0.0.1:1/\" }, { url = \"{{env.CHAT}}\", hmac = \"KEY\", retries = 20 }]";
    validate_with(fine, "[hooks]").expect(0);
}

#[test]
fn a_typo_is_named_by_place_value_and_remedy() {
    for (from, to, says) in TYPOS {
        println!("{to}");
        let ended = validate_with(to, from).expect(2).says(says);
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

pub(super) fn example() -> String {
    std::fs::read_to_string(root().join("example/crossfade.toml")).unwrap()
}

/// What `crossfade validate` says of the example's file in which `from` is written as `to`.
#[track_caller]
fn validate_with(to: &str, from: &str) -> Ended {
    let example = example();
    assert!(example.contains(from), "`{from}` is not in the example");
    validate(&example.replacen(from, to, 1))
}

pub(super) fn validate(text: &str) -> Ended {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("crossfade.toml"), text).unwrap();
    let mut command = crossfade();
    command.arg("validate").current_dir(directory.path());
    Ended::of(command)
}
