//! `[analysis]` in crossfade.toml: what is wrong is named with its line, or its place, value and remedy.

use crossfade_tests::Site;

#[test]
fn what_is_wrong_in_analysis_is_named_where_it_stands() {
    let site = Site::new();
    let config = std::fs::read_to_string(site.path().join("crossfade.toml")).unwrap();
    let first = config.lines().count() + 2;
    let metric = |text: &str| {
        format!("[analysis]\njudge = \"threshold\"\n[[analysis.metrics]]\nname = \"queue\"\n{text}")
    };
    let line = |nth: usize| format!("line {}", first + nth);
    for (analysis, says) in [
        ("[analysis]\njudge = \"bayes\"".into(), vec![line(1), "unknown variant `bayes`".into()]),
        ("[analysis]\nevery = \"5s\"\nevrey = \"5s\"".into(), vec![line(2), "unknown field `evrey`".into()]),
        (
            "[analysis.sequential]\nmargin = 1.5".into(),
            vec![line(0), "`margin` must be above 0 and below 1".into()],
        ),
        (
            "[analysis]\nsource = { prometheus = { url = \"https://p.example.com\" } }".into(),
            vec![line(1), "missing field `query`".into()],
        ),
        (
            "[analysis]\nevery = \"100ms\"".into(),
            vec!["`analysis.every` is 100 ms: it must be at least 1s".into()],
        ),
        (
            "[analysis]\nsource = { json = { url = \"https://m.example.com\", pointer = \"/rate\" } }".into(),
            vec!["`analysis.source` is json, which counts no requests".into()],
        ),
        (
            "[analysis]\nsource = { probe = { requests = 500 } }".into(),
            vec!["`requests` is 500: it must be from 1 to 100".into()],
        ),
        (
            "[[analysis.metrics]]\nname = \"rate\"\nmeasure = \"error-rate\"\npass = { at-most = 0.01 }"
                .into(),
            vec!["[[analysis.metrics]] `rate` is for judge = \"threshold\"".into()],
        ),
        (metric("measure = \"error-rate\""), vec!["`queue` has neither `pass` nor `fail`".into()]),
        (metric("pass = { at-most = 1 }"), vec!["`queue` has neither `measure` nor `source`".into()]),
        (
            metric("fail = { above = inf }\nmeasure = \"error-rate\""),
            vec!["`queue` compares with inf: it must be a number".into()],
        ),
        (
            metric("pass = { at-most = 1 }\nmeasure = { quantile-seconds = 95 }"),
            vec!["`quantile-seconds` is 95: it must be from 0 to 1".into()],
        ),
        (
            metric(
                "pass = { at-most = 1 }\nsource = { json = { url = \"http://m.example.com\", pointer = \"/rate\" } }",
            ),
            vec!["it must begin with https://".into()],
        ),
        (
            metric(
                "pass = { at-most = 1 }\nsource = { json = { url = \"https://m.example.com/{{versoin}}\", pointer = \"/rate\" } }",
            ),
            vec!["`{{versoin}}`".into()],
        ),
        (
            metric("pass = { at-most = 1 }\nsource = \"edge\""),
            vec!["`source` is edge, which counts requests and gives no number".into()],
        ),
    ] {
        site.write("crossfade.toml", &format!("{config}\n{analysis}\n"));
        let says: Vec<&str> = says.iter().map(String::as_str).collect();
        let _ = site.run(&["validate"]).expect(2).says(&says);
    }
    let good = metric("pass = { at-most = 1 }\nsource = { analytics-engine = { query = \"SELECT 1\" } }");
    site.write("crossfade.toml", &format!("{config}\n{good}\n"));
    site.run(&["validate"]).expect(0);
}
