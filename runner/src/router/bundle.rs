//! The built router: the modules that the program carries, or those of a directory. Out: their bytes and their fingerprint.

use std::borrow::Cow;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::form::Form;

include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

/// The modules by their paths, the main one first; the build script reads the same list.
const MODULES: &str = include_str!("modules.txt");

/// What is uploaded.
pub(crate) struct Bundle {
    modules: Vec<(&'static str, Cow<'static, [u8]>)>,
    fingerprint: String,
}

impl Bundle {
    /// The router of a directory, or else the one that this program carries.
    ///
    /// # Errors
    /// When a module is missing, or the program carries none.
    pub(crate) fn load(directory: Option<&Path>) -> Result<Self, Error> {
        let modules = match directory {
            Some(directory) => MODULES.lines().map(|name| read(directory, name)).collect::<Result<_, _>>()?,
            None => EMBEDDED.iter().map(|(name, bytes)| (*name, Cow::Borrowed(*bytes))).collect::<Vec<_>>(),
        };
        if modules.len() < MODULES.lines().count() {
            return Err(Error::Missing {
                what: "the router",
                hint: "this crossfade was built without it: name the directory of a built one with --bundle DIR \
                       (`cargo xtask build-worker` in a checkout of Crossfade makes `build`), or build the program after that"
                    .into(),
            });
        }
        let mut hasher = Sha256::new();
        for (name, bytes) in &modules {
            hasher.update(name.as_bytes());
            hasher.update(bytes.len().to_le_bytes());
            hasher.update(bytes);
        }
        let hash: String = hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { modules, fingerprint: format!("{}+{hash}", env!("CARGO_PKG_VERSION")) })
    }

    /// The version of Crossfade and a hash of the modules: `0.1.0+5f2d8e3a9b01`.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// An upload: content type and body.
    pub(crate) fn form(&self, metadata: &serde_json::Value) -> (String, Vec<u8>) {
        let mut form = Form::new();
        form.text("metadata", &metadata.to_string());
        for (name, bytes) in &self.modules {
            let kind =
                if name.ends_with(".wasm") { "application/wasm" } else { "application/javascript+module" };
            form.module(name, kind, bytes);
        }
        form.finish()
    }
}

fn read(directory: &Path, name: &'static str) -> Result<(&'static str, Cow<'static, [u8]>), Error> {
    let path = directory.join(name);
    let bytes = std::fs::read(&path).map_err(|error| {
        let (path, directory) = (path.display(), directory.display());
        Error::Usage(format!("--bundle {directory} has no router: cannot read {path} ({error}); `cargo xtask build-worker` makes one"))
    })?;
    Ok((name, Cow::Owned(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_a_router_is_refused_with_what_makes_one() {
        let directory = tempfile::TempDir::new().unwrap();
        let error = Bundle::load(Some(directory.path())).err().unwrap().to_string();
        assert!(error.contains("index.js") && error.contains("cargo xtask build-worker"), "{error}");
    }

    #[test]
    fn the_fingerprint_is_that_of_the_modules() {
        let directory = tempfile::TempDir::new().unwrap();
        for name in MODULES.lines() {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let load = || Bundle::load(Some(directory.path())).unwrap().fingerprint;
        let before = load();
        assert_eq!(before, load());
        std::fs::write(directory.path().join("index.js"), "changed").unwrap();
        assert_ne!(before, load());
    }
}
