//! `_worker.bundle`: a form within a form. Bytes in, modules out, the main one as `_worker.js` or `_worker.js/index.js`.

use axum::body::Bytes;
use futures_util::stream;
use serde_json::Value;

/// The files that the bundle stands for: path and content.
///
/// # Errors
/// In words, when it is no such form.
pub(crate) async fn modules(bundle: Bytes) -> Result<Vec<(String, Vec<u8>)>, String> {
    let first_line = bundle.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let boundary = std::str::from_utf8(first_line).ok().and_then(|line| line.strip_prefix("--"));
    let boundary = boundary.ok_or("_worker.bundle does not begin with a boundary")?.to_owned();
    let whole = stream::iter([Ok::<_, std::convert::Infallible>(bundle)]);
    let mut form = multer::Multipart::new(whole, boundary);
    let (mut main, mut modules) = (None, Vec::new());
    while let Some(field) = form.next_field().await.map_err(|error| error.to_string())? {
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|error| error.to_string())?;
        if name == "metadata" {
            let metadata: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            main = metadata.get("main_module").and_then(Value::as_str).map(str::to_owned);
        } else {
            modules.push((name, bytes.to_vec()));
        }
    }
    let main = main.ok_or("_worker.bundle has no main_module")?;
    if !modules.iter().any(|(name, _)| *name == main) {
        return Err(format!("_worker.bundle has no module `{main}`"));
    }
    let source_maps = |name: &str| name.ends_with(".map");
    let single = modules.iter().filter(|(name, _)| !source_maps(name)).count() == 1;
    Ok(modules
        .into_iter()
        .filter(|(name, _)| !source_maps(name))
        .map(|(name, bytes)| match (single, name == main) {
            (true, _) => ("_worker.js".to_owned(), bytes),
            (false, true) => ("_worker.js/index.js".to_owned(), bytes),
            (false, false) => (format!("_worker.js/{}", name.trim_start_matches("./")), bytes),
        })
        .collect())
}
