//! Assets that a page loaded before a deploy still asks for. In: a request's path and an answer. Out: whether to look
//! for the file elsewhere, and where.
//!
//! A page names its scripts and styles by their fingerprint. When the visitor is moved to another version between the
//! page and its script, the version that answers does not have that file. The others do: the idle slot keeps the release
//! before, and `previous` lists those before it. A fingerprint is the content's, so a file found elsewhere is the right
//! one.

use crate::RoutingTable;
use crate::table::{Origin, Variant, Weight};

/// The length of the shortest fingerprint in use: 8 characters of Vite's, esbuild's and webpack's default names
/// (<https://rollupjs.org/configuration-options/#output-assetfilenames>).
const FINGERPRINT_MIN: usize = 8;

/// Directories whose files are immutable whatever they are called: Next.js, SvelteKit, Astro, Nuxt.
const IMMUTABLE: [&str; 4] = ["/_next/static/", "/_app/immutable/", "/_astro/", "/_nuxt/"];

/// Extensions of what pages load and nobody serves as HTML. Not `ico`: browsers ask every site for one.
const LOADED_BY_PAGES: [&str; 15] = [
    "js", "mjs", "css", "wasm", "woff", "woff2", "ttf", "otf", "png", "jpg", "jpeg", "gif", "svg", "webp",
    "avif",
];

/// A place that may have the file.
///
/// ```
/// # use crossfade_core::{RoutingTable, asset::{Place, places}};
/// # let json = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/example.json"));
/// let table = RoutingTable::parse(json)?;
/// // Green has not got a file: blue may, and then the release before.
/// let found = places(&table, &table.variants()[1]);
/// let versions = found.iter().map(|Place { name, version, .. }| (*name, *version));
/// assert!(versions.eq([("blue", "1.4.2"), ("previous", "1.4.1")]));
/// # Ok::<(), crossfade_core::table::TableError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// What the answer's header calls it: the variant's name, or `previous`.
    pub name: &'a str,
    /// Where it is.
    pub origin: &'a Origin,
    /// What it is.
    pub version: &'a str,
}

/// Whether a path (without query) names a file by its content: an extension other than HTML's, and in the name 8 or more
/// letters and digits that are no word, as in `app-BZx3Kq9a.js` or `main.8f3a2c1d.css`; or a directory of such files.
///
/// ```
/// use crossfade_core::asset::is_fingerprinted;
///
/// assert!(is_fingerprinted("/assets/app-BZx3Kq9a.js"));
/// assert!(!is_fingerprinted("/calendar.json"));
/// ```
pub fn is_fingerprinted(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    let Some((stem, extension)) = file.rsplit_once('.') else { return false };
    if stem.is_empty() || extension.is_empty() || matches!(extension, "html" | "htm") {
        return false;
    }
    IMMUTABLE.iter().any(|directory| path.contains(directory))
        || stem.split(['-', '.', '_', '~']).any(is_fingerprint)
        || ends_in_base64(stem)
}

/// Whether an answer says that a file is not there that another version may have.
///
/// `dest` is the request's `Sec-Fetch-Dest`, empty when there is none; it and `content_type` are asked only when they matter. Pages
/// without a `404.html` answers with 200 and the start page
/// (<https://developers.cloudflare.com/pages/configuration/serving-pages/#single-page-application-spa-rendering>), so HTML counts
/// as missing where a fingerprint, the browser itself or the extension says that a file is wanted. A plain 404 counts for fingerprinted
/// names only: a file that a new version has no more, under a name of its own, is gone for good.
///
/// ```
/// use crossfade_core::asset::is_missing;
///
/// // Pages answers a script that is not there with the start page.
/// let is_html = || "text/html; charset=utf-8".to_owned();
/// assert!(is_missing("/app-BZx3Kq9a.js", || "script".to_owned(), 200, is_html));
/// assert!(!is_missing("/book", || "document".to_owned(), 200, is_html));
/// ```
pub fn is_missing(
    path: &str,
    dest: impl FnOnce() -> String,
    status: u16,
    content_type: impl FnOnce() -> String,
) -> bool {
    match status {
        404 | 410 => is_fingerprinted(path),
        200 if is_fingerprinted(path) => is_html(&content_type()),
        200 => names_file(path) && is_wanted_by_a_page(path, &dest()) && is_html(&content_type()),
        _ => false,
    }
}

