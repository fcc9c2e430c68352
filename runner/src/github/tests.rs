//! A release, told to a stand-in of GitHub's API.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crossfade_core::table::Weight;
use serde_json::json;

use super::api::Token;
use super::stand_in::GitHub;
use super::telling::Telling;
use super::*;
use crate::cancel::Cancel;
use crate::notice::{Completed, Notice, Started};
use crate::report::{Event, Share, now};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn facts(github: &GitHub) -> Facts {
    Facts {
        repository: Some("acme/booking".into()),
        commit: Some(COMMIT.into()),
        pull_request: Some(7),
        run_url: Some("https://github.example/acme/booking/actions/runs/17".into()),
        api_url: github.url.clone(),
        token: Some(Token::new(" ghs_secret\n".into())),
        comment: true,
    }
}

fn started(release: &str, command: &str, version: &str, taken_over: bool) -> Event {
    Event::Notice(Notice::Started(Started {
        environment: "production".into(),
        release: release.into(),
        command: command.into(),
        new_version: version.into(),
        stable_version: Some("1.4.2".into()),
        slot: "green".into(),
        runner: "a".into(),
        taken_over,
    }))
}

fn weights(why: &'static str, version: &str, percent: u16) -> Event {
    let share = |version: &str, percent: u16| Share {
        name: "x".into(),
        version: version.into(),
        weight: Weight::from_percent(&percent.to_string()).unwrap(),
    };
    let variants = vec![share("1.4.2", 100 - percent), share(version, percent)];
    Event::Weights { revision: u64::from(percent) + 1, why, variants }
}

fn completed(release: &str, version: &str, outcome: &str, text: &str) -> Event {
    Event::Notice(Notice::Completed(Completed {
        environment: "production".into(),
        release: release.into(),
        new_version: version.into(),
        stable_version: None,
        outcome: outcome.into(),
        text: text.into(),
        elapsed_ms: 1,
    }))
}

/// Told by [`tell`]: notes are a function's, as they are in a job.
static NOTES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn note(text: String) {
    NOTES.lock().unwrap_or_else(PoisonError::into_inner).push(text);
}

fn tell(facts: &Facts, events: Vec<Event>) {
    let telling = Telling::of(facts, "production", "https://booking.example.com", note).unwrap();
    let listener = telling.listener();
    events.into_iter().for_each(|event| listener(&Entry { at: now(), event }));
    telling.finish(&Cancel::default());
}

fn good(release: &str, version: &str) -> Vec<Event> {
    vec![
        started(release, "deploy", version, false),
        weights("switch", version, 25),
        weights("switch", version, 100),
        weights("settle", version, 100),
        completed(release, version, "promoted", &format!("promoted {version}: it serves everybody")),
    ]
}

