//! One webhook: what it is sent, what its answers mean, what happens when there is none.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossfade::cancel::Cancel;
use crossfade::error::Error;
use crossfade::hooks::{Answer, Asker, NoAnswer, Phase};
use crossfade_tests::hmac_sha256;
use crossfade_tests::origin::Origin;
use serde_json::{Value, json};

use super::{KEY, TOKEN, ask, asker, hooks, moment, status_of};

#[test]
fn a_webhook_is_told_where_the_release_stands_and_can_tell_who_asks() {
    let origin = Origin::saying("fine");
    let hooks = hooks(
        "[[confirm_traffic_increase]]\nurl = \"URL/approve\"\nbearer = \"HOOK_TOKEN\"\nhmac = \"HOOK_KEY\"\n\
         headers = { x-key = \"{{env.HOOK_KEY}}\", x-version = \"{{version}}\" }\nmetadata = { team = \"booking\", n = 1 }",
        &origin,
    );
    let asked = ask(&hooks, Phase::ConfirmTrafficIncrease);
    assert_eq!((asked.answer, asked.output.as_str(), asked.tries), (Ok(Answer::Pass), "fine", 1));
    let request = origin.only();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/approve"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        body,
        json!({
            "schema": 1, "phase": "confirm-traffic-increase", "environment": "production", "release": "rel-1",
            "version": "1.5.0", "slot": "green", "stable_version": "1.4.2", "step": 1, "weight": 500,
            "metadata": { "team": "booking", "n": 1 },
        })
    );
    let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!((header("x-key").as_str(), header("x-version").as_str()), (KEY, "1.5.0"));
    let signed = [header("crossfade-timestamp").as_bytes(), b".", &request.body].concat();
    assert_eq!(header("crossfade-signature"), format!("sha256={}", hmac_sha256(KEY, &signed)));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let sent: u64 = header("crossfade-timestamp").parse().unwrap();
    assert!(now.as_secs().abs_diff(sent) < 300, "{sent}");
}

#[test]
fn an_answer_is_pass_fail_or_wait_and_no_redirect_is_followed() {
    let origin = Origin::new(|request, wire| {
        let to = [("retry-after", "7"), ("location", "/200")];
        let sent = if request.target.ends_with("?after") { &to[..] } else { &to[1..] };
        wire.answer(&status_of(request), sent, "because\nof that");
    });
    let fail = |status: &str| {
        let place = format!("{}/{}", origin.url(), &status[..3]);
        Ok(Answer::Fail(format!("{place}: status is {status}: because of that")))
    };
    let wait = |seconds| Ok(Answer::Wait(Duration::from_secs(seconds)));
    for (path, answer) in [
        ("200", Ok(Answer::Pass)),
        ("204", Ok(Answer::Pass)),
        ("202", wait(10)),
        ("202?after", wait(7)),
        ("425?after", wait(7)),
        ("429?after", wait(7)),
        ("503?after", wait(7)),
        ("429", fail("429")),
        ("403?after", fail("403")),
        ("500", fail("500")),
        ("302", fail("302 (redirects are not followed)")),
    ] {
        origin.forget();
        let hooks = hooks(&format!("[[confirm_rollout]]\nurl = \"URL/{path}\""), &origin);
        let asked = ask(&hooks, Phase::ConfirmRollout);
        assert_eq!((asked.answer, asked.tries), (answer, 1), "{path}");
        assert_eq!(origin.only().target, format!("/{path}"));
    }
    let told = hooks("[[post_rollout]]\nurl = \"URL/202\"", &origin);
    assert_eq!(ask(&told, Phase::PostRollout).answer, Ok(Answer::Pass), "who is told has got it");
}

#[test]
fn what_does_not_answer_is_asked_again_and_then_has_not_answered() {
    let answers = AtomicUsize::new(0);
    let origin = Origin::new(move |request, wire| match request.target.as_str() {
        "/recovers" => match answers.fetch_add(1, Ordering::Relaxed) {
            0 => wire.close(),
            1 => wire.answer("502 Bad Gateway", &[], ""),
            _ => wire.answer("200 OK", &[], ""),
        },
        "/never" => wire.wait_for_the_end(),
        _ => wire.answer("503 Service Unavailable", &[], "a gateway's page"),
    });
    let recovers = hooks("[[rollout]]\nurl = \"URL/recovers\"", &origin);
    let asked = ask(&recovers, Phase::Rollout);
    assert_eq!((asked.answer, asked.tries), (Ok(Answer::Pass), 3));

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (url, dead) = (origin.url(), format!("http://{nobody}"));
    for (at, tries, says) in [
        (format!("{url}/never"), 2, "no answer: timeout: global"),
        (format!("{url}/gone"), 2, "nobody is there: status is 503"),
        (format!("{dead}/approve"), 2, "no answer: "),
    ] {
        let text = format!("[[rollout]]\nurl = \"{at}\"\ntimeout = \"300ms\"\nretries = 1");
        let asked = ask(&hooks(&text, &origin), Phase::Rollout);
        let Err(NoAnswer::Error(why)) = asked.answer else { panic!("{at}: {:?}", asked.answer) };
        assert!(why.starts_with(&format!("{at}: {says}")) && asked.tries == tries, "{why}, {}", asked.tries);
    }
}

