//! `crossfade init` in a repository that has nothing yet. What comes after it is in `documented.rs`.

use crossfade_sandbox::NAMESPACE_ID;
use crossfade_tests::Site;
use serde_json::Value;

#[test]
fn init_writes_what_is_valid_and_overwrites_nothing_unasked() {
    let site = Site::new();
    std::fs::remove_file(site.path().join("crossfade.toml")).unwrap();
    site.write("public/index.html", "<!doctype html><title>hello</title>");
    let url = site.sandbox.public_url().unwrap();
    let flags = ["--project", "booking", "--kv-namespace", NAMESPACE_ID, "--url", url.as_str()];
    let init = |more: &[&str]| site.run(&[&["init"], &flags as &[&str], more].concat());

    // Nobody is at a terminal: nothing is asked. What is only shown is not written.
    init(&["--dry-run"]).expect(0).prints(&["──── crossfade.toml", "──── .github/workflows/crossfade.yml"]);
    assert!(!site.path().join("crossfade.toml").exists() && !site.path().join(".github").exists());
    init(&[]).expect(0).prints(&["✓ crossfade.toml", "✓ .github/workflows/crossfade.yml"]);
    let file = |name: &str| std::fs::read_to_string(site.path().join(name)).unwrap();

    // What is there is left alone until somebody says otherwise.
    site.write("crossfade.toml", &format!("{}# mine\n", file("crossfade.toml")));
    init(&[]).expect(0).prints(&["is there already and was left alone"]);
    assert!(file("crossfade.toml").ends_with("# mine\n"));
    let written = init(&["--force", "--json"]).expect(0).event("init");
    assert_eq!(
        (&written["files"][0]["fate"], &written["files"][1]["fate"]),
        (&"written".into(), &"written".into())
    );
    assert!(!file("crossfade.toml").contains("# mine"));

    // Programs that check the file by its schema find nothing either.
    let schema: Value = serde_json::from_str(&site.run(&["schema"]).expect(0).stdout).unwrap();
    let config: Value = toml::from_str(&file("crossfade.toml")).unwrap();
    let errors: Vec<String> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(&config)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [""; 0]);
    site.run(&["validate", "--requests-per-second", "50"])
        .expect(0)
        .prints(&["before any visitor meets it: build, upload, live, 1 health check", "at risk"]);
}
