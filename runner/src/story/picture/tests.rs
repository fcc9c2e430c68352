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
