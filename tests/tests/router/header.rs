//! The response header `crossfade`: who answered, on every answer, once, whatever the origin says.

use crossfade_tests::origin::Origin;
use serde_json::json;

use crate::edge::{Edge, Nobody, table};

#[test]
fn every_answer_names_variant_version_and_revision_once() {
    let origin = Origin::new(|received, wire| match received.target.as_str() {
        "/claims" => wire.answer("200 OK", &[("crossfade", "variant=\"mine\"")], ""),
        "/claims-twice" => {
            wire.answer("200 OK", &[("Crossfade", "variant=\"mine\""), ("CROSSFADE", "revision=7")], "");
        }
        "/302" => wire.answer("302 Found", &[("location", "/")], ""),
        "/304" => wire.answer("304 Not Modified", &[], ""),
        "/404" => wire.answer("404 Not Found", &[], ""),
        "/500" => wire.answer("500 Internal Server Error", &[], ""),
        _ => wire.answer("200 OK", &[], ""),
    });
    let mut routing = table(42, &origin, &origin, 10_000);
    // What may stand in a version, all of it legal in a quoted string as it is.
    routing["variants"][1]["version"] =
        json!("v1.5.0-rc.1+build (a, b; c=d) é".replace('é', "~!#$%&'*/<=>?@[]^_`{|}"));
    let edge = Edge::settled(&routing);
    let named = format!(
        r#"variant="green", version="{}", revision=42"#,
        routing["variants"][1]["version"].as_str().unwrap()
    );
    for path in ["/", "/claims", "/claims-twice", "/302", "/304", "/404", "/500"] {
        for method in ["GET", "HEAD", "POST"] {
            assert_eq!(
                edge.ask(method, path, &[("crossfade", "variant=\"x\"")], b"").crossfade(),
                named,
                "{path}"
            );
        }
    }
}

#[test]
fn an_origin_that_cannot_be_reached_is_a_clear_502_that_names_it() {
    let nobody = Nobody::new();
    let garbage = Origin::new(|_, wire| {
        wire.send("220 mail.example.com ESMTP\r\n");
        wire.close();
    });
    let silent = Origin::new(|_, wire| wire.close());
    for (origin, tries) in
        [(&nobody.url(), None), (&garbage.url(), Some(&garbage)), (&silent.url(), Some(&silent))]
    {
        let mut routing = table(3, &silent, &silent, 10_000);
        routing["variants"][1]["origin"] = json!(origin);
        let edge = Edge::settled(&routing);
        let answer = edge.ask("POST", "/order", &[], b"one");
        assert_eq!(answer.status, 502, "{answer:?}");
        assert_eq!(answer.crossfade(), r#"variant="green", version="1.5.0", revision=3"#);
        assert!(answer.header("retry-after").is_some_and(|text| text.parse::<u32>().is_ok()), "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.text().contains("version 1.5.0 did not answer"), "{}", answer.text());
        if let Some(origin) = tries {
            origin.only();
            origin.forget();
        }
    }
}
