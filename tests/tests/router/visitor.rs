//! A visitor stays where they are: the cookie, and what stands in for it on a first visit.

use std::collections::BTreeSet;

use crossfade_tests::origin::Origin;

use crate::client::Answer;
use crate::edge::{Edge, cookie, only, table};

/// The visitor cookie that an answer sets, its attributes sorted; `None` when it sets none.
fn set_cookie(answer: &Answer) -> Option<(String, Vec<String>)> {
    let ours = |text: &&str| text.starts_with("crossfade=") || text.starts_with("__Host-crossfade=");
    let set: Vec<&str> = answer.all("set-cookie").into_iter().filter(ours).collect();
    assert!(set.len() <= 1, "{set:?}");
    let mut parts = set.first()?.split("; ").map(str::to_owned);
    let pair = parts.next()?;
    let attributes: BTreeSet<String> = parts.collect();
    Some((pair, attributes.into_iter().collect()))
}

/// The id in a `name=id` pair.
#[track_caller]
fn id(pair: &str) -> &str {
    let id = pair.split_once('=').unwrap().1;
    assert!(id.len() == 32 && id.bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{pair}");
    id
}

#[test]
fn a_cookie_is_set_only_while_visitors_are_split() {
    let origin = Origin::saying("hello");
    for (what, table, sets) in [
        ("one variant", only(1, &origin), false),
        ("all on stable", table(1, &origin, &origin, 0), false),
        ("all on the canary", table(1, &origin, &origin, 10_000), false),
        ("split", table(1, &origin, &origin, 1), true),
    ] {
        let edge = Edge::settled(&table);
        assert_eq!(set_cookie(&edge.get("/", &[])).is_some(), sets, "{what}");
        let known = edge.get("/", &[("cookie", &cookie(7))]);
        assert_eq!(set_cookie(&known), None, "{what}: the browser has it already");
    }
}

#[test]
fn the_cookie_is_opaque_lasts_a_year_and_is_the_hosts_own_over_tls() {
    let origin = Origin::new(|_, wire| wire.answer("200 OK", &[("set-cookie", "session=1; Path=/")], ""));
    let edge = Edge::settled(&table(1, &origin, &origin, 5000));
    let plain = edge.get("/", &[]);
    assert_eq!(plain.all("set-cookie").first(), Some(&"session=1; Path=/"), "the origin's own stays");
    let (pair, attributes) = set_cookie(&plain).unwrap();
    assert_eq!(pair, format!("crossfade={}", id(&pair)));
    assert_eq!(attributes, ["HttpOnly", "Max-Age=31536000", "Path=/", "SameSite=Lax"]);
    let (pair, attributes) = set_cookie(&edge.get("/", &[("x-forwarded-proto", "https")])).unwrap();
    assert_eq!(pair, format!("__Host-crossfade={}", id(&pair)));
    assert_eq!(attributes, ["HttpOnly", "Max-Age=31536000", "Path=/", "SameSite=Lax", "Secure"]);
}

#[test]
fn over_tls_only_the_hosts_own_cookie_counts() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&table(1, &origin, &origin, 5000));
    let id = format!("{:032x}", 7);
    for (proto, name, counts) in [
        ("https", "__Host-crossfade", true),
        ("https", "crossfade", false),
        ("http", "crossfade", true),
        ("http", "__Host-crossfade", false),
    ] {
        let headers = [("x-forwarded-proto", proto), ("cookie", &format!("a=b; {name}={id}; c=d"))];
        let set = set_cookie(&edge.get("/", &headers));
        assert_eq!(set.is_none(), counts, "{name} over {proto}");
    }
}

#[test]
fn a_visitor_stays_with_their_variant() {
    let (blue, green) = (Origin::saying("blue"), Origin::saying("green"));
    let edge = Edge::settled(&table(1, &blue, &green, 5000));
    let mut seen = BTreeSet::new();
    for visitor in 0..40 {
        let cookie = cookie(visitor);
        let ask = |user_agent: &str| {
            let answer = edge.get("/", &[("cookie", &cookie), ("user-agent", user_agent)]);
            assert_eq!(answer.text(), answer.variant());
            answer.text()
        };
        let first = ask("one browser");
        assert_eq!((ask("another"), ask("a third")), (first.clone(), first.clone()));
        seen.insert(first);
    }
    assert_eq!(seen, ["blue".to_owned(), "green".to_owned()].into());
}

