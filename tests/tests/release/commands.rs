//! What people and workflows do by hand: weights, rollback, and questions.

use crossfade_tests::{Ended, Site, crossfade, root};
use serde_json::{Value, json};

/// The record of a release in charge, as its own runner writes it.
fn record(id: &str, runner: &str) -> Value {
    json!({
        "schema": 1, "id": id, "environment": "production", "command": "deploy", "version": "7.7.7",
        "stable_version": "1.0.0", "slot": "green", "origin": null, "deployment_id": null, "phase": "smoke",
        "runner": runner, "started_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        "expires_at": "2999-01-01T00:00:00Z", "ended": null,
    })
}

#[test]
fn weights_are_set_by_hand_with_the_invariants_of_a_release() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0"), ("green", "1.1.0")]);
    let weights = || -> Vec<u16> {
        site.table().variants().iter().map(|variant| variant.weight.basis_points()).collect()
    };
    site.run(&["weights", "stable=90", "canary=10"])
        .expect(0)
        .prints(&["✓ weights    revision 2: blue 90 %, green 10 %, served at the edge"]);
    assert_eq!((weights(), site.table().lease()), (vec![9_000, 1_000], None));
    site.run(&["weights", "green=0.01", "blue=99.99"]).expect(0);
    assert_eq!(weights(), [9_999, 1]);
    site.run(&["status"])
        .expect(0)
        .prints(&["  last: shifted by hand, revision 3: blue 99.99 %, green 0.01 % (rel-"]);
    let history = site.run(&["history"]).expect(0).stdout;
    let [last, first] = history.lines().collect::<Vec<_>>()[..] else { panic!("{history}") };
    assert!(
        last.contains("weights  1.0.0        shifted      by hand, revision 3: blue 99.99 %"),
        "{history}"
    );
    assert!(first.contains("by hand, revision 2: blue 90 %, green 10 %"), "{history}");
    // Who is not named has nothing.
    site.run(&["weights", "green=100"]).expect(0);
    assert_eq!((weights(), site.served_version()), (vec![0, 10_000], "1.1.0".into()));
    assert_eq!(site.table().stable().name.as_str(), "blue", "that is a release's to change");

    // A release starts from rest only.
    site.deploy("1.2.0", &[]).expect(3).says(&[
        "a release cannot start from the routing table as it is",
        "revision 4 gives `green` 100 % although `blue` is stable",
        "hint: bring all visitors to one variant first: `crossfade weights blue=100`",
    ]);
    site.run(&["weights", "stable=100"]).expect(0);
    assert_eq!((site.served_version(), site.writes("routing:production")), ("1.0.0".into(), 4));

    // While a release is in charge nobody interferes, except by force.
    site.put("release:production", &record("rel-in-charge", "somebody's laptop"));
    let words: [&[&str]; 4] = [
        &["weights", "green=100"],
        &["rollback"],
        &["rollback", "--to", "1.0.0"],
        &["deploy", "--as", "1.2.0"],
    ];
    for arguments in words {
        let ended = site.run(arguments).expect(5).says(&[
            "release rel-in-charge of 7.7.7",
            "somebody's laptop",
            "hint: `crossfade status` shows which release is in charge",
        ]);
        assert!(!ended.stdout.contains('✓'), "{}", ended.stdout);
    }
    site.run(&["status"]).expect(0).prints(&["in charge: rel-in-charge of 7.7.7, smoke (somebody's laptop)"]);
    assert_eq!((site.writes("routing:production"), site.writes("release:production")), (4, 4));
    site.run(&["weights", "green=100", "--force"]).expect(0);
    assert_eq!((site.served_version(), site.writes("routing:production")), ("1.1.0".into(), 5));

    assert_eq!(site.document("history:production:rel-in-charge")["ended"]["outcome"], "abandoned");

    // A lease in the table says the same.
    site.put("release:production", &record("rel-in-charge", "somebody's laptop"));
    site.edit("release:production", |record| record["expires_at"] = "2026-01-02T00:00:00Z".into());
    site.edit("routing:production", |table| {
        table["revision"] = 7.into();
        table["lease"] = json!({ "expires_at": "2999-01-01T00:00:00Z" });
    });
    for arguments in [&["weights", "blue=100"] as &[&str], &["deploy", "--as", "1.2.0"]] {
        site.run(arguments)
            .expect(5)
            .says(&["holds shifted weights until 2999-01-01T00:00:00Z; nothing was changed"]);
    }
    site.run(&["status"]).expect(0).prints(&[
        "the lease runs until 2999-01-01",
        "rel-in-charge of 7.7.7 stopped without ending (smoke, last heard of 2026-01-01",
    ]);
    let ended = site.run(&["weights", "blue=100", "--force", "--json"]).expect(0);
    assert_eq!(ended.event("phase-ended")["text"], "revision 8: blue 100 %, served at the edge");
    let finished = ended.event("finished");
    assert_eq!(
        (&finished["outcome"], &finished["text"]),
        (&"done".into(), &"visitors are on blue 100 %".into())
    );
    assert_eq!((site.served_version(), site.table().lease()), ("1.0.0".into(), None));
    site.run(&["rollback"]).expect(2).says(&["blue 1.0.0 is the only version there is"]);
}

