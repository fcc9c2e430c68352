//! What goes with a deployment beside its assets: `_headers`, `_redirects`, a Worker and its routes.

use std::path::Path;

use walkdir::WalkDir;

use super::files::{FilesError, link_error, unreadable};
use super::form::Form;

/// What goes with a deployment beside its assets.
#[derive(Debug, Default)]
pub(super) struct Extras {
    headers: Option<Vec<u8>>,
    redirects: Option<Vec<u8>>,
    routes: Option<Vec<u8>>,
    worker: Option<Worker>,
}

/// A `_worker.js`, ready to be bundled.
#[derive(Debug)]
struct Worker {
    main: &'static str,
    /// Modules by name, the main one among them.
    modules: Vec<(String, Vec<u8>)>,
}

impl Extras {
    pub(super) fn read(directory: &Path) -> Result<Self, FilesError> {
        let optional = |name: &str| {
            let path = directory.join(name);
            match std::fs::read(&path) {
                Ok(bytes) if bytes.is_empty() => Ok(None),
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(unreadable(&path, source)),
            }
        };
        let worker = worker(&directory.join("_worker.js"))?;
        let functions = directory.join("functions");
        if worker.is_none() && functions.is_dir() {
            return Err(FilesError::Functions { path: functions });
        }
        // Without a Worker there is nothing that routes could lead to, and Pages refuses the file.
        let routes = if worker.is_some() { optional("_routes.json")? } else { None };
        Ok(Self { headers: optional("_headers")?, redirects: optional("_redirects")?, routes, worker })
    }

    /// Whether something runs there, so that a site without any file is one.
    pub(super) const fn has_worker(&self) -> bool {
        self.worker.is_some()
    }

    /// The form's file parts: name and content.
    pub(super) fn parts(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut parts = Vec::new();
        let plain = [("_headers", &self.headers), ("_redirects", &self.redirects)];
        parts.extend(plain.into_iter().filter_map(|(name, bytes)| Some((name, bytes.clone()?))));
        if let Some(Worker { main, modules }) = &self.worker {
            let mut bundle = Form::new();
            bundle.text("metadata", &serde_json::json!({ "main_module": main }).to_string());
            for (name, bytes) in modules {
                bundle.module(name, module_type(name), bytes);
            }
            parts.push(("_worker.bundle", bundle.finish().1));
        }
        parts.extend(self.routes.clone().map(|routes| ("_routes.json", routes)));
        parts
    }
}

/// `_worker.js`, a module or a directory of modules with `index.js` among them.
fn worker(path: &Path) -> Result<Option<Worker>, FilesError> {
    if path.is_file() {
        let bytes = std::fs::read(path).map_err(|source| unreadable(path, source))?;
        return Ok(Some(Worker { main: "_worker.js", modules: vec![("_worker.js".into(), bytes)] }));
    }
    if !path.is_dir() {
        return Ok(None);
    }
    let mut modules = Vec::new();
    for entry in WalkDir::new(path).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| link_error(path, &error))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let name = entry.path().strip_prefix(path).unwrap_or(entry.path());
        let name = name.to_str().ok_or_else(|| FilesError::Name { path: entry.path().into() })?;
        let bytes = std::fs::read(entry.path()).map_err(|source| unreadable(entry.path(), source))?;
        modules.push((name.replace(std::path::MAIN_SEPARATOR, "/"), bytes));
    }
    Ok(Some(Worker { main: "index.js", modules }))
}

/// What the runtime takes a module for
/// (<https://developers.cloudflare.com/workers/configuration/multipart-upload-metadata/>).
fn module_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("wasm") => "application/wasm",
        Some("txt" | "html") => "text/plain",
        Some("bin") => "application/octet-stream",
        Some("map") => "application/source-map",
        Some(_) | None => "application/javascript+module",
    }
}
