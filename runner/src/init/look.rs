//! What a repository says of its site. In: a directory. Out: what can be known without asking anybody.

use std::path::{Path, PathBuf};

use super::framework::{self, Framework, Package};
use super::wrangler::Wrangler;
use crate::config::check_project;
use crate::git::git;

/// Words that give away a workflow which deploys to Pages already.
const DEPLOYS: &[&str] = &["cloudflare/wrangler-action", "cloudflare/pages-action", "wrangler pages deploy"];
/// What gives away a workflow of ours.
const OURS: &str = "crossfade/crossfade@";

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How the site is built.
    pub framework: Framework,
    /// The Pages project.
    pub project: String,
    /// Where the build's output is, when anything says so.
    pub directory: Option<String>,
    /// The namespace that a router reads.
    pub kv_namespace: Option<String>,
    /// The branch that is released.
    pub branch: String,
    /// Workflows that deploy to Pages already, by path.
    pub deploying: Vec<String>,
    /// Workflows that release this site with Crossfade already, by path.
    pub ours: Vec<String>,
    /// The repository's directory; workflows lie below it.
    pub top: PathBuf,
    /// The site's directory, seen from there; empty when it is the same.
    pub below: String,
    /// What was learnt from where, for people.
    pub notes: Vec<String>,
}

impl Found {
    /// Looks at a directory.
    pub fn look(root: &Path) -> Self {
        let package = Package::read(root);
        let top = git(root, &["rev-parse", "--show-toplevel"]).map_or_else(|| root.to_owned(), PathBuf::from);
        let below = git(root, &["rev-parse", "--show-prefix"]).unwrap_or_default();
        let framework = framework::detect(root, &top, package.as_ref());
        let wrangler = Wrangler::read(root);
        let mut notes = Vec::new();
        if let Some(name) = &framework.name {
            notes.push(format!("{name} builds it"));
        }
        if let Some(wrangler) = &wrangler {
            notes.push(format!("{} describes a Cloudflare project", wrangler.file));
        }
        let below = below.trim_end_matches('/').to_owned();
        let (deploying, ours) = workflows(&top, &below);
        notes.extend(deploying.iter().map(|path| format!("{path} deploys to Cloudflare already")));
        let wrangler = wrangler.unwrap_or_default();
        let directory = wrangler.directory().map(str::to_owned).or_else(|| framework.directory.clone());
        Self {
            project: wrangler.project().map_or_else(|| project(root, package.as_ref()), str::to_owned),
            kv_namespace: wrangler.routing().map(str::to_owned),
            branch: branch(root),
            directory,
            framework,
            below,
            top,
            deploying,
            ours,
            notes,
        }
    }

    /// Where its workflow goes: each site of a repository has one of its own.
    pub fn workflow(&self) -> PathBuf {
        let plain = |it: char| if it.is_alphanumeric() { it } else { '-' };
        let of: String = self.below.chars().map(plain).collect();
        let name = if of.is_empty() { "crossfade.yml".to_owned() } else { format!("crossfade-{of}.yml") };
        Path::new(".github/workflows").join(name)
    }
}

/// The project's name where no wrangler file says it: the package's, the remote's, or the directory's.
fn project(root: &Path, package: Option<&Package>) -> String {
    let package = package.and_then(|package| package.name.clone());
    let remote = || git(root, &["remote", "get-url", "origin"]).and_then(|url| last_part(&url));
    let directory = || root.canonicalize().ok()?.file_name()?.to_str().map(str::to_owned);
    let name = package.or_else(remote).or_else(directory).unwrap_or_default();
    as_project(&name).unwrap_or_else(|| "my-site".to_owned())
}

/// `https://github.com/acme/booking.git` → `booking`.
fn last_part(url: &str) -> Option<String> {
    let last = url.trim_end_matches('/').rsplit(['/', ':']).next()?;
    Some(last.trim_end_matches(".git").to_owned()).filter(|name| !name.is_empty())
}

/// A name as Pages allows it.
fn as_project(name: &str) -> Option<String> {
    let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let text: String = name.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' }).collect();
    let text = text.trim_matches('-').to_owned();
    check_project("project", &text).is_ok().then_some(text)
}

/// The remote's default branch, else the one that is checked out.
fn branch(root: &Path) -> String {
    let remote = git(root, &["symbolic-ref", "--short", "refs/remotes/origin/HEAD"]);
    let remote = remote.and_then(|name| name.strip_prefix("origin/").map(str::to_owned));
    remote.or_else(|| git(root, &["symbolic-ref", "--short", "HEAD"])).unwrap_or_else(|| "main".to_owned())
}

/// Workflows that deploy to Pages, and those that release the site in `below` with Crossfade.
fn workflows(top: &Path, below: &str) -> (Vec<String>, Vec<String>) {
    let directory = top.join(".github/workflows");
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let (mut deploying, mut ours) = (Vec::new(), Vec::new());
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !(name.ends_with(".yml") || name.ends_with(".yaml")) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        let path = format!(".github/workflows/{name}");
        if text.contains(OURS) {
            if sites(&text).contains(&below) {
                ours.push(path);
            }
        } else if DEPLOYS.iter().any(|word| text.contains(word)) {
            deploying.push(path);
        }
    }
    deploying.sort();
    ours.sort();
    (deploying, ours)
}

/// The directories whose sites a workflow of ours releases: the whole repository where it names none.
fn sites(workflow: &str) -> Vec<&str> {
    let named = workflow.split("workingDirectory:").skip(1).map(|rest| {
        let end = rest.find(['\n', ',', '}', '#']).unwrap_or(rest.len());
        rest[..end].trim().trim_matches(['"', '\'']).trim_start_matches("./").trim_end_matches(['/', '.'])
    });
    let named: Vec<&str> = named.collect();
    if named.is_empty() { vec![""] } else { named }
}
