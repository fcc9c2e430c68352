//! A script as it was uploaded, in the real runtime with the bindings that the upload gave it. In: metadata and modules. Out: a
//! process.
//!
//! Each version has a process of its own, and Durable Objects of its own. Analytics Engine is bound to nothing.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde_json::Value;

use crate::Error;
use crate::pages::uuid;
use crate::state::State;
use crate::workerd::{Binding, Program, Running, Source};
use crate::workers::Upload;

/// Starts a version; `None` where scripts do not run.
pub(crate) fn start(
    state: &State,
    upload: &Upload,
    modules: &BTreeMap<String, Vec<u8>>,
) -> Result<Option<Running>, Error> {
    let Some(binding_port) = state.hosting() else { return Ok(None) };
    let directory = state.directory().join("scripts").join(uuid());
    let main = upload.metadata["main_module"].as_str().unwrap_or_default();
    let mut files = Vec::new();
    for (name, bytes) in modules {
        let relative = Path::new(name.trim_start_matches("./"));
        if !relative.components().all(|component| matches!(component, Component::Normal(_))) {
            return Err(Error::Tools(format!("module `{name}` leads out of the script")));
        }
        let path = directory.join("modules").join(relative);
        let parent = path.parent().unwrap_or(&directory);
        std::fs::create_dir_all(parent).map_err(Error::io("make the script's directory"))?;
        std::fs::write(&path, bytes).map_err(Error::io("write a module"))?;
        files.push((name.clone(), Source::File(path)));
    }
    files.sort_by_key(|(name, _)| name != main);
    let date = upload.metadata["compatibility_date"].as_str().unwrap_or("2021-11-02");
    let program = Program { modules: files, bindings: bindings(upload), compatibility_date: date.into() };
    Running::start(&state.tools.workerd, &program, 0, binding_port, &directory).map(Some)
}

fn bindings(upload: &Upload) -> Vec<Binding> {
    let given = upload.metadata["bindings"].as_array().into_iter().flatten();
    let bound = given.filter_map(|binding| {
        let text = |field: &str| binding.get(field).and_then(Value::as_str).map(str::to_owned);
        let name = text("name")?;
        match binding["type"].as_str()? {
            "plain_text" => Some(Binding::Text(name, text("text")?)),
            "kv_namespace" => Some(Binding::Kv(name, text("namespace_id")?)),
            "durable_object_namespace" => Some(Binding::Object(name, text("class_name")?)),
            _ => None,
        }
    });
    let secrets = upload.secrets.iter().map(|(name, text)| Binding::Text(name.clone(), text.clone()));
    bound.chain(secrets).collect()
}
