//! Why a release failed, in so few words that two that failed at the same thing have the same ones.

use crate::record::Record;

/// Promoted, and taken back by a person.
pub(super) const BY_HAND: &str = "rolled back by hand";

/// The most characters.
const LENGTH_MAX: usize = 80;

/// From the last line of a release: what failed and where, without what differs from time to time.
pub(super) fn of(record: &Record) -> String {
    let Some(ended) = &record.ended else { return String::new() };
    match ended.outcome.as_str() {
        "abandoned" => "its runner died".into(),
        _ => in_short(ended.reason(&record.version)),
    }
}

fn in_short(why: &str) -> String {
    if why.contains("cancelled (") || why.starts_with("cancelled: ") {
        return "cancelled".into();
    }
    let (at, why) = match why.strip_prefix("step ") {
        Some(step) if step.contains(" could not be measured ") => ("could not measure: ", after(step, ": ")),
        Some(step) if step.contains(" is undecided: ") => ("undecided: ", after(step, " is undecided: ")),
        // `step 2 (5%): …`
        Some(step) if step.split_once(": ").is_some_and(|(step, _)| step.ends_with(')')) => {
            ("", after(step, ": "))
        }
        Some(_) | None => ("", why),
    };
    // The judge says what is wrong and then the numbers; a gate names itself and its check, and then what differs from time to time.
    let telling = if why.starts_with("the canary ") { 1 } else { 2 };
    let parts: Vec<&str> = why.split(": ").take(telling).collect();
    let text = format!("{at}{}", without_numbers(&parts.join(": ")));
    match text.char_indices().nth(LENGTH_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(mark).map_or(text, |(_, after)| after)
}

/// Numbers that count or measure, `12` and `0.26`, become `…`; those that are part of a name stay.
fn without_numbers(text: &str) -> String {
    let is_number = |word: &str| {
        word.bytes().any(|byte| byte.is_ascii_digit())
            && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let words = text.split(' ').map(|word| {
        let bare = word.trim_matches(|mark: char| ",;()%".contains(mark));
        if is_number(bare) { word.replace(bare, "…") } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_at_the_same_thing_has_the_same_cause() {
        for (why, cause) in [
            ("health: basic: status is 503 with `out of order`, expected 2xx", "health: basic"),
            ("smoke: booking creation: step 2 of 3: no answer", "smoke: booking creation"),
            (
                "step 1 (100 %): basic: status is 500 with `x`, expected 2xx",
                "basic: status is … with `x`, expected 2xx",
            ),
            (
                "step 2 (5 %): the canary fails more than stable: 12 of 60 requests (20 %) against 3 of 1140",
                "the canary fails more than stable",
            ),
            (
                "step 3 could not be measured 4 times in a row: no answer: timeout",
                "could not measure: no answer: timeout",
            ),
            (
                "step 1 could not be measured 2 times in a row: queue: 502 (1 in a row forgiven)",
                "could not measure: queue: … (… in a row forgiven)",
            ),
            ("step 3 (25 %) is undecided: 210 requests are missing", "undecided: … requests are missing"),
            ("cancelled (SIGINT) before any traffic was moved", "cancelled"),
            ("cancelled: aborted by ann", "cancelled"),
            ("nobody approved step 2 within 1800 s", "nobody approved step … within … s"),
            (
                "confirm-promotion: https://hooks.example.com/yes: status is 403",
                "confirm-promotion: https://hooks.example.com/yes",
            ),
        ] {
            assert_eq!(in_short(why), cause);
        }
        let long = in_short(&"ä".repeat(200));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LENGTH_MAX + 1, true));
    }
}