/// Whether a path's last part looks like a file's name: only such a file may be missing. Pages seldom do, and are spared the
/// questions.
///
/// ```
/// use crossfade_core::asset::names_file;
///
/// assert!(names_file("/logo.svg") && !names_file("/book"));
/// ```
pub fn names_file(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|file| file.contains('.'))
}

/// Whether the browser says so or, when it does not say what for (older ones, `fetch()`), the extension does.
fn is_wanted_by_a_page(path: &str, dest: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    is_subresource(dest) || matches!(dest, "" | "empty") && LOADED_BY_PAGES.contains(&extension)
}

/// What a page loads and is never a page itself (<https://fetch.spec.whatwg.org/#concept-request-destination>).
fn is_subresource(dest: &str) -> bool {
    matches!(
        dest,
        "script"
            | "style"
            | "font"
            | "image"
            | "worker"
            | "sharedworker"
            | "serviceworker"
            | "manifest"
            | "audio"
            | "video"
            | "track"
    )
}

fn is_html(content_type: &str) -> bool {
    content_type.trim_start().get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"))
}

/// Where else the file may be: the other variants, stable before the rest, then the older releases from the newest.
///
/// No place is asked twice. Of variants with the same version (a rolling release's instances) one is enough; one with
/// the asked variant's own version still counts, because the same commit built twice need not give the same files.
///
/// ```
/// # let json = br#"{"schema": 1, "environment": "production", "revision": 42, "release": "rel-1",
/// #     "updated_at": "2026-01-31T12:00:00Z", "stable": "blue", "affinity": {"by": "cookie", "salt": "rel-1"},
/// #     "lease": {"expires_at": "2026-01-31T12:05:00Z"}, "variants": [
/// #         {"name": "blue", "origin": "https://0a1b2c3d.booking.pages.dev", "version": "1.4.2", "weight": 9500},
/// #         {"name": "green", "origin": "https://4e5f6a7b.booking.pages.dev", "version": "1.5.0", "weight": 500}]}"#;
/// # let table = crossfade_core::RoutingTable::parse(json).unwrap();
/// use crossfade_core::asset::places;
///
/// // Green has not got it; blue may.
/// let asked = &table.variants()[1];
/// assert_eq!(places(&table, asked)[0].name, "blue");
/// ```
pub fn places<'a>(table: &'a RoutingTable, asked: &Variant) -> Vec<Place<'a>> {
    let mut places: Vec<Place<'a>> = Vec::new();
    // While weights are shifted, who has none may be on the way to another version: a rolling release's instances.
    let visited = |variant: &&Variant| {
        table.lease().is_none() || variant.weight > Weight::ZERO || variant.name == table.stable().name
    };
    for variant in [table.stable()].into_iter().chain(table.variants()).filter(visited) {
        let (name, version) = (variant.name.as_str(), variant.version.as_str());
        if variant.origin != asked.origin && places.iter().all(|place| place.version != version) {
            places.push(Place { name, origin: &variant.origin, version });
        }
    }
    for older in table.previous() {
        if older.origin != asked.origin && places.iter().all(|place| *place.origin != older.origin) {
            places.push(Place { name: "previous", origin: &older.origin, version: older.version.as_str() });
        }
    }
    places
}

