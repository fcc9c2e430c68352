//! The configuration that a new site begins with.

use super::Answers;

/// Stands for a URL that nobody has said yet.
pub const PLACEHOLDER_URL: &str = "https://www.example.com";
/// Stands for a namespace that nobody has made yet.
pub const PLACEHOLDER_NAMESPACE: &str = "00000000000000000000000000000000";

/// The text of `crossfade.toml`.
pub fn config(answers: &Answers) -> String {
    let Answers { project, directory, environment, url, kv_namespace, .. } = answers;
    let [project, out, url, kv_namespace] = [project, directory, url, kv_namespace].map(quoted);
    let build = quoted(build(answers));
    let rollout = if answers.canary { CANARY } else { BLUE_GREEN };
    format!(
        r#"# What Crossfade does with this site. `crossfade validate` says what a release will do by it; every field:
# docs/configuration.md of Crossfade, or `crossfade schema`.

project = {project}   # the Cloudflare Pages project
directory = {out}   # the build's output

[environments.{environment}]
url = {url}   # where the router answers: the address that visitors use
kv_namespace = {kv_namespace}   # the id of the KV namespace that the router reads

# How a deployment tells which version it is: the build below writes this file, which belongs into .gitignore.
[version]
path = "/version.json"

[hooks]
build = {{ run = {build} }}
# database = {{ run = "npm run migrate" }}   # before the upload; the version in service must go on working with it

{rollout}
# Probes that must hold, all at once: before a visitor meets the new version, and again while they do.
[[health]]
name = "home page"
path = "/"
expect = {{ status = 200, header = {{ "content-type" = {{ contains = "text/html" }} }}, latency = "2s" }}

# Scenarios that must work, one after the other; values of one answer go into the next request.
# [[smoke]]
# name = "sign in"
# steps = [
#   {{ method = "POST", path = "/api/session", json = {{ email = "smoke@example.com" }}, expect = {{ status = 201 }}, capture = {{ token = "/token" }} }},
#   {{ path = "/api/session", headers = {{ authorization = "Bearer {{{{token}}}}" }}, expect = {{ status = 200 }} }},
# ]

# Who is told, beside whoever runs the release. The address is a secret: it stands in the environment.
# [[notifications]]
# slack = "{{{{env.SLACK_WEBHOOK}}}}"
"#
    )
}

const BLUE_GREEN: &str = r#"# Everybody is switched at once, after health checks and smoke tests, and checked again through the public URL; what fails
# then is put back by itself. A few visitors first: strategy = "canary".
[rollout]
strategy = "blue-green"
second = "queue"            # a release that begins while another one runs waits for it
"#;

const CANARY: &str = r#"# A few visitors first, then more and more; what they meet is compared with what everybody else meets.
[rollout]
strategy = "canary"
steps = [
  { weight = "1%", hold = "10m" },
  { weight = "5%", hold = "15m" },
  { weight = "25%", hold = "30m" },
  { weight = "50%", hold = "1h" },
  { weight = "100%", hold = "30m" },
]
second = "queue"            # a release that begins while another one runs waits for it
"#;

/// The command that builds, and says in a file which version it was.
fn build(answers: &Answers) -> String {
    let say = |into: &str| {
        let file = shell(&format!("{}/version.json", into.trim_end_matches('/')));
        format!(r#"echo "{{\"version\":\"$CROSSFADE_VERSION\"}}" > {file}"#)
    };
    match (&answers.build, answers.assets) {
        (Some(build), Some(assets)) => format!("mkdir -p {assets} && {} && {build}", say(assets)),
        (Some(build), None) => format!("{build} && {}", say(&answers.directory)),
        (None, _) => say(&answers.directory),
    }
}

/// What of a configuration still stands for something that nobody has said: the fields' names.
pub fn placeholders(environment: &str, url: &str, kv_namespace: &str) -> Vec<String> {
    let fields = [("url", url == PLACEHOLDER_URL), ("kv_namespace", kv_namespace == PLACEHOLDER_NAMESPACE)];
    let open = fields.iter().filter(|(_, is)| *is);
    open.map(|(field, _)| format!("environments.{environment}.{field}")).collect()
}

/// A text as TOML writes it.
fn quoted(text: impl AsRef<str>) -> String {
    toml::Value::String(text.as_ref().to_owned()).to_string()
}

/// A path as a shell reads it.
fn shell(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if path.bytes().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
