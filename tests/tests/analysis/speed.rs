//! How long a bad version serves, with everything as it is by default; the figures of ARCHITECTURE.md:
//! `cargo test -p crossfade-tests --test analysis speed -- --ignored --nocapture`.

use std::time::Instant;

use crate::{Pages, Stage};

#[test]
#[ignore = "minutes"]
fn a_bad_canary_is_home_after_a_handful_of_its_errors() {
    println!(
        "| weight | failing | visitors/s | first bad answer → judged | → home written | of the canary failed | visitors saw |"
    );
    println!("|---|---|---|---|---|---|---|");
    for weight in [1, 5, 25] {
        for one_of in [1, 20] {
            let row = row(weight, one_of);
            println!("{row}");
        }
    }
}

fn row(weight: u32, one_of: u32) -> String {
    let steps = format!("steps = [{{ weight = \"{weight}%\", hold = \"1h\" }}]");
    let stage = Stage::new(&steps, "");
    let began = Instant::now();
    let (asked, seen, (judged, home, ended)) = stage.visited(|| {
        let mut running = stage.begin();
        running.until(&format!("\"weight\":{}", weight * 100));
        stage.are(Pages::Failing { one_of });
        running.until("\"verdict\":\"fail\"");
        let judged = Instant::now();
        running.until("\"type\":\"weights\"");
        (judged, Instant::now(), running.end())
    });
    let rate = asked as f64 / began.elapsed().as_secs_f64();
    ended.expect(4);
    assert!(stage.serves("1.0.0"));
    let first = stage.first_failure().unwrap();
    format!(
        "| {weight} % | {} % | {rate:.0} | {:.1} s | {:.1} s | {} | {} |",
        100 / one_of,
        (judged - first).as_secs_f64(),
        (home - first).as_secs_f64(),
        stage.failures(),
        seen.len(),
    )
}