/// Letters and digits with a digit or a capital among them: `8f3a2c1d` and `OBKNQ6VT`, but not `calendar`.
fn is_fingerprint(word: &str) -> bool {
    word.len() >= FINGERPRINT_MIN
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && word.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// Rollup's fingerprints are base64url, so that a `-` or `_` may be inside: `index-B-x_k9Zq`.
fn ends_in_base64(stem: &str) -> bool {
    let Some((name, hash)) = stem.len().checked_sub(FINGERPRINT_MIN).and_then(|at| stem.split_at_checked(at))
    else {
        return false;
    };
    name.ends_with(['-', '.']) && is_fingerprint(&hash.replace(['-', '_'], "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_bundlers_give_are_fingerprinted() {
        for path in [
            "/assets/app-BZx3Kq9a.js",   // Vite
            "/assets/index-B-x_k9Zq.js", // Vite, with base64url's own hyphen
            "/main.8f3a2c1d.css",        // webpack
            "/static/js/2.5f1b9c3e.chunk.js",
            "/chunk-OBKNQ6VT.js", // esbuild
            "/_next/static/chunks/pages/_app.js",
            "/_app/immutable/entry/start.js",
            "/fonts/inter.4d2a9c88b1.woff2",
            "/app.8f3a2c1d.js.map",
        ] {
            assert!(is_fingerprinted(path), "{path}");
        }
    }

    #[test]
    fn pages_and_files_with_names_of_their_own_are_not() {
        for path in [
            "/",
            "",
            "/book",
            "/favicon.ico",
            "/calendar/appointments.json",
            "/jquery-3.6.0.min.js",
            "/bootstrap.bundle.js",
            "/service-worker.js",
            "/.env",
            "/article-BZx3Kq9a.html",
            "/8f3a2c1d",
            "/8f3a2c1d/index.html",
            "/wp-login.php",
            "/größe-éééé.js",
        ] {
            assert!(!is_fingerprinted(path), "{path}");
        }
    }

    #[test]
    fn a_start_page_in_a_files_place_is_a_missing_file() {
        const SCRIPT: &str = "/app-BZx3Kq9a.js";
        for (path, dest, status, kind, missing) in [
            (SCRIPT, "", 404, "", true),
            (SCRIPT, "", 410, "text/plain", true),
            (SCRIPT, "", 200, "text/html; charset=utf-8", true),
            (SCRIPT, "script", 200, "Text/HTML", true),
            ("/app.js", "script", 200, "text/html", true),
            ("/logo.svg", "image", 200, "text/html", true),
            ("/app.js", "", 200, "text/html", true),
            ("/app.js", "empty", 200, "text/html", true),
            ("/app.js", "document", 200, "text/html", false),
            ("/v1.5", "", 200, "text/html", false),
            ("/index.html", "", 200, "text/html", false),
            ("/app.js", "script", 404, "text/html", false),
            ("/", "document", 200, "text/html", false),
            ("/", "", 404, "text/html", false),
            ("/frame", "iframe", 200, "text/html", false),
            (SCRIPT, "script", 200, "application/javascript", false),
            (SCRIPT, "", 304, "", false),
            (SCRIPT, "", 206, "video/mp4", false),
            (SCRIPT, "", 500, "text/html", false),
            (SCRIPT, "", 302, "text/html", false),
        ] {
            let seen = is_missing(path, || dest.to_owned(), status, || kind.to_owned());
            assert_eq!(seen, missing, "{path} {dest} {status} {kind}");
        }
    }

    #[test]
    fn each_place_is_asked_once_and_one_instance_of_a_version_is_enough() {
        let table = RoutingTable::parse(
            br#"{"schema": 1, "environment": "production", "revision": 7, "release": "rel-7",
                "updated_at": "2026-01-31T12:00:00Z", "stable": "b", "affinity": {"by": "cookie", "salt": "s"},
                "variants": [
                    {"name": "a", "origin": "https://a.example", "version": "2", "weight": 5000},
                    {"name": "b", "origin": "https://b.example", "version": "1", "weight": 5000},
                    {"name": "c", "origin": "https://c.example", "version": "2", "weight": 0},
                    {"name": "d", "origin": "https://d.example", "version": "2", "weight": 0}],
                "previous": [
                    {"origin": "https://b.example", "version": "1"},
                    {"origin": "https://e.example", "version": "0"}]}"#,
        )
        .unwrap();
        let asked = |index: usize| -> Vec<_> {
            places(&table, &table.variants()[index])
                .into_iter()
                .map(|place| (place.name, place.version))
                .collect()
        };
        assert_eq!(asked(0), [("b", "1"), ("c", "2"), ("previous", "0")]);
        assert_eq!(asked(1), [("a", "2"), ("previous", "0")]);
        assert_eq!(asked(2), [("b", "1"), ("a", "2"), ("previous", "0")]);
    }

    #[test]
    fn while_weights_are_shifted_who_has_none_is_not_asked_unless_it_is_stable() {
        let table = |stable: &str| {
            let json = format!(
                r#"{{"schema": 1, "environment": "production", "revision": 7, "release": "rel-7",
                    "updated_at": "2026-01-31T12:00:00Z", "stable": "{stable}",
                    "affinity": {{"by": "cookie", "salt": "s"}}, "lease": {{"expires_at": "2026-01-31T12:05:00Z"}},
                    "variants": [
                        {{"name": "a", "origin": "https://a.example", "version": "2", "weight": 10000}},
                        {{"name": "b", "origin": "https://b.example", "version": "1", "weight": 0}}]}}"#
            );
            RoutingTable::parse(json.as_bytes()).unwrap()
        };
        // A drained instance may be half way between two versions; stable at 0 % is where pages of before came from.
        assert_eq!(places(&table("a"), &table("a").variants()[0]), []);
        assert_eq!(places(&table("b"), &table("b").variants()[0]).len(), 1);
    }
}