#[test]
fn an_abandoned_release_is_brought_home_by_the_job_that_began_it_and_by_no_other() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0"), ("green", "1.1.0")]);
    let rest = site.document("routing:production");
    let shifted = |release: &str| {
        let mut table = rest.clone();
        table["revision"] = (site.table().revision().number() + 1).into();
        table["release"] = release.into();
        table["lease"] = json!({ "expires_at": "2999-01-01T00:00:00Z" });
        table["variants"][0]["weight"] = 0.into();
        table["variants"][1]["weight"] = 10_000.into();
        table
    };
    let run = |id: &str| {
        let mut command = site.command(&["rollback", "--if-unsettled"]);
        command.envs([
            ("GITHUB_SERVER_URL", "https://github.example"),
            ("GITHUB_REPOSITORY", "acme/booking"),
            ("GITHUB_RUN_ID", id),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_JOB", "deploy"),
        ]);
        Ended::of(command).expect(0)
    };
    let ours = "https://github.example/acme/booking/actions/runs/17/attempts/1#deploy";
    let [again, beside] = [ours.replace("attempts/1", "attempts/2"), ours.replace("#deploy", "#recover")];
    let ended_record = |mut record: Value| {
        record["ended"] = json!({ "at": "2026-01-01T00:00:00Z", "outcome": "promoted", "text": "promoted" });
        record
    };
    for (why, table, record, run_id) in [
        ("nothing is shifted", rest.clone(), Some(record("rel-before", ours)), "18"),
        ("nobody is in charge", shifted("rel-cut-off"), None, "17"),
        ("another run began it", shifted("rel-cut-off"), Some(record("rel-cut-off", ours)), "18"),
        ("another attempt began it", shifted("rel-cut-off"), Some(record("rel-cut-off", &again)), "17"),
        ("another job began it", shifted("rel-cut-off"), Some(record("rel-cut-off", &beside)), "17"),
        ("another release shifted", shifted("rel-other"), Some(record("rel-cut-off", ours)), "17"),
        ("it ended", shifted("rel-cut-off"), Some(ended_record(record("rel-cut-off", ours))), "17"),
    ] {
        site.put("routing:production", &table);
        match record {
            Some(record) => site.put("release:production", &record),
            None => site.sandbox.delete_kv("release:production"),
        }
        run(run_id).prints(&["nothing that this job began is in flight; nothing was changed"]);
        assert_eq!(site.document("routing:production"), table, "{why}");
    }
    assert_eq!(site.changes(), []);
    site.put("routing:production", &shifted("rel-cut-off"));
    run("18").prints(&["release rel-cut-off holds shifted weights until 2999-01-01T00:00:00Z; unless"]);

    // Of what moved nobody the next release need not wait until it counts as dead, not even where there is no table yet.
    for table in [None, Some(&rest)] {
        match table {
            Some(table) => site.put("routing:production", table),
            None => site.sandbox.delete_kv("routing:production"),
        }
        site.put("release:production", &record("rel-before", ours));
        run("17").prints(&["release rel-before of 7.7.7 never ended: it was cut off ("]);
        assert_eq!(site.document("release:production")["ended"]["outcome"], "abandoned");
    }
    // Cut off between its last write and its last word, a release has done what it was to do.
    let mut settled = record(rest["release"].as_str().unwrap(), ours);
    settled["version"] = "1.0.0".into();
    site.put("release:production", &settled);
    run("17").prints(&["of 1.0.0 serves everybody: it was cut off (smoke) after it had settled"]);
    assert_eq!(site.document("release:production")["ended"]["outcome"], "promoted");

    site.put("routing:production", &shifted("rel-cut-off"));
    site.put("release:production", &record("rel-cut-off", ours));
    run("17").prints(&["✓ home       revision ", "blue 1.0.0 serves everybody", "served at the edge"]);
    assert_eq!((site.served_version(), site.live()), ("1.0.0".into(), ("1.0.0".into(), true)));
    assert_eq!(site.document("release:production")["command"], "rollback");
    let history = site.document("history:production:rel-cut-off");
    assert_eq!((&history["ended"]["outcome"], &history["version"]), (&"abandoned".into(), &"7.7.7".into()));
    run("17").prints(&["nothing that this job began is in flight"]);
    // Both at once would be a contradiction.
    assert_eq!(site.run(&["rollback", "--if-unsettled", "--force"]).code, 2);
}

