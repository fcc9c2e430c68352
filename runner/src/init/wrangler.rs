//! What a wrangler file says of a site: `wrangler.toml`, `wrangler.json` or `wrangler.jsonc`
//! (<https://developers.cloudflare.com/pages/functions/wrangler-configuration/>).

use std::path::Path;

use serde::Deserialize;

use crate::config::check_project;

/// The router's binding.
const ROUTING: &str = "ROUTING";

/// The parts that help.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Wrangler {
    /// The Pages project, when it is one's file.
    name: Option<String>,
    /// Only Pages projects have it.
    pages_build_output_dir: Option<String>,
    kv_namespaces: Vec<KvNamespace>,
    /// Which file it was.
    #[serde(skip)]
    pub(super) file: &'static str,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct KvNamespace {
    binding: String,
    id: Option<String>,
}

impl Wrangler {
    /// The first of the files that is there and can be read.
    pub(super) fn read(root: &Path) -> Option<Self> {
        ["wrangler.jsonc", "wrangler.json", "wrangler.toml"].into_iter().find_map(|file| {
            let text = std::fs::read_to_string(root.join(file)).ok()?;
            let read: Self = if file.ends_with("toml") {
                toml::from_str(&text).ok()?
            } else {
                jsonc_parser::parse_to_serde_value(&text, &jsonc_parser::ParseOptions::default()).ok()?
            };
            Some(Self { file, ..read })
        })
    }

    /// The Pages project; a Worker's name is none.
    pub(super) fn project(&self) -> Option<&str> {
        let name = self.pages_build_output_dir.as_ref().and(self.name.as_deref());
        name.filter(|name| check_project("name", name).is_ok())
    }

    /// Where the build's output is.
    pub(super) fn directory(&self) -> Option<&str> {
        let directory = self.pages_build_output_dir.as_deref()?;
        Some(directory.trim_start_matches("./").trim_end_matches('/')).filter(|it| !it.is_empty())
    }

    /// The namespace that a router reads.
    pub(super) fn routing(&self) -> Option<&str> {
        let id = self.kv_namespaces.iter().find(|it| it.binding == ROUTING)?.id.as_deref();
        // Examples have `<your id>` there.
        id.filter(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }
}
