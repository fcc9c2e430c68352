//! The documentation, run by a shell, line by line. `control` runs what is said to a release in flight, `install` what brings the router.

use crossfade_tests::{Ended, Screen, Site, documented};

/// The exit code that a line's comment promises.
fn promised(line: &str) -> i32 {
    let code = line.split("# exit code ").nth(1).and_then(|rest| rest.split(':').next());
    code.map_or(0, |code| code.trim().parse().unwrap())
}

#[track_caller]
fn run(site: &Site, line: &str) {
    let public = site.sandbox.public_url().unwrap();
    let line = line.replace("http://127.0.0.1:8787", &public).replace("--for 15m", "--for 1s");
    let mut shell = site.shell(&line);
    // What git says elsewhere.
    shell.env("CROSSFADE_VERSION", "4.0.0");
    let ended = Ended::of(shell);
    assert_eq!(ended.code, promised(&line), "`{line}`\n{}\n{}", ended.stdout, ended.stderr);
}

#[test]
fn a_new_users_way_and_what_comes_after_it() {
    let site = Site::new();
    std::fs::remove_file(site.path().join("crossfade.toml")).unwrap();
    site.write("public/index.html", "<!doctype html><title>hello</title>");
    let lines = documented("console run");
    assert_eq!(lines.len(), 30);
    lines.iter().for_each(|line| run(&site, line));
    assert_eq!(site.live(), ("1.0.0".to_owned(), true));

    // The same site, somewhere below its repository. What was last said of it was said by hand.
    site.run(&["rollback"]).expect(0);
    let config = std::fs::read_to_string(site.path().join("crossfade.toml")).unwrap();
    site.write("apps/web/crossfade.toml", &config);
    site.write("apps/web/public/index.html", "<!doctype html><title>hello</title>");
    documented("sh monorepo").iter().for_each(|line| run(&site, line));
    assert_eq!(site.live(), ("4.0.0".to_owned(), true));
}

#[test]
fn the_example_of_the_readme_and_a_version_from_elsewhere() {
    let site = Site::new();
    documented("sh example").iter().for_each(|line| run(&site, line));

    let (site, origins) = Site::serving(&[("blue", "1.0.0"), ("green", "3.0.0")]);
    // It has no booking form to try.
    let config = std::fs::read_to_string(site.path().join("crossfade.toml")).unwrap();
    site.write("crossfade.toml", config.split("[[smoke]]").next().unwrap());
    let elsewhere = documented("sh elsewhere");
    elsewhere
        .iter()
        .for_each(|line| run(&site, &line.replace("https://3-0-0.booking.example.com", &origins[1].url())));
    assert_eq!(site.served_version(), "3.0.0");
}

#[test]
fn another_environment() {
    let (site, _origins) =
        Site::serving_with(&[("blue", "1.0.0")], |options| options.environment = "staging".into());
    let mut table = site.document("routing:production");
    table["environment"] = "staging".into();
    site.put("routing:staging", &table);
    site.configure("[environments.production]", "[environments.staging]");
    documented("sh staging").iter().for_each(|line| run(&site, line));
    assert_eq!(site.served_version(), "1.0.0");
}

#[test]
fn whoever_is_at_a_terminal_is_asked() {
    let site = Site::new();
    std::fs::remove_file(site.path().join("crossfade.toml")).unwrap();
    let lines = documented("sh asks");
    let [init, validate] = &lines[..] else { panic!("{lines:?}") };
    let mut screen = Screen::begin(site.shell(init));
    let url = site.sandbox.public_url().unwrap();
    for (question, answer) in [
        ("Pages project", "booking"),
        ("The build's output", "public"),
        ("Build command", ""),
        ("Public URL of the site", url.as_str()),
        ("A few visitors first (canary)", "y"),
        ("The branch that is released", ""),
    ] {
        screen.until(question);
        screen.press(&format!("{answer}\r"));
    }
    assert_eq!(screen.end(), 0);
    run(&site, validate);
    let config = std::fs::read_to_string(site.path().join("crossfade.toml")).unwrap();
    let answers = ["\"booking\"", "\"public\"", url.as_str(), "\"canary\""];
    answers.iter().for_each(|answer| assert!(config.contains(answer), "{answer}: {config}"));
}