#[test]
fn a_release_after_somebody_deleted_the_table_begins_above_what_the_edge_serves() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    site.edit("routing:production", |table| table["revision"] = 12.into());
    assert_eq!(site.served_version(), "1.0.0", "the router is warm");
    site.sandbox.delete_kv("routing:production");
    site.deploy("1.1.0", &[]).expect(0).prints(&["✓ switch     revision 13: blue 100 %, served at the edge"]);
    assert_eq!((site.table().revision().number(), site.served_version()), (14, "1.1.0".into()));
}

/// Runs a command that needs no sandbox, in a directory with the example's file.
fn offline(arguments: &[&str]) -> Ended {
    let mut command = crossfade();
    command.args(arguments).current_dir(root().join("example"));
    Ended::of(command)
}

#[test]
fn the_schema_accepts_the_example_and_refuses_typos() {
    let schema: Value = serde_json::from_str(&offline(&["schema"]).expect(0).stdout).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let example = std::fs::read_to_string(root().join("example/crossfade.toml")).unwrap();
    let example: Value = toml::from_str(&example).unwrap();
    let errors: Vec<String> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    for (pointer, wrong) in [
        ("/directory", json!(7)),
        ("/environments/production/url", Value::Null),
        ("/rollout/lease", json!(60)),
        ("/health/0/expect/status", json!("6xx")),
        ("/health/0", json!({ "name": "basic", "path": "/", "pth": "/" })),
        ("/smoke/0/steps/0/capture/token", json!("token")),
        ("/cleanup", json!({ "keep": -1 })),
        ("", json!({ "project": "p", "environments": {}, "enviroments": {} })),
    ] {
        let mut config = example.clone();
        *config.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&config), "{pointer} is accepted: {config}");
    }
}

#[test]
fn questions_about_the_program_itself_are_answered_anywhere() {
    offline(&["validate"])
        .expect(0)
        .prints(&["crossfade.toml is valid: 1 environment, 4 health checks, 5 smoke tests"]);
    let answer = offline(&["validate", "--json"]).expect(0).events();
    assert_eq!(
        (&answer[0]["version"], &answer[0]["type"], &answer[0]["smoke"]),
        (&1.into(), &"valid".into(), &5.into())
    );
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = offline(&["completions", shell]).expect(0).stdout;
        assert!(
            script.contains("crossfade") && script.contains("rollback") && script.contains("if-unsettled"),
            "{shell}"
        );
    }
    offline(&["man"]).expect(0).prints(&[".TH crossfade 1", "Exit codes:"]);
    let pages = tempfile::TempDir::new().unwrap();
    offline(&["man", "--into", pages.path().to_str().unwrap()]).expect(0);
    for page in ["crossfade.1", "crossfade-deploy.1", "crossfade-pages-deploy.1"] {
        let text = std::fs::read_to_string(pages.path().join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    let help = offline(&["--help"]).expect(0).stdout;
    for line in
        ["0  done", "3  not started", "4  rolled back", "5  superseded", "6  stuck", "CLOUDFLARE_API_TOKEN"]
    {
        assert!(help.contains(line), "`{line}` is not in:\n{help}");
    }
    offline(&["--version"]).expect(0).prints(&["crossfade "]);
    for wrong in [&["deplyo"] as &[&str], &["deploy", "--ass", "1"], &[], &["completions", "tcsh"]] {
        assert_eq!(offline(wrong).code, 2, "{wrong:?}");
    }
}
