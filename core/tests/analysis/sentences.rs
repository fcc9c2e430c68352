//! What the sequential judge tells a person, and what it says is missing.

use crossfade_core::analysis::{
    Counts, Hold, Inconclusive, Judge, Missing, Need, Part, Settings, Start, Verdict,
};
use crossfade_core::{Span, table::Weight};

use crate::rollouts::sequential;
use crate::{counts, interval, seconds};

#[test]
fn without_an_error_the_reference_s_488_requests_are_missing_and_the_weight_is_told() {
    let mut judge = sequential(0.001, 1.0);
    // 20 requests a second, of which one is the canary's.
    judge.observe(&interval(30, 500, counts(30, 0, None), counts(570, 0, None)));
    let missing = missing(&judge);
    assert_eq!((missing.need, missing.requests), (Need::Errors, Some(458)));
    assert_eq!(missing.takes, Some(Span(seconds(458))));
    // 458 of the 6,000 requests of five minutes.
    assert_eq!(missing.weight, Weight::new(764));
    assert_eq!(
        judge.verdict(seconds(300)).to_string(),
        "too little is known of the canary's errors: 0 of 30 requests (0 %) against 0 of 570 requests (0 %) on stable; \
         458 more requests will do if it does as well as stable, which takes 7 min 38 s at this weight, or its step's time \
         at 7.64 %"
    );
    judge.observe(&interval(300, 500, counts(457, 0, None), counts(8683, 0, None)));
    assert_eq!(self::missing(&judge).requests, Some(1));
    judge.observe(&interval(1, 500, counts(1, 0, None), counts(19, 0, None)));
    assert_eq!(
        judge.verdict(seconds(300)).to_string(),
        "the canary fails no more than stable does and 1 % of all requests, which is 95 % sure: 0 of 488 requests (0 %), \
         at most 1 %, against 0 of 9272 requests (0 %), at least 0 %; no answer was timed"
    );
}

#[test]
fn the_weight_that_is_told_is_enough() {
    let mut judge = sequential(0.001, 1.0);
    judge.observe(&interval(
        300,
        500,
        counts(300, 1, Some([60, 15, 3])),
        counts(5700, 28, Some([1140, 285, 57])),
    ));
    let Missing { requests, weight, .. } = missing(&judge);
    let (requests, weight) = (requests.unwrap(), weight.unwrap());
    let share = f64::from(weight.basis_points()) / 10_000.0;
    assert!(6000.0 * share >= requests as f64 && 6000.0 * (share - 0.0001) < requests as f64);
    // So many more of the canary's requests, beside stable's at the weight that it has, as they were foretold.
    let stable = requests * 19;
    let side = |all: u64, round: fn(f64) -> f64| {
        let of = |rate: f64| round(all as f64 * rate) as u64;
        counts(all, of(28.0 / 5700.0), Some([0.2, 0.05, 0.01].map(of)))
    };
    judge.observe(&interval(300, 500, side(requests, f64::floor), side(stable, f64::ceil)));
    assert!(matches!(judge.verdict(seconds(300)), Verdict::Pass(_)), "{}", judge.verdict(seconds(300)));
}

#[test]
fn without_traffic_and_before_its_time_it_says_so() {
    let mut judge = sequential(0.001, 1.0);
    assert!(matches!(judge.verdict(seconds(300)), Verdict::Inconclusive(_)), "before anything is counted");
    judge.observe(&interval(30, 500, Counts::default(), Counts::default()));
    assert!(judge.verdict(seconds(300)).to_string().ends_with("but none arrive at this weight"));
    judge.observe(&interval(30, 500, counts(600, 0, None), counts(11_400, 0, None)));
    assert_eq!(
        judge.verdict(seconds(300)).to_string(),
        "the canary fails no more than stable does and 1 % of all requests, which is 95 % sure: 0 of 600 requests (0 %), \
         at most 0.81 %, against 0 of 11400 requests (0 %), at least 0 %; no answer was timed; its step lasts another 4 min"
    );
}

#[test]
fn each_step_needs_requests_of_its_own() {
    let mut judge = sequential(0.001, 1.0);
    judge.observe(&interval(300, 500, counts(600, 0, None), counts(11_400, 0, None)));
    assert!(matches!(judge.verdict(seconds(300)), Verdict::Pass(_)));
    judge.observe(&interval(30, 2500, counts(500, 0, None), counts(1500, 0, None)));
    assert_eq!(
        missing(&judge).takes,
        Some(Span(seconds(3))),
        "they do arrive, although they do not count yet"
    );
    judge.observe(&interval(1, 2500, counts(10, 0, None), counts(30, 0, None)));
    let missing = missing(&judge);
    assert_eq!(
        (missing.need, missing.requests),
        (Need::Step, Some(30)),
        "what arrives while routers learn is not it"
    );
}