#[test]
fn raising_the_canary_keeps_its_visitors_and_lowering_it_to_nothing_sends_them_back() {
    let origin = Origin::saying("hello");
    let edge = Edge::routing(&table(1, &origin, &origin, 1000));
    let mut client = edge.connect();
    let mut on_green = |revision: u64| -> BTreeSet<u128> {
        edge.until_revision(revision);
        let mut green =
            |visitor: &u128| client.get("/", &[("cookie", &cookie(*visitor))]).variant() == "green";
        (0..150).filter(|visitor| green(visitor)).collect()
    };
    let few = on_green(1);
    edge.put(&table(2, &origin, &origin, 5000));
    let many = on_green(2);
    edge.put(&table(3, &origin, &origin, 0));
    let none = on_green(3);
    assert!(!few.is_empty() && few.len() < many.len(), "{} and then {}", few.len(), many.len());
    assert!(few.is_subset(&many));
    assert!(none.is_empty());
}

#[test]
fn a_forged_or_damaged_cookie_is_a_new_visitor() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&table(1, &origin, &origin, 5000));
    let new = set_cookie(&edge.get("/", &[])).unwrap();
    let valid = "0123456789abcdef0123456789abcdef";
    for value in [
        "",
        "green",
        "1",
        &valid[1..],
        &format!("{valid}0"),
        &valid.to_uppercase(),
        &format!("\"{valid}\""),
        &format!("0x{}", &valid[2..]),
        &format!("{valid}; crossfade")[..20],
        "../../../../../../../../../../x",
        "caf\u{e9}caf\u{e9}caf\u{e9}caf\u{e9}caf\u{e9}caf\u{e9}caf\u{e9}caf\u{e9}",
        "%30123456789abcdef0123456789abcde",
    ] {
        let answer = edge.get("/", &[("cookie", &format!("crossfade={value}"))]);
        assert_eq!(set_cookie(&answer), Some(new.clone()), "`{value}`");
    }
    for cookies in [";;; =; ==;crossfade", "crossfade", &"a=b; ".repeat(1000), "xcrossfade=1; crossfade_=2"] {
        assert_eq!(set_cookie(&edge.get("/", &[("cookie", cookies)])), Some(new.clone()), "`{cookies}`");
    }
}

#[test]
fn the_parallel_requests_of_a_first_visit_agree_and_the_next_ones_with_them() {
    let origin = Origin::saying("hello");
    let edge = Edge::settled(&table(1, &origin, &origin, 5000));
    let (mut variants, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..12 {
        // Visitors differ by any one of the three.
        let (mut address, mut browser, mut language) =
            ("203.0.113.0".to_owned(), "Browser/0".to_owned(), "en");
        match number {
            0..=4 => address = format!("203.0.113.{number}"),
            5..=10 => browser = format!("Browser/{number}"),
            _ => language = "de",
        }
        let headers =
            [("cf-connecting-ip", address.as_str()), ("user-agent", &browser), ("accept-language", language)];
        let first_visit: BTreeSet<(String, String)> = std::thread::scope(|scope| {
            let request = || {
                let answer = edge.get("/", &headers);
                (answer.variant().to_owned(), set_cookie(&answer).unwrap().0)
            };
            let parallel: Vec<_> = (0..6).map(|_| scope.spawn(request)).collect();
            parallel.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(first_visit.len(), 1, "{headers:?}: {first_visit:?}");
        let (variant, pair) = first_visit.into_iter().next().unwrap();
        let next = edge.get("/", &[("cookie", &pair), ("user-agent", "updated since")]);
        assert_eq!(next.variant(), variant);
        ids.insert(id(&pair).to_owned());
        variants.insert(variant);
    }
    assert_eq!((ids.len(), variants.len()), (12, 2));
}
