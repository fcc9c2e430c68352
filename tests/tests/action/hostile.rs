//! What others say is shown, and neither obeyed nor believed, and what is secret stays so.

use crossfade_sandbox::{API_TOKEN, CONTROL_TOKEN};
use crossfade_tests::{Site, origin::Origin};

use crate::executor::Job;
use crate::stage::configuration;

#[test]
fn an_answer_of_several_lines_is_one_output_and_gives_no_orders() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let text = format!("of two lines\n::error::forged\noutcome=promoted\n\x1b[31m{CONTROL_TOKEN}");
    let answer = text.clone();
    let new = Origin::new(move |request, wire| match request.target.as_str() {
        "/version.json" => wire.answer("200 OK", &[], r#"{"version":"2.0.0"}"#),
        _ => wire.answer("500 Internal Server Error", &[("content-type", "text/plain")], &answer),
    });
    let hook = format!("[hooks]\nprepare = [{{ run = \"printf '%s' \\\"$TEXT\\\"; echo {API_TOKEN}\" }}]\n");
    site.write("crossfade.toml", &(configuration(&[("production", &site)], "") + &hook));
    let command = format!("rollout --origin {} --as 2.0.0", new.url());
    let mut job = Job::new(&site, &[("command", &command)]).with("TEXT", &text);
    let step = job.main();
    let over = job.over(step);

    assert_eq!((over.code, over.outputs["outcome"].as_str()), (3, "not-started"), "{}", over.said);
    assert!(over.outputs["reason"].contains("of two lines"), "{:?}", over.outputs);
    let shown = over.shown();
    assert!(shown.contains("of two lines") && shown.contains("***"), "{shown}");
    for shown in [&shown, &over.summary] {
        assert!(!shown.contains(CONTROL_TOKEN) && !shown.contains(API_TOKEN), "{shown}");
    }
    let commands = over.commands();
    assert!(commands.iter().all(|it| !it.starts_with("::error::forged")), "{}", over.said);
    let errors = commands.iter().filter(|it| it.starts_with("::error ")).count();
    assert_eq!(errors, 1, "{commands:?}");
    assert!(over.summary.len() < 1 << 20);
    assert_eq!(site.served_version(), "1.0.0");
}