#[test]
fn a_canary_that_is_silent_holds() {
    let mut judge = sequential(0.001, 1.0);
    judge.observe(&interval(30, 2500, counts(0, 0, None), counts(450, 2, None)));
    assert_eq!(
        judge.verdict(seconds(300)).to_string(),
        "the canary reports 0 of 450 requests (0 %) of this step at a weight of 25 %: it dies before it can report, or \
         routers do not know it; nothing is concluded until it gets its share"
    );
    judge.observe(&interval(30, 2500, counts(300, 0, None), counts(450, 2, None)));
    assert!(!matches!(judge.verdict(seconds(300)), Verdict::Hold(_)));
    // Just after a change of weight routers may not know it yet.
    judge.observe(&interval(30, 5000, counts(0, 0, None), counts(900, 2, None)));
    assert!(!matches!(judge.verdict(seconds(300)), Verdict::Hold(Hold::Telemetry { .. })));
}

#[test]
fn every_failure_is_told_with_its_numbers() {
    let slow = |all, slow| counts(all, 0, Some(slow));
    let (known, unknown) = (counts(4000, 10, None), Counts::default());
    // The kind, stable's past, both sides' counts in each interval at a weight, and how the sentence begins.
    let cases = [
        (
            Part::ErrorsRelative,
            &known,
            5000,
            counts(1000, 15, None),
            counts(1000, 1, None),
            "the canary fails more than stable: 30 of 2000 requests (1.5 %) against 2 of 2000 requests (0.1 %); this \
             happens to at most one healthy release in 1",
        ),
        (
            Part::ErrorsAbsolute,
            &unknown,
            10_000,
            counts(20, 20, None),
            counts(0, 0, None),
            "the canary fails more than the 2 % allowed: 20 of 20 requests (100 %); this happens to at most one healthy \
             release in a billion (the limit is 1000), and is final for this release",
        ),
        (
            Part::Availability,
            &unknown,
            10_000,
            Counts { unanswered: 15, ..counts(1000, 15, None) },
            counts(0, 0, None),
            "the canary leaves more than the 0.5 % allowed without an answer: 30 of 2000 requests (1.5 %); this happens to at \
             most one healthy release in ",
        ),
        (
            Part::ErrorsHistory,
            &known,
            10_000,
            counts(500, 9, None),
            counts(0, 0, None),
            "the canary fails more than 2 times as often as stable did: 27 of 1500 requests (1.8 %) against a past of 0.25 %",
        ),
        (
            Part::LatencyRelative,
            &known,
            5000,
            slow(1000, [120, 0, 0]),
            slow(1000, [20, 0, 0]),
            "the canary is slower than stable: 120 of 1000 answers (12 %) took longer than 500 ms against 20 of 1000 \
             answers (2 %)",
        ),
        (
            Part::LatencyAbsolute,
            &known,
            10_000,
            slow(100, [9, 9, 9]),
            slow(0, [0; 3]),
            "the canary is slower than allowed: 9 of 100 answers (9 %) took longer than 2 s, 1 % may",
        ),
    ];
    for (part, past, weight, canary, stable, sentence) in cases {
        let settings = Settings { dispersion: Some(1.0), ..Settings::default() };
        let start = Start { planned: seconds(3000), stable: past.clone(), ..Start::default() };
        let mut judge = Judge::sequential(settings, &start).unwrap();
        for _ in 0..20 {
            judge.observe(&interval(30, weight, canary.clone(), stable.clone()));
            if crate::rollouts::failed(&judge) {
                break;
            }
        }
        let Judge::Sequential(inner) = &judge else { unreachable!() };
        assert_eq!(inner.proof().map(|proof| proof.part), Some(part));
        let told = judge.verdict(seconds(600)).to_string();
        assert!(told.starts_with(sentence), "{told}");
        judge.observe(&interval(30, weight, counts(1_000_000, 0, Some([0; 3])), stable));
        assert_eq!(judge.verdict(seconds(600)).to_string(), told, "what comes later does not undo it");
    }
}

#[test]
fn stable_s_past_counts_from_two_thousand_requests_on() {
    for (past, counts_for_something) in [(1999, false), (2000, true)] {
        let start = Start { planned: seconds(3000), stable: counts(past, 5, None), ..Start::default() };
        let mut judge = Judge::sequential(Settings::default(), &start).unwrap();
        judge.observe(&interval(30, 10_000, counts(500, 30, None), Counts::default()));
        let Judge::Sequential(inner) = &judge else { unreachable!() };
        let (_, ln) = inner.evidence().into_iter().find(|(part, _)| *part == Part::ErrorsHistory).unwrap();
        assert_eq!(ln > 1.0, counts_for_something, "{past}: {ln}");
    }
}

#[test]
fn a_verdict_is_an_object_of_an_event() {
    let mut judge = sequential(0.001, 1.0);
    judge.observe(&interval(30, 500, counts(30, 0, None), counts(570, 0, None)));
    assert_eq!(
        serde_json::to_value(judge.verdict(seconds(300))).unwrap(),
        serde_json::json!({
            "verdict": "inconclusive",
            "requests": {
                "need": "errors", "requests": 458, "takes": "458000ms", "weight": 764,
                "sides": { "canary": { "events": 0, "of": 30 }, "stable": { "events": 0, "of": 570 } },
            },
        })
    );
}

fn missing(judge: &Judge) -> Missing {
    match judge.verdict(seconds(300)) {
        Verdict::Inconclusive(Inconclusive::Requests(missing)) => missing,
        verdict => panic!("{verdict}"),
    }
}
