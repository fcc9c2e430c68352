//! Hooks that are told of everything and can do no harm.

use crossfade::cancel::Cancel;
use crossfade::hooks::Events;
use crossfade::report::{self, Entry, Event};
use crossfade_tests::origin::Origin;
use serde_json::Value;

use super::{asker, hooks, moment};

/// A warning for each number, told to the hooks; what they did not take in the end.
fn told(text: &str, origin: &Origin, count: usize) -> Vec<String> {
    let hooks = hooks(text, origin);
    let events = Events::start(&hooks.event, &asker(&hooks, &Cancel::default()), &moment()).unwrap();
    let listener = events.listener();
    for number in 0..count {
        let progress = Event::Progress { phase: "verify", text: "as the command speaks".into() };
        for event in [progress, Event::Warning { text: number.to_string() }] {
            listener(&Entry { at: report::now(), event });
        }
    }
    let over = Cancel::default();
    if text.contains("never") {
        origin.until(|received| !received.is_empty());
        over.cancel("enough");
    }
    events.finish(&over)
}

#[test]
fn every_hook_is_told_of_every_event_in_order_but_not_of_progress() {
    let origin = Origin::new(|_, wire| wire.answer("202 Accepted", &[], ""));
    assert_eq!(
        told("event = [{ url = \"URL/one\" }, { url = \"URL/two\" }]", &origin, 3),
        Vec::<String>::new()
    );
    for path in ["/one", "/two"] {
        let received = origin.received().into_iter().filter(|request| request.target == path);
        let texts: Vec<Value> = received
            .map(|request| {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                assert_eq!((&body["phase"], &body["event"]["type"]), (&"event".into(), &"warning".into()));
                body["event"]["text"].clone()
            })
            .collect();
        assert_eq!(texts, ["0", "1", "2"], "{path}");
    }
}

#[test]
fn a_hook_that_is_dead_or_deaf_holds_up_nothing_and_is_named_in_the_end() {
    let origin = Origin::new(|request, wire| match request.target.as_str() {
        "/never" => wire.wait_for_the_end(),
        _ => wire.answer("500 Internal Server Error", &[], "out of order"),
    });
    let refused = told("event = [{ url = \"URL/refuses\", name = \"chat\" }]", &origin, 2);
    let why = format!("{}/refuses: status is 500: out of order", origin.url());
    assert_eq!(refused, [format!("hook chat: 2 events could not be told: {why}")]);

    origin.forget();
    let deaf = told("event = [{ url = \"URL/never\", name = \"chat\", timeout = \"10m\" }]", &origin, 1_000);
    let [undelivered, dropped] = deaf.as_slice() else { panic!("{deaf:?}") };
    assert!(
        undelivered.starts_with("hook chat: 25") && undelivered.ends_with("the release is over"),
        "{deaf:?}"
    );
    assert!(dropped.starts_with("hook chat: too slow, 74"), "{deaf:?}");
}
