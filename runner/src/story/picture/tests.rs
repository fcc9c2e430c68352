use super::*;
use crate::story::tests::record;

#[test]
fn a_picture_is_drawn_the_same_each_time() {
    let story = Story::of(&record(), str::to_owned);
    insta::assert_snapshot!("alone", draw(&story, Width::Wide, true));
    assert_eq!(draw(&story, Width::Narrow, false), draw(&story, Width::Narrow, false));
}

#[test]
fn nothing_is_drawn_outside_of_the_picture() {
    let story = Story::of(&record(), str::to_owned);
    for (width, across) in [(Width::Wide, 960.0), (Width::Narrow, 380.0)] {
        let picture = draw(&story, width, false);
        let numbers = |name: &str| {
            let mark = format!(" {name}=\"");
            let pieces: Vec<f64> = picture
                .split(&mark)
                .skip(1)
                .filter_map(|piece| piece.split('"').next()?.parse().ok())
                .collect();
            pieces
        };
        let height: f64 = picture
            .split("viewBox=\"0 0 ")
            .nth(1)
            .unwrap()
            .split(['"', ' '])
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        for x in ["x", "x1", "x2", "cx"].into_iter().flat_map(numbers) {
            assert!((0.0..=across).contains(&x), "{x}");
        }
        let ys: Vec<f64> = ["y", "y1", "y2", "cy"].into_iter().flat_map(numbers).collect();
        assert!(ys.len() > 100 && ys.iter().all(|y| (0.0..=height).contains(y)), "{height} {ys:?}");
        for class in
            ["curve new p95", "curve old p99", "mark bad", "hold soft", "wait soft", "phase bad", "hook wait"]
        {
            assert!(picture.contains(&format!("\"{class}\"")), "{class}");
        }
    }
}

#[test]
fn whatever_the_times_no_text_sticks_out() {
    // As wide as fonts make a character at most.
    const CHARACTER: f64 = 7.0;
    for (length, phase) in
        [(4, 1), (8, 8), (9, 9), (30, 30), (59, 2), (600, 599), (4_000, 10), (90_000, 90_000)]
    {
        let mut record = record();
        let end = record.started_at.plus(std::time::Duration::from_secs(length));
        record.ended.as_mut().unwrap().at = end;
        let text = "it took its time";
        record.evidence = vec![serde_json::json!({
            "at": end, "type": "phase-ended", "phase": "verification of everything", "ok": true, "text": text, "elapsed_ms": phase * 1000,
        })];
        let story = Story::of(&record, str::to_owned);
        for (width, across) in [(Width::Wide, 960.0), (Width::Narrow, 380.0)] {
            let picture = draw(&story, width, false);
            for element in picture.split("<text class=\"tick").skip(1) {
                let anchor = element.split('"').next().unwrap();
                let x: f64 =
                    element.split(" x=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
                let content = element.split('>').nth(1).unwrap().split('<').next().unwrap();
                let wide = content.chars().count() as f64 * CHARACTER;
                let (from, to) = match anchor.trim() {
                    "end" => (x - wide, x),
                    "middle" => (x - wide / 2.0, x + wide / 2.0),
                    _ => (x, x + wide),
                };
                assert!(from >= 0.0 && to <= across, "{content}: {from} to {to} of {across}, {length} s");
            }
        }
    }
}