#[test]
fn a_release_is_a_deployment_with_a_status_for_each_step() {
    let github = GitHub::start();
    tell(&Facts { comment: false, ..facts(&github) }, good("rel-1", "1.5.0"));
    let [(made, said)] = github.deployments().try_into().unwrap();
    assert_eq!((&made["ref"], &made["environment"]), (&COMMIT.into(), &"production".into()));
    assert_eq!(made["payload"], json!({ "crossfade": { "release": "rel-1", "version": "1.5.0" } }));
    assert_eq!(
        said,
        [
            "in_progress 1.5.0 is being built and checked: nobody meets it yet",
            "in_progress 25 % of the visitors are on 1.5.0 (revision 26)",
            "in_progress 100 % of the visitors are on 1.5.0 (revision 101)",
            "success promoted 1.5.0: it serves everybody",
        ]
    );
    let last = github.statuses().pop().unwrap();
    assert_eq!(last["environment_url"], "https://booking.example.com");
    assert_eq!(last["log_url"], "https://github.example/acme/booking/actions/runs/17");
    assert_eq!(github.comments(), [""; 0]);

    // The next one retires it; one that goes home does not.
    let why = format!("rolled back 1.6.0: {}", "the canary fails more than stable; ".repeat(10));
    let bad = [started("rel-2", "deploy", "1.6.0", false), completed("rel-2", "1.6.0", "rolled-back", &why)];
    tell(&facts(&github), bad.into());
    let last_of = |github: &GitHub, nth: usize| github.deployments()[nth].1.last().unwrap().clone();
    assert!(last_of(&github, 0).starts_with("success"));
    assert!(
        last_of(&github, 1).starts_with("failure rolled back 1.6.0") && last_of(&github, 1).ends_with('…')
    );
    tell(&facts(&github), good("rel-3", "1.7.0"));
    assert_eq!(last_of(&github, 0), "inactive 1.7.0 serves now");
    assert!(last_of(&github, 1).starts_with("failure"), "what failed was never active");
    assert!(last_of(&github, 2).starts_with("success"));

    // By hand, back to what was deployed before: GitHub knows its commit. What it does not know it is not told.
    let back = |version: &str| vec![completed("rel-4", version, "promoted", "blue serves everybody")];
    tell(&facts(&github), vec![started("rel-cut-off", "deploy", "1.8.0", false)]);
    tell(&facts(&github), back("0.9.0"));
    assert_eq!(github.deployments().len(), 4);
    assert_eq!(last_of(&github, 3), "inactive 0.9.0 serves now");
    assert!(last_of(&github, 2).starts_with("success"));
    tell(&facts(&github), back("1.5.0"));
    let all = github.deployments();
    assert_eq!(
        (all.len(), &all[4].0["sha"], all[4].1.as_slice()),
        (5, &COMMIT.into(), ["success blue serves everybody".to_owned()].as_slice())
    );
    assert_eq!(last_of(&github, 2), "inactive 1.5.0 serves now");
    tell(&facts(&github), vec![completed("rel-5", "1.5.0", "shifted", "by hand")]);
    assert_eq!(github.deployments().len(), 5, "weights are no deployment");

    // Cut off before it moved anybody, and ended by somebody else, who never heard of its beginning.
    tell(&facts(&github), vec![started("rel-6", "deploy", "1.9.0", false)]);
    tell(&facts(&github), vec![completed("rel-6", "1.9.0", "abandoned", "1.9.0 never ended")]);
    assert_eq!((github.deployments().len(), last_of(&github, 5)), (6, "failure 1.9.0 never ended".into()));
    tell(&facts(&github), vec![started("rel-7", "deploy", "2.0.0", false)]);
    tell(&facts(&github), vec![completed("rel-7", "2.0.0", "promoted", "2.0.0 serves everybody")]);
    assert_eq!(
        (github.deployments().len(), last_of(&github, 6)),
        (7, "success 2.0.0 serves everybody".into())
    );
    assert_eq!(last_of(&github, 4), "inactive 2.0.0 serves now");
}

#[test]
fn whoever_takes_a_release_over_goes_on_with_its_deployment() {
    let github = GitHub::start();
    let facts = Facts { comment: false, ..facts(&github) };
    tell(&facts, vec![started("rel-1", "deploy", "1.5.0", false), weights("switch", "1.5.0", 5)]);
    let home = [
        started("rel-1", "deploy", "1.5.0", true),
        completed("rel-1", "1.5.0", "superseded", "superseded: rel-2"),
    ];
    tell(&facts, home.into());
    let [(_, said)] = github.deployments().try_into().unwrap();
    assert_eq!(said.last().unwrap(), "inactive superseded: rel-2");
}

#[test]
fn a_pull_request_has_one_comment_for_each_environment() {
    let github = GitHub::start();
    for _ in 0..120 {
        github.has_comment("me too", "User", "NONE");
    }
    github.has_comment("<!-- crossfade:production -->\nmine", "User", "CONTRIBUTOR");
    let deployed = Event::Deployed {
        project: "booking".into(),
        id: "a1".into(),
        url: "https://a1.booking.pages.dev".into(),
        aliases: Vec::new(),
        pages_environment: None,
    };
    let mut events = good("rel-1", "1.5.0 @all");
    events.insert(1, deployed);
    tell(&facts(&github), events);
    tell(&facts(&github), good("rel-2", "1.6.0"));
    let comments = github.comments();
    assert_eq!((comments.len(), comments[120].as_str()), (122, "<!-- crossfade:production -->\nmine"));
    assert_eq!(
        comments[121],
        "<!-- crossfade:production -->\n✅ **production**: promoted 1.6.0: it serves everybody\n\n| | |\n|---|---|\n\
         | release | rel-2 |\n| visitors on it | 100 % (revision 101) |\n\n\
         [how it went](https://github.example/acme/booking/actions/runs/17)\n"
    );
    // By hand: a version of before is back, and that is no success of the pull request's.
    tell(&facts(&github), vec![completed("rel-3", "1.4.2", "promoted", "blue 1.4.2 serves everybody")]);
    assert_eq!(
        github.comments()[121],
        "<!-- crossfade:production -->\n↩️ **production**: blue 1.4.2 serves everybody\n\n\
         [how it went](https://github.example/acme/booking/actions/runs/17)\n"
    );
    let made =
        github.calls().iter().filter(|call| call.starts_with("POST /repos/acme/booking/issues")).count();
    assert_eq!(made, 1);
}

