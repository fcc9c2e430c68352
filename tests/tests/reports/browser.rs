//! A release's page in a real browser: wide and narrow, light and dark.

use std::path::Path;

use base64::Engine as _;
use crossfade_tests::{Browser, root};
use serde_json::{Value, json};

/// The page that the golden file holds: a canary with everything that a report can show.
fn golden() -> String {
    let file = root().join("runner/src/story/snapshots/crossfade__story__tests__page.snap");
    let text = std::fs::read_to_string(file).unwrap();
    // What insta writes above it ends with the second such line.
    text.splitn(3, "---\n").nth(2).unwrap().to_owned()
}

/// The least contrast of any text with the page behind it (<https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>), and that text.
const LEAST_CONTRAST: &str = r"(() => {
    const rgb = (color) => color.match(/[\d.]+/g).slice(0, 3).map(Number);
    const light = (color) => rgb(color).map((it) => it / 255)
        .map((it) => it <= 0.03928 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4)
        .reduce((sum, it, nth) => sum + it * [0.2126, 0.7152, 0.0722][nth], 0);
    const ground = light(getComputedStyle(document.body).backgroundColor);
    let least = [99, ''];
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some((it) => it.nodeType === 3 && it.data.trim());
        if (!own || element.closest('title, style') || !element.getClientRects().length) continue;
        const style = getComputedStyle(element);
        const text = light(element.closest('svg') ? style.fill : style.color);
        const ratio = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
        if (ratio < least[0]) least = [ratio, element.textContent.slice(0, 40)];
    }
    return least;
})()";

/// Texts of the picture that is shown which do not lie within it.
const CUT_OFF: &str = r"[...document.querySelectorAll('svg')].filter((it) => it.getClientRects().length).flatMap((svg) => {
    const { width, height } = svg.viewBox.baseVal;
    return [...svg.querySelectorAll('text')].filter((text) => {
        const box = text.getBBox();
        return box.x < 0 || box.y < 0 || box.x + box.width > width || box.y + box.height > height;
    }).map((text) => text.textContent);
})";

/// Checks one page as one visitor sees it; `name` is for the screenshot.
fn check(browser: &mut Browser, file: &Path, width: u32, scheme: &str, name: &str) {
    browser.open(file, (width, 900), scheme);
    let who = format!("{name}, {width} wide, {scheme}");
    let shown = "[...document.querySelectorAll('svg')].filter((it) => it.getClientRects().length).length";
    assert_eq!(browser.evaluate(shown), 1, "{who}: one picture for each width");
    let overflow = browser.evaluate("document.documentElement.scrollWidth - innerWidth");
    assert!(overflow.as_f64() <= Some(0.0), "{who}: the page is {overflow} too wide");
    assert_eq!(browser.evaluate(CUT_OFF), json!([]), "{who}");
    let least = browser.evaluate(LEAST_CONTRAST);
    assert!(least[0].as_f64() >= Some(4.5), "{who}: hard to read: {least}");
    let dark = browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 22, 29)";
    assert_eq!(dark, scheme == "dark", "{who}");
    assert_eq!(
        browser.evaluate("performance.getEntriesByType('resource').length"),
        0,
        "{who}: it loads nothing"
    );
    assert_eq!(
        browser.evaluate("document.querySelectorAll('script, iframe, img, object, form, a').length"),
        0,
        "{who}"
    );
    assert_eq!(browser.complaints(), &[] as &[Value], "{who}");
    // For people who want to look themselves.
    if let Some(directory) = std::env::var_os("CROSSFADE_SCREENSHOTS") {
        let png = base64::engine::general_purpose::STANDARD.decode(browser.screenshot()).unwrap();
        std::fs::write(Path::new(&directory).join(format!("{name}-{width}-{scheme}.png")), png).unwrap();
    }
}

/// Checks a page for all visitors, when there is a browser.
pub(crate) fn check_all(file: &Path, name: &str) -> Option<Browser> {
    let mut browser = Browser::start()?;
    for width in [360, 600, 700, 1100] {
        for scheme in ["light", "dark"] {
            check(&mut browser, file, width, scheme, name);
        }
    }
    Some(browser)
}

#[test]
fn the_page_of_a_canary_is_readable_wide_and_narrow_light_and_dark() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.html");
    std::fs::write(&file, golden()).unwrap();
    check_all(&file, "canary");
}
