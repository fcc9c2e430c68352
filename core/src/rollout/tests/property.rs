//! The rules hold whatever the world answers.

use proptest::prelude::*;

use super::*;

/// Any answer that fits the effect.
fn answer(effect: &Effect, draw: u8, last: Option<&RoutingTable>) -> Event {
    let text = String::new;
    if draw >= 250 {
        return Event::Cancelled("SIGINT".into());
    }
    match effect {
        Effect::Publish { .. } => Event::Published(match draw {
            0..=15 => Err(WriteFailure::Unknown(text())),
            16..=31 => Err(WriteFailure::NotWritten(text())),
            32..=35 => Err(WriteFailure::Refused(text())),
            36..=37 => Err(WriteFailure::Superseded(text())),
            38.. => Ok(()),
        }),
        Effect::LookUp => Event::LookedUp(match draw {
            0..=79 => Found::Unreadable(text()),
            80..=99 => Found::NotFollowed,
            100..=179 => Found::Table(Writer::of(&base())),
            180.. => Found::Table(Writer::of(last.unwrap())),
        }),
        Effect::Confirm(_) => Event::Confirmed(match draw {
            0..=120 => Confirmation::NotYet(text()),
            121..=122 => Confirmation::Superseded(text()),
            123.. => Confirmation::Served,
        }),
        Effect::Measure { .. } if draw % 8 == 7 => Event::Busy,
        Effect::Measure { .. } => measured(match draw {
            0..=9 => Verdict::Fail(text()),
            10..=60 => Verdict::Error(text()),
            61.. => Verdict::Pass,
        }),
        Effect::Ask { .. } => Event::Answered(Answer::Pass),
        Effect::Deploy { .. } | Effect::Undo { .. } => unreachable!("a canary has no instances"),
        Effect::WaitUntil(_) | Effect::Finish(_) => Event::Woke,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn whatever_happens_the_rules_hold(draws in prop::collection::vec(any::<u8>(), 1..400), start: u8) {
        let mut rollout =
            rollout(plan(&[(5, 120), (50, 300), (100, 0)]), Some(base()));
        let before = base();
        let mut now = Timestamp::from_millis(1_000_000 + i64::from(start));
        let mut draws = draws.into_iter().cycle();
        let (mut event, mut sent, mut home_begun) = (Event::Started, Vec::<RoutingTable>::new(), false);
        let mut passed_since_step = false;
        let mut still_measuring = 0;
        let mut finished = false;
        for _ in 0..20_000 {
            let effect = rollout.handle(now, event);
            now = now.plus(Duration::from_millis(150));
            match &effect {
                Effect::Publish { table, urgent, base } => {
                    let weight = |table: &RoutingTable| table.variants()[1].weight;
                    let is_home = table.variants() == before.variants();
                    prop_assert_eq!(*urgent, is_home);
                    prop_assert_eq!(*base, Some(before.revision()));
                    prop_assert!(!home_begun || is_home, "weights never rise after going home has begun");
                    home_begun |= is_home;
                    let canary_listed = table.previous().iter().any(|older| older.origin == canary().origin);
                    prop_assert_eq!(canary_listed, is_home, "pages that the canary answered find their files");
                    let settled = table.stable().name.as_str() == "green";
                    prop_assert_eq!(table.lease().is_some(), !is_home && !settled);
                    if let Some(last) = sent.last() {
                        prop_assert!(table.revision() >= last.revision());
                        prop_assert!(table.revision() > last.revision() || **table == *last, "one revision, one content");
                        let next_step = !is_home && (weight(table) > weight(last) || settled != (last.stable().name.as_str() == "green"));
                        prop_assert!(!next_step || passed_since_step, "no step is left without a pass");
                        if next_step { passed_since_step = false; }
                    }
                    sent.push(RoutingTable::clone(table));
                }
                Effect::WaitUntil(time) => now = now.max(*time),
                Effect::Finish(outcome) => {
                    if matches!(outcome, Outcome::NotStarted(_)) {
                        prop_assert!(sent.len() <= 5 && !home_begun);
                    }
                    if matches!(outcome, Outcome::RolledBack(_)) { prop_assert!(home_begun); }
                    if matches!(outcome, Outcome::Promoted) { prop_assert!(!home_begun); }
                    finished = true;
                    break;
                }
                Effect::LookUp
                | Effect::Confirm(_)
                | Effect::Measure { .. }
                | Effect::Ask { .. }
                | Effect::Deploy { .. }
                | Effect::Undo { .. } => {}
            }
            event = answer(&effect, draws.next().unwrap(), sent.last());
            if event == Event::Busy {
                still_measuring += 1;
                if let Effect::Measure { until: Some(until), .. } = effect { now = now.max(until); }
                // Nobody measures for ever.
                if still_measuring % 20 == 0 { event = measured(Verdict::Pass); }
            }
            if event == measured(Verdict::Pass) { passed_since_step = true; }
        }
        prop_assert!(finished, "a rollout is bounded");
    }
}