#[test]
fn what_the_token_may_not_is_noted_once_and_asked_for_once() {
    let github = GitHub::start();
    github.instead(&[(403, "")]);
    tell(&Facts { comment: false, ..facts(&github) }, good("rel-1", "1.5.0"));
    assert_eq!(github.calls(), ["POST /repos/acme/booking/deployments"]);
    let noted = NOTES.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let ours: Vec<&String> = noted.iter().filter(|text| text.contains("status is 403")).collect();
    let [text] = ours.as_slice() else { panic!("{noted:?}") };
    assert!(text.starts_with("GitHub Deployments: not told, because the token may not: the job needs `permissions: deployments: write`"), "{text}");
}

#[test]
fn what_may_pass_is_tried_again_and_what_may_not_costs_one_status() {
    let github = GitHub::start();
    github.instead(&[(500, ""), (403, "retry-after: 0")]);
    let wrong = Facts { comment: false, commit: Some("short".into()), ..facts(&github) };
    tell(&Facts { comment: false, ..facts(&github) }, good("rel-1", "1.5.0"));
    assert_eq!(github.deployments()[0].1.len(), 4);
    tell(&wrong, good("rel-2", "1.6.0"));
    assert_eq!(github.deployments().len(), 1, "GitHub knows no such commit");
}

#[test]
fn a_dead_api_delays_nobody_who_is_asked_to_end() {
    // It accepts, and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead =
        Facts { api_url: format!("http://{}", listener.local_addr().unwrap()), ..facts(&GitHub::start()) };
    let telling = Telling::of(&dead, "production", "https://booking.example.com", note).unwrap();
    let listener = telling.listener();
    let begun = std::time::Instant::now();
    good("rel-1", "1.5.0").into_iter().for_each(|event| listener(&Entry { at: now(), event }));
    assert!(begun.elapsed() < Duration::from_millis(500), "whoever speaks does not wait");
    let signal = Cancel::default();
    signal.cancel("SIGTERM");
    telling.finish(&signal);
    assert!(begun.elapsed() < Duration::from_secs(3), "nor does whoever is asked to end");
}

#[test]
fn a_pull_requests_own_commit_is_what_is_deployed() {
    let directory = tempfile::tempdir().unwrap();
    let event = directory.path().join("event.json");
    let facts = |event: &std::path::Path| {
        Facts::new(&|name| {
            let value = match name {
                "GITHUB_EVENT_PATH" => event.to_str()?,
                "GITHUB_SHA" => "5ha",
                "GITHUB_REPOSITORY" => "acme/booking.site",
                "GITHUB_SERVER_URL" => "https://github.example",
                "GITHUB_RUN_ID" => "17",
                "GITHUB_API_URL" => "https://github.example/api/v3",
                GITHUB_TOKEN => "secret",
                COMMENT => " True ",
                _ => return None,
            };
            Some(value.to_owned())
        })
    };
    let push = facts(&event);
    assert_eq!((push.commit.as_deref(), push.pull_request), (Some("5ha"), None));
    std::fs::write(&event, r#"{"pull_request":{"number":7,"head":{"sha":"4ead"}}}"#).unwrap();
    let pull_request = facts(&event);
    assert_eq!((pull_request.commit.as_deref(), pull_request.pull_request), (Some("4ead"), Some(7)));
    assert_eq!(
        pull_request.run_url.as_deref(),
        Some("https://github.example/acme/booking.site/actions/runs/17")
    );
    assert!(pull_request.comment && pull_request.api().is_some());
    assert!(!format!("{pull_request:?}").contains("secret"));
    std::fs::write(&event, "{").unwrap();
    assert_eq!(facts(&event), push);
}

#[test]
fn a_repository_is_two_names_and_no_path() {
    for (name, good) in [
        ("acme/booking", true),
        ("acme/.github", true),
        ("acme/..", false),
        ("acme/a/b", false),
        ("acme", false),
        ("acme/", false),
        ("../x", false),
        ("acme/x?y", false),
    ] {
        assert_eq!(is_repository(name), good, "{name}");
    }
}
