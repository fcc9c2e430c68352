//! What builds a site, and into which directory. Cloudflare's own table:
//! <https://developers.cloudflare.com/pages/configuration/build-configuration/>.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// How a site is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Framework {
    /// What people call it.
    pub name: Option<String>,
    /// Where its output is.
    pub directory: Option<String>,
    /// The command that builds.
    pub build: Option<String>,
    /// Whose files the site serves as they are, where its own server knows only those that were there when it was built.
    pub assets: Option<&'static str>,
    /// What a fresh machine needs for that.
    pub setup: Setup,
}

/// What a fresh machine needs before it can build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Setup {
    /// Nothing.
    #[default]
    Nothing,
    /// Node, and one of its package managers.
    Node {
        /// Which.
        manager: Manager,
        /// Whether there is a lock file.
        locked: bool,
        /// Whether `package.json` says which version of the manager it is.
        pinned: bool,
        /// The file that says which Node, if there is one.
        version_file: Option<&'static str>,
    },
    /// A program that we do not know how to install.
    Program(&'static str),
}

/// Node's package managers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// `npm`.
    Npm,
    /// `pnpm`.
    Pnpm,
    /// `yarn`.
    Yarn,
    /// `bun`.
    Bun,
}

/// The package that gives a framework away, what people call it, its output, and the directory of its assets where its server in
/// front of them asks a list of the build's (SvelteKit's `manifest.assets`, Nitro's `isPublicAssetURL`): a file that is put into
/// the output afterwards is a 404 there. The first that fits counts: those that bring Vite along come before it.
const NODE: &[(&str, &str, &str, Option<&str>)] = &[
    ("@cloudflare/next-on-pages", "Next.js on Pages", ".vercel/output/static", Some("public")),
    ("@sveltejs/adapter-static", "SvelteKit, static", "build", None),
    ("@sveltejs/kit", "SvelteKit", ".svelte-kit/cloudflare", Some("static")),
    ("astro", "Astro", "dist", None),
    ("next", "Next.js, static export", "out", None),
    ("nuxt", "Nuxt", "dist", Some("public")),
    ("@docusaurus/core", "Docusaurus", "build", None),
    ("vitepress", "VitePress", ".vitepress/dist", None),
    ("gatsby", "Gatsby", "public", None),
    ("@11ty/eleventy", "Eleventy", "_site", None),
    ("@react-router/dev", "React Router", "build/client", None),
    ("@remix-run/dev", "Remix", "build/client", None),
    ("@builder.io/qwik", "Qwik", "dist", Some("public")),
    ("@analogjs/platform", "Analog", "dist/analog/public", Some("public")),
    ("@angular/core", "Angular", "dist/cloudflare", None),
    ("react-scripts", "Create React App", "build", None),
    ("@vue/cli-service", "Vue CLI", "dist", None),
    ("ember-cli", "Ember.js", "dist", None),
    ("hexo", "Hexo", "public", None),
    ("umi", "Umi", "dist", None),
    ("vite", "Vite", "dist", None),
    ("parcel", "Parcel", "dist", None),
];

/// The file that gives a generator away that is no Node program, and a word that must be in it; name, command, output, program.
const OTHERS: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("hugo.toml", "", "Hugo", "hugo --minify", "public", "Hugo"),
    ("hugo.yaml", "", "Hugo", "hugo --minify", "public", "Hugo"),
    ("config.toml", "baseurl", "Hugo", "hugo --minify", "public", "Hugo"),
    ("mkdocs.yml", "", "MkDocs", "mkdocs build", "site", "MkDocs"),
    ("_config.yml", "", "Jekyll", "bundle exec jekyll build", "_site", "Ruby with Bundler"),
    ("pelicanconf.py", "", "Pelican", "pelican content", "output", "Pelican"),
    ("zola.toml", "", "Zola", "zola build", "public", "Zola"),
    ("config.toml", "base_url", "Zola", "zola build", "public", "Zola"),
];

