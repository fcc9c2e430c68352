//! A file's path in, the content type that Pages stores with it out.
//!
//! The table is the npm package `mime` 3.0.0's (MIT), which wrangler uses for Pages; `mime.tsv` holds its data, one
//! extension and type a line. It differs from IANA's in places (`.js` is `application/javascript`).

use std::collections::HashMap;
use std::sync::LazyLock;

static TABLE: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| include_str!("mime.tsv").lines().filter_map(|line| line.split_once('\t')).collect());

/// The content type of a manifest path, as `mime.getType` says it.
pub(super) fn content_type(path: &str) -> &'static str {
    let relative = path.strip_prefix('/').unwrap_or(path);
    let name = relative.rsplit(['/', '\\']).next().unwrap_or(relative).to_ascii_lowercase();
    let (stem, extension) = name.rsplit_once('.').unwrap_or(("", &name));
    // A name without a dot counts as an extension only when it is the whole path; so does one that is only dotted.
    let has_path = name.len() < relative.len();
    if stem.is_empty() && has_path {
        return "application/octet-stream";
    }
    TABLE.get(extension).copied().unwrap_or("application/octet-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_that_wrangler_sends() {
        for (path, content_type) in [
            ("/index.html", "text/html"),
            ("/A/B.HTML", "text/html"),
            ("/app.js", "application/javascript"),
            ("/app.mjs", "application/javascript"),
            ("/app.ts", "video/mp2t"),
            ("/app.tsx", "application/octet-stream"),
            ("/favicon.ico", "image/vnd.microsoft.icon"),
            ("/app.js.map", "application/json"),
            ("/html", "text/html"),
            ("/.html", "text/html"),
            ("/sub/html", "application/octet-stream"),
            ("/sub/.html", "application/octet-stream"),
            ("/LICENSE", "application/octet-stream"),
        ] {
            assert_eq!(super::content_type(path), content_type, "{path}");
        }
    }

    #[test]
    fn the_table_is_the_packages() {
        // As for the end-to-end tests: `CROSSFADE_SHARED`, else `../shared` beside the workspace.
        let shared = std::env::var("CROSSFADE_SHARED");
        let shared = shared.unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into());
        let path = format!("{shared}/reference/mime-3.0.0-ext-to-type.json");
        let Ok(json) = std::fs::read_to_string(&path) else {
            println!("not compared: {path} is not here");
            return;
        };
        let theirs: HashMap<String, String> = serde_json::from_str(&json).unwrap();
        assert_eq!(theirs.len(), TABLE.len());
        for (extension, content_type) in &theirs {
            assert_eq!(TABLE.get(extension.as_str()), Some(&content_type.as_str()), "{extension}");
        }
    }
}
