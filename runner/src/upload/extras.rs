//! What goes with a deployment beside its assets: `_headers`, `_redirects`, a Worker and its routes.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::files::{FilesError, link_error, unreadable};
use super::form::Form;
use super::functions::{self, Functions};

/// What goes with a deployment beside its assets.
#[derive(Debug, Default)]
pub(super) struct Extras {
    headers: Option<Vec<u8>>,
    redirects: Option<Vec<u8>>,
    routes: Option<Vec<u8>>,
    worker: Option<Worker>,
}

/// What runs there.
#[derive(Debug)]
enum Worker {
    /// A `_worker.js`, ready to be bundled.
    Modules {
        main: &'static str,
        /// Modules by name, the main one among them.
        modules: Vec<(String, Vec<u8>)>,
    },
    /// A `functions/` directory.
    Source(PathBuf),
    /// The same, compiled.
    Compiled(Functions),
}

impl Extras {
    /// Reads them. `project` is where the site is built; `_worker.js` comes before `functions/`, as for wrangler.
    pub(super) fn read(directory: &Path, project: &Path) -> Result<Self, FilesError> {
        let optional = |name: &str| {
            let path = directory.join(name);
            if path.exists() && !path.is_file() {
                return Err(FilesError::NotAFile { path });
            }
            match std::fs::read(&path) {
                Ok(bytes) if bytes.is_empty() => Ok(None),
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(unreadable(&path, source)),
            }
        };
        let worker = match (worker(&directory.join("_worker.js"))?, functions::find(project, directory)) {
            (Some(worker), _) => Some(worker),
            (None, Some(path)) if functions::wrangler(project).is_none() => {
                return Err(FilesError::Functions { path });
            }
            (None, found) => found.map(Worker::Source),
        };
        // Without a Worker there is nothing that routes could lead to, and Pages refuses the file.
        let routes = if worker.is_some() { optional("_routes.json")? } else { None };
        if let Some(why) = routes.as_deref().and_then(wrong_routes) {
            return Err(FilesError::Routes { path: directory.join("_routes.json"), why });
        }
        Ok(Self { headers: optional("_headers")?, redirects: optional("_redirects")?, routes, worker })
    }

    /// The same with Functions compiled.
    pub(super) fn compiled(mut self, project: &Path) -> Result<Self, FilesError> {
        if let Some(Worker::Source(path)) = &self.worker {
            self.worker = Some(Worker::Compiled(functions::compile(path, project)?));
        }
        Ok(self)
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
        let mut routes = self.routes.clone();
        match &self.worker {
            None | Some(Worker::Source(_)) => {}
            Some(Worker::Modules { main, modules }) => {
                let mut bundle = Form::new();
                bundle.text("metadata", &serde_json::json!({ "main_module": main }).to_string());
                for (name, bytes) in modules {
                    bundle.module(name, module_type(name), bytes);
                }
                parts.push(("_worker.bundle", bundle.finish().1));
            }
            Some(Worker::Compiled(functions)) => {
                parts.push(("functions-filepath-routing-config.json", functions.config.clone()));
                parts.push(("_worker.bundle", functions.bundle.clone()));
                routes.get_or_insert_with(|| functions.routes.clone());
            }
        }
        parts.extend(routes.map(|routes| ("_routes.json", routes)));
        parts
    }
}

/// `_worker.js`, a module or a directory of modules with `index.js` among them.
fn worker(path: &Path) -> Result<Option<Worker>, FilesError> {
    if path.is_file() {
        let bytes = std::fs::read(path).map_err(|source| unreadable(path, source))?;
        return Ok(Some(Worker::Modules { main: "_worker.js", modules: vec![("_worker.js".into(), bytes)] }));
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
    let main = "index.js";
    if !modules.iter().any(|(name, _)| name == main) {
        return Err(FilesError::NoEntry { path: path.into() });
    }
    Ok(Some(Worker::Modules { main, modules }))
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

/// What is wrong with a `_routes.json`
/// (<https://developers.cloudflare.com/pages/functions/routing/#limits>).
fn wrong_routes(json: &[u8]) -> Option<&'static str> {
    #[derive(serde::Deserialize)]
    struct Routes {
        version: u32,
        include: Vec<String>,
        #[serde(default)]
        exclude: Vec<String>,
    }
    let Ok(Routes { version, include, exclude }) = serde_json::from_slice(json) else {
        return Some("is not a JSON object with `version`, `include` and `exclude`");
    };
    let rules = || include.iter().chain(&exclude);
    [
        (version != 1, "is not of version 1"),
        (include.is_empty(), "includes nothing"),
        (rules().count() > 100, "has more than 100 rules"),
        (rules().any(|rule| rule.len() > 100), "has a rule of more than 100 characters"),
        (!rules().all(|rule| rule.starts_with('/')), "has a rule that does not begin with `/`"),
    ]
    .into_iter()
    .find_map(|(wrong, why)| wrong.then_some(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_that_pages_would_refuse_are_told_from_those_it_takes() {
        let long = format!(r#"{{"version":1,"include":["/{}"]}}"#, "x".repeat(100));
        let many = serde_json::json!({ "version": 1, "include": vec!["/a"; 60], "exclude": vec!["/b"; 41] });
        for (json, wrong) in [
            (r#"{"version":1,"include":["/*"],"exclude":["/static/*"]}"#, None),
            (r#"{"version":1,"include":["/a"]}"#, None),
            ("{}", Some("is not a JSON object with `version`, `include` and `exclude`")),
            (r#"{"version":2,"include":["/*"]}"#, Some("is not of version 1")),
            (r#"{"version":1,"include":[]}"#, Some("includes nothing")),
            (r#"{"version":1,"include":["a"]}"#, Some("has a rule that does not begin with `/`")),
            (&long, Some("has a rule of more than 100 characters")),
            (&many.to_string(), Some("has more than 100 rules")),
        ] {
            assert_eq!(wrong_routes(json.as_bytes()), wrong, "{json}");
        }
    }
}
