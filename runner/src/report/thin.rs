//! A release that is looked at every five seconds has more to tell than a record should hold: of looks that say the same, a part
//! is kept, evenly spread.

use serde_json::Value;

/// The most looks that a record keeps, as far as they say the same.
const LOOKS_MAX: usize = 240;

/// What is kept of all that happened: everything but looks, and of those the first and the last of each row of the same
/// verdict, and every so manieth between.
pub(super) fn thin(events: Vec<Value>) -> Vec<Value> {
    let is_look = |event: &Value| event["type"] == "measurement";
    let looks: Vec<usize> = (0..events.len()).filter(|index| is_look(&events[*index])).collect();
    let every = looks.len().div_ceil(LOOKS_MAX);
    if every < 2 {
        return events;
    }
    let verdict = |nth: usize| looks.get(nth).map(|index| &events[*index]["verdict"]);
    let turns = |nth: usize| nth == 0 || verdict(nth) != verdict(nth - 1) || verdict(nth) != verdict(nth + 1);
    let dropped: Vec<usize> =
        (0..looks.len()).filter(|nth| nth % every > 0 && !turns(*nth)).map(|nth| looks[nth]).collect();
    let keep = |index: usize| dropped.binary_search(&index).is_err();
    events.into_iter().enumerate().filter(|(index, _)| keep(*index)).map(|(_, event)| event).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn many_looks_that_say_the_same_are_thinned_out_and_nothing_else() {
        let look = |at: usize| {
            let verdict = if (1_000..1_003).contains(&at) { "hold" } else { "pass" };
            json!({ "type": "measurement", "verdict": verdict, "at": at })
        };
        let mut events: Vec<Value> = (0..2_000).map(look).collect();
        events.insert(500, json!({ "type": "warning" }));
        let kept = thin(events.clone());
        assert!((200..250).contains(&kept.len()), "{}", kept.len());
        let has = |at: usize| kept.iter().any(|event| event["at"] == at);
        for at in [0, 999, 1_000, 1_002, 1_003, 1_999] {
            assert!(has(at), "{at}");
        }
        assert!(kept.contains(&json!({ "type": "warning" })));
        assert!(kept.is_sorted_by_key(|event| event["at"].as_u64().unwrap_or(500)));
        assert_eq!(thin(events[..240].to_vec()), events[..240]);
    }
}