#[test]
fn no_secret_comes_back_from_a_webhook_that_repeats_what_it_was_sent() {
    let echo = Origin::new(|request, wire| {
        let token = request.header("authorization").unwrap_or_default();
        wire.answer(&status_of(request), &[], format!("{}{} {token}", "x".repeat(50), request.target));
    });
    for status in ["200", "403", "502"] {
        let text = format!(
            "[[confirm_rollout]]\nurl = \"URL/{status}/{{{{env.HOOK_KEY}}}}?key=4712-written-there\"\n\
             bearer = \"HOOK_TOKEN\"\nretries = 0"
        );
        let asked = ask(&hooks(&text, &echo), Phase::ConfirmRollout);
        assert!(echo.received().iter().all(|request| request.target.contains(KEY)), "it gets it");
        let said = format!("{asked:?}");
        let output = if status == "502" { "" } else { "x/403/***?*** Bearer ***" };
        assert!(asked.output.ends_with(&output.replace("403", status)), "{said}");
        let why = format!("{:?} {}", asked.answer, asked.hook);
        assert!([KEY, TOKEN, "4712"].iter().all(|secret| !said.contains(secret)), "{said}");
        assert!(asked.hook.ends_with(&format!("/{status}/{{{{env.HOOK_KEY}}}}")), "{why}");
    }
}

#[test]
fn a_cancellation_is_not_kept_waiting_by_a_webhook() {
    let origin = Origin::new(|_, wire| wire.wait_for_the_end());
    let hooks = hooks("[[confirm_rollout]]\nurl = \"URL\"\ntimeout = \"10m\"", &origin);
    let cancel = Cancel::default();
    let asker = asker(&hooks, &cancel);
    let asking =
        std::thread::spawn(move || asker.ask(Phase::ConfirmRollout, &hooks.confirm_rollout[0], &moment()));
    origin.until(|received| received.len() == 1);
    cancel.cancel("SIGINT");
    assert_eq!(asking.join().unwrap().answer, Err(NoAnswer::Cancelled("SIGINT".into())));
}

#[test]
fn a_secret_that_is_not_there_is_told_before_anything_is_asked() {
    let origin = Origin::saying("fine");
    for (text, told) in [
        ("[[confirm_rollout]]\nurl = \"URL\"\nbearer = \"NOT_SET\"", true),
        ("[[rollback]]\nurl = \"URL\"\nhmac = \"NOT_SET\"", true),
        ("[[pre_rollout]]\nurl = \"URL\"\nheaders = { x-key = \"{{ env.NOT_SET }}\" }", true),
        ("[[event]]\nurl = \"URL\"\nbearer = \"NOT_SET\"", false),
        ("[[post_rollout]]\nurl = \"URL\"\nbearer = \"NOT_SET\"", false),
    ] {
        let hooks = hooks(text, &origin);
        let moment = moment();
        let named = (&moment.version, &moment.release);
        let asker =
            Asker::new(&hooks, std::path::Path::new("."), named, Cancel::default(), |_| Some("\n".into()));
        match asker {
            Err(Error::Missing { hint, .. }) if told => {
                assert!(hint.contains("set NOT_SET, which a hook"), "{hint}")
            }
            Ok(asker) if !told => {
                let phase = if hooks.event.is_empty() { Phase::PostRollout } else { Phase::Event };
                let asked = asker.ask(phase, &hooks.of(phase)[0], &moment);
                let Err(NoAnswer::Error(why)) = asked.answer else { panic!("{:?}", asked.answer) };
                assert!(why.ends_with(": the environment variable NOT_SET is not set"), "{why}");
            }
            other => panic!("{text}: {:?}", other.map(|_| ())),
        }
    }
    assert_eq!(origin.received().len(), 0);
}