/// Where a site without a generator may lie.
const PLAIN: &[&str] = &["dist", "public", "build", "out", "_site", "site", "www"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Package {
    pub(super) name: Option<String>,
    scripts: BTreeMap<String, String>,
    dependencies: BTreeMap<String, String>,
    #[serde(rename = "devDependencies")]
    dev_dependencies: BTreeMap<String, String>,
    #[serde(rename = "packageManager")]
    package_manager: Option<String>,
}

impl Package {
    /// What `package.json` says; what cannot be read says nothing.
    pub(super) fn read(root: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(root.join("package.json")).ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// Finds out how a directory's site is built.
pub(super) fn detect(root: &Path, top: &Path, package: Option<&Package>) -> Framework {
    package
        .and_then(|package| node(root, top, package))
        .or_else(|| other(root))
        .unwrap_or_else(|| Framework { directory: plain(root), ..Framework::default() })
}

fn node(root: &Path, top: &Path, package: &Package) -> Option<Framework> {
    let depends =
        |name: &str| package.dependencies.contains_key(name) || package.dev_dependencies.contains_key(name);
    let known = NODE.iter().find(|(name, ..)| depends(name));
    let lock = Manager::of(root).or_else(|| Manager::of(top));
    let manager = lock.unwrap_or(Manager::Npm);
    let build = package.scripts.contains_key("build").then(|| format!("{} run build", manager.program()));
    if known.is_none() && build.is_none() {
        return None;
    }
    let directory = known.map(|(_, _, directory, _)| directory.to_string());
    // What sets the manager up on a fresh machine looks at the top.
    let says = |package: &Package| package.package_manager.is_some();
    Some(Framework {
        name: known.map(|(_, name, ..)| name.to_string()),
        assets: known.and_then(|(.., assets)| *assets),
        directory: directory.or_else(|| plain(root)),
        build,
        setup: Setup::Node {
            manager,
            locked: lock.is_some(),
            pinned: Package::read(top).as_ref().is_some_and(says),
            version_file: [".nvmrc", ".node-version"].into_iter().find(|name| root.join(name).is_file()),
        },
    })
}

fn plain(root: &Path) -> Option<String> {
    PLAIN.iter().find(|name| root.join(name).is_dir()).map(ToString::to_string)
}

fn other(root: &Path) -> Option<Framework> {
    let holds = |file: &str, word: &str| {
        std::fs::read_to_string(root.join(file)).is_ok_and(|text| text.to_ascii_lowercase().contains(word))
    };
    let (.., name, build, directory, program) = OTHERS.iter().find(|(file, word, ..)| holds(file, word))?;
    Some(Framework {
        name: Some((*name).to_owned()),
        directory: Some((*directory).to_owned()),
        build: Some((*build).to_owned()),
        assets: None,
        setup: Setup::Program(program),
    })
}

impl Manager {
    /// The one whose lock file is there.
    fn of(root: &Path) -> Option<Self> {
        const LOCKS: &[(&str, Manager)] = &[
            ("pnpm-lock.yaml", Manager::Pnpm),
            ("yarn.lock", Manager::Yarn),
            ("bun.lock", Manager::Bun),
            ("bun.lockb", Manager::Bun),
            ("package-lock.json", Manager::Npm),
        ];
        LOCKS.iter().find(|(file, _)| root.join(file).is_file()).map(|(_, manager)| *manager)
    }

    /// Its program.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn => "yarn",
            Self::Bun => "bun",
        }
    }

    /// The command that installs exactly what the lock file says.
    pub const fn install(self) -> &'static str {
        match self {
            Self::Npm => "npm ci",
            Self::Pnpm => "pnpm install --frozen-lockfile",
            Self::Yarn => "yarn install --immutable",
            Self::Bun => "bun install --frozen-lockfile",
        }
    }
}
