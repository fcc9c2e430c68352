//! What others wrote to KV: a newer Crossfade, or somebody's editor.

use crossfade_tests::Site;
use serde_json::{Value, json};

type Change = fn(&mut Value);

#[test]
fn a_table_that_cannot_be_used_is_refused_by_its_field_and_left_as_it_is() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0"), ("green", "0.9.0")]);
    let good = site.document("routing:production");
    assert_eq!(site.served_version(), "1.0.0");
    let damages: [(&str, Change, &str); 7] = [
        (
            "`schema` is `2`: this version reads schema 1 only",
            |table| table["schema"] = 2.into(),
            "hint: a newer Crossfade wrote it",
        ),
        (
            "`variants[].weight` is `10500`",
            |table| table["variants"][1]["weight"] = 500.into(),
            "hint: it was changed by hand",
        ),
        (
            "`variants[0].weight` is `10001`",
            |table| table["variants"][0]["weight"] = 10_001.into(),
            "basis points, 0 to 10000",
        ),
        (
            "`stable` is `red`: no variant has this name",
            |table| table["stable"] = "red".into(),
            "mend that field in KV",
        ),
        (
            "`variants[1].origin` is `green.example.com`",
            |table| table["variants"][1]["origin"] = "green.example.com".into(),
            "https://host",
        ),
        (
            "`revision` is missing",
            |table| drop(table.as_object_mut().unwrap().remove("revision")),
            "hint: it was changed by hand",
        ),
        (
            "`variants` is `7`: it must be a list",
            |table| table["variants"] = 7.into(),
            "hint: it was changed by hand",
        ),
    ];
    for (says, damage, hint) in damages {
        let mut table = good.clone();
        damage(&mut table);
        site.put("routing:production", &table);
        println!("{says}");
        for arguments in
            [&["deploy", "--as", "2.0.0"] as &[&str], &["weights", "blue=100"], &["rollback"], &["status"]]
        {
            let ended = site.run(arguments).expect(3);
            ended.says(&["cannot use the routing table in KV under `routing:production`", says, hint]);
        }
        site.run(&["status"]).expect(3).prints(&[
            "  table: cannot use the routing table in KV under `routing:production`: ",
            says,
            "  edge: revision 1",
            "  no release yet",
        ]);
        assert_eq!(site.document("routing:production"), table);
    }
    site.sandbox.put_kv("routing:production", b"{\"schema\":1,\xff");
    site.run(&["deploy", "--as", "2.0.0"]).expect(3).says(&[
        "`(document)`",
        "the document is not JSON",
        "hint: ",
    ]);
    assert_eq!(site.served_version(), "1.0.0", "the router keeps the last table that made sense");
    assert_eq!(site.changes(), []);
    assert_eq!(site.sandbox.kv_keys(), ["routing:production"], "not even a record was written");
}

#[test]
fn a_damaged_record_stops_a_release_and_not_a_forced_way_home() {
    let (site, _origins) = Site::serving(&[("green", "1.1.0"), ("blue", "1.0.0")]);
    for (record, why) in [
        (json!({ "schema": 2, "id": "rel-later" }), "`schema` is `2`; this version reads 1"),
        (json!({ "id": "rel-old" }), "`schema` is missing; this version reads 1"),
        (json!({ "schema": 1, "id": 7 }), "invalid type: integer `7`"),
        (json!("hello"), "`schema` is missing"),
    ] {
        site.put("release:production", &record);
        for arguments in
            [&["deploy", "--as", "2.0.0"] as &[&str], &["rollback"], &["weights", "blue=100"], &["status"]]
        {
            let ended = site.run(arguments).expect(3);
            ended.says(&[
                "cannot read `release:production` in KV",
                why,
                "hint: another Crossfade may have written it",
            ]);
        }
        assert_eq!(site.document("release:production"), record);
        let status = site.run(&["status", "--json"]).expect(3).event("status");
        assert!(status["release"]["error"].as_str().is_some_and(|error| error.contains(why)), "{status}");
        assert_eq!((&status["table"]["revision"], &status["edge"]["revision"]), (&1.into(), &1.into()));
    }
    assert_eq!(site.changes(), []);
    site.run(&["rollback", "--force"]).expect(0);
    assert_eq!(site.served_version(), "1.0.0");
    assert_eq!(site.document("release:production")["command"], "rollback");
}

#[test]
fn weights_that_make_no_table_are_refused() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0"), ("green", "0.9.0")]);
    for (weights, says) in [
        (
            &["stable=90"] as &[&str],
            "`variants[].weight` is `9000`: the weights must make exactly 10000 basis points",
        ),
        (&["stable=90", "canary=20"], "is `11000`: the weights must make exactly 10000 basis points"),
        (&["blue=99.99", "green=0.02"], "is `10001`"),
        (&["purple=100"], "there is no variant `purple`; the table has blue, green"),
        (&["blue=fifty", "green=50"], "`blue=fifty` is not NAME=PERCENT"),
        (&["blue=99.999", "green=0.001"], "`blue=99.999` is not NAME=PERCENT with at most two decimals"),
        (&["blue=150", "green=-50"], "`blue=150` is not NAME=PERCENT"),
        (&["blue"], "`blue` is not NAME=PERCENT"),
        (&["blue=50", "stable=50"], "`stable` names blue, which has its weight already"),
    ] {
        let arguments: Vec<&str> = ["weights"].iter().chain(weights).copied().collect();
        let ended = site.run(&arguments).expect(2).says(&[says]);
        assert_eq!(ended.stdout, "", "{weights:?}");
    }
    // No weights at all is the command line's own error.
    assert_eq!(site.run(&["weights"]).code, 2);
    assert_eq!(site.changes(), []);
}

#[test]
fn where_nothing_was_ever_released_there_is_nothing_to_move() {
    let site = Site::new();
    site.run(&["weights", "blue=100"])
        .expect(2)
        .says(&["there is no routing table yet: the first `crossfade deploy` writes it"]);
    site.run(&["rollback"]).expect(2).says(&["there is no routing table yet, so nothing to roll back"]);
    site.run(&["status"]).expect(0).prints(&["no routing table yet", "no release yet"]);
    site.run(&["history"]).expect(0).prints(&["no release has ended yet"]);
    assert_eq!(site.changes(), []);
}
