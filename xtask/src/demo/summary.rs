//! What it all came to: one table, and whatever was not as said.

use comfy_table::{CellAlignment, Table, presets};

use super::releases::{Released, Seen};
use super::traffic::{PER_SECOND, Sample};

/// The least that counts as steady traffic, requests a second.
const PER_SECOND_MIN: f64 = 50.0;

/// The final table.
pub(super) fn table(released: &[Released], samples: &[Sample]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "release",
        "outcome",
        "exit",
        "requests it served",
        "requests meanwhile",
        "failed",
        "slowest",
        "switch → confirmed",
        "detection → home",
    ]);
    let seconds = |duration: Option<std::time::Duration>| {
        duration.map_or_else(|| "–".to_owned(), |duration| format!("{:.1} s", duration.as_secs_f64()))
    };
    for release in released {
        table.add_row([
            release.case.version.to_owned(),
            release.outcome.clone(),
            release.code.to_string(),
            served_by(samples, release.case.version).to_string(),
            release.seen.requests.to_string(),
            release.seen.failed.to_string(),
            format!("{} ms", release.seen.slowest.as_millis()),
            seconds(release.switch),
            seconds(release.home),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let all = Seen::of(samples.iter());
    let posts = samples.iter().filter(|sample| sample.is_post).count();
    format!(
        "{table}\n{} requests in all, {posts} of them POST, {:.0} a second\n",
        all.requests,
        per_second(samples)
    )
}

/// Everything that was not as said, in words.
pub(super) fn complaints(released: &[Released], samples: &[Sample]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |is_wrong: bool, text: String| {
        if is_wrong {
            complaints.push(text);
        }
    };
    for release in released {
        let Released { case, code, outcome, live, .. } = release;
        let version = case.version;
        complain(*code != case.code, format!("{version}: exit code {code}, expected {}", case.code));
        complain(outcome != case.outcome, format!("{version}: {outcome}, expected {}", case.outcome));
        complain(live != case.live, format!("after {version}, {live} is live, expected {}", case.live));
        complain(case.is_free && release.seen.failed > 0, format!("{version}: {}", release.seen));
        let served = served_by(samples, version);
        match case.code {
            0 => complain(served == 0, format!("{version} was promoted and served nobody")),
            3 => complain(served > 0, format!("{version} must never be seen and served {served} requests")),
            _ => {
                complain(served == 0, format!("{version} was to be caught under load and met no visitor"));
                complain(
                    release.home.is_none(),
                    format!("{version}: the history does not say when traffic was home"),
                );
            }
        }
    }
    // A version that is to fail may; the others may not, whenever.
    let may_fail: Vec<&str> =
        released.iter().filter(|it| !it.case.is_free).map(|it| it.case.version).collect();
    for sample in samples {
        let by = sample.version.as_deref().unwrap_or("nobody");
        let failure = sample.failure.as_deref().filter(|_| !may_fail.contains(&by));
        complain(failure.is_some(), format!("{} (answered by {by})", failure.unwrap_or_default()));
    }
    // Once the last release is over and traffic is home, nobody may meet it any more.
    if let Some(last) = released.last() {
        let late = last.ended.checked_sub(std::time::Duration::from_secs(2)).unwrap_or(last.begun);
        let met = samples
            .iter()
            .filter(|sample| sample.sent >= late && sample.version.as_deref() == Some(last.case.version))
            .count();
        complain(
            met > 0 && last.case.code != 0,
            format!("{met} requests met {} after it was rolled back", last.case.version),
        );
    }
    let rate = per_second(samples);
    complain(rate < PER_SECOND_MIN, format!("{rate:.0} requests a second, meant to be {PER_SECOND}"));
    complaints
}

fn served_by(samples: &[Sample], version: &str) -> usize {
    samples.iter().filter(|sample| sample.version.as_deref() == Some(version)).count()
}

fn per_second(samples: &[Sample]) -> f64 {
    match (samples.first(), samples.last()) {
        (Some(first), Some(last)) if last.sent > first.sent => {
            samples.len() as f64 / last.sent.duration_since(first.sent).as_secs_f64()
        }
        _ => 0.0,
    }
}
