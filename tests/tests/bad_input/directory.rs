//! What cannot be uploaded.

use std::fs::File;

use base64::Engine as _;
use crossfade_sandbox::{Action, Fault};
use crossfade_tests::{Ended, Site};

#[test]
fn a_directory_that_pages_would_not_take_is_refused_before_the_first_byte() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let build = std::fs::read_to_string(site.path().join("crossfade.toml")).unwrap();
    let build = build.lines().find(|line| line.starts_with("build = ")).unwrap();
    site.configure(build, "");
    site.configure("run = \"true\"", "run = \"touch migrated\"");
    let deploy = |directory: &str, says: &[&str]| -> Ended {
        println!("{directory}");
        site.run(&["deploy", directory, "--as", "2.0.0"]).expect(3).says(&["the upload failed"]).says(says)
    };
    let build_first = "hint: build the site first, or name the build's output";

    deploy("nowhere", &["there is no directory `nowhere`", build_first]);
    std::fs::create_dir(site.path().join("empty")).unwrap();
    deploy("empty", &["`empty` has no files to upload", build_first]);
    site.write("only-ignored/node_modules/a.js", "1");
    deploy("only-ignored", &["`only-ignored` has no files to upload", build_first]);
    site.write("a-file", "x");
    deploy("a-file", &["`a-file` is not a directory", build_first]);

    site.write("large/index.html", "x");
    let large = File::create(site.path().join("large/film.mp4")).unwrap();
    large.set_len(26 * 1024 * 1024).unwrap();
    deploy(
        "large",
        &[
            "`large/film.mp4` is 27262976 bytes; Pages takes files up to 26214400 (25 MiB)",
            "hint: leave it out of the build, or serve it from R2",
        ],
    );
    site.write("secret/index.html", "x");
    site.write("secret/.env", "KEY=hunter2");
    deploy(
        "secret",
        &["`secret/.env` would be public", "hint: keep `secret/.env` out of the build's output"],
    );
    site.write("whole/index.html", "x");
    site.write("whole/functions/api.js", "x");
    deploy(
        "whole",
        &[
            "has Pages Functions, which wrangler must compile, and there is no wrangler",
            "hint: install it in the project",
        ],
    );

    assert!(!site.path().join("migrated").exists(), "a hook had run by then");
    assert_eq!(site.sandbox.requests(), [], "somebody was asked something");

    // The plan says how many files may be; the token that Pages hands out carries the number.
    for name in ["a.html", "b.html", "c.html"] {
        site.write(&format!("many/{name}"), name);
    }
    site.sandbox.fault(Fault::new("GET", "/upload-token", Action::Text { status: 200, text: token(2) }));
    deploy(
        "many",
        &[
            "the directory has 3 files; Pages takes up to 2 in a deployment on this plan",
            "hint: upload the build's output, not the whole project",
        ],
    );
    assert_eq!(site.changes(), [], "nothing was uploaded, deployed or switched");
    assert_eq!(site.live(), ("1.0.0".into(), true));
    assert_eq!(site.served_version(), "1.0.0");

    site.sandbox.clear_faults();
    site.sandbox
        .fault(Fault::new("GET", "/upload-token", Action::Text { status: 200, text: token(3) }).times(1));
    // As many as may be are uploaded; that they never name a version is another matter.
    site.configure("json = \"/version\"", "json = \"/version\"\nwithin = \"1s\"");
    site.run(&["deploy", "many", "--as", "2.0.0"]).expect(3);
    assert!(site.changes().iter().any(|request| request.path.ends_with("/deployments")));
}

/// An answer with a token for so many files.
fn token(files_max: usize) -> String {
    let part =
        |json: serde_json::Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json.to_string());
    let claims = part(serde_json::json!({ "exp": 4_102_444_800_u64, "max_file_count_allowed": files_max }));
    let jwt = format!("{}.{claims}.sandbox", part(serde_json::json!({ "alg": "none" })));
    serde_json::json!({ "success": true, "errors": [], "messages": [], "result": { "jwt": jwt } }).to_string()
}
