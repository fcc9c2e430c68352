//! Any text as a `Cookie`, `Set-Cookie`, `Location`, path or visitor id: nothing panics, what was taken out is gone, and nothing
//! leads to another host than the public one.
#![no_main]

use crossfade_core::assign::VisitorId;
use crossfade_core::table::Origin;
use crossfade_core::{asset, cookie, redirect};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let rest = cookie::without(text, "crossfade-override");
    assert_eq!(cookie::find(&rest, "crossfade-override"), None);
    if let Some(id) = cookie::find(text, "crossfade").and_then(VisitorId::parse) {
        assert_eq!(VisitorId::parse(&id.to_string()), Some(id));
    }
    if let Some(home) = cookie::at_home(text, "0a1b2c3d.booking.pages.dev", "www.example.com") {
        assert!(home.len() < text.len());
    }
    let origin = Origin::new("origin", "https://0a1b2c3d.booking.pages.dev").expect("it is one");
    if let Some(home) = redirect::home(text, &origin, "https://www.example.com") {
        let rest = home.strip_prefix("https://www.example.com").expect("home is the public origin");
        assert!(rest.is_empty() || rest.starts_with(['/', '?', '#']));
    }
    asset::is_fingerprinted(text);
});
