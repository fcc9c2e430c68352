use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::config::Config;

/// A directory with these files.
fn repository(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

fn answers(found: &Found) -> Answers {
    Answers {
        project: found.project.clone(),
        directory: found.directory.clone().unwrap_or_else(|| "dist".into()),
        build: found.framework.build.clone(),
        assets: found.framework.assets,
        environment: "production".into(),
        url: "https://www.example.org".into(),
        kv_namespace: found.kv_namespace.clone().unwrap_or_else(|| PLACEHOLDER_NAMESPACE.into()),
        canary: false,
        branch: found.branch.clone(),
        setup: found.framework.setup.clone(),
    }
}

/// The workflow's one document.
#[track_caller]
fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Files, and what is made of them: output, build command, first word of what a fresh machine runs.
type Case = (&'static [(&'static str, &'static str)], &'static str, Option<&'static str>, &'static str);

const CASES: &[Case] = &[
    (
        &[
            (
                "package.json",
                r#"{"scripts":{"build":"astro build"},"dependencies":{"astro":"5","vite":"6"}}"#,
            ),
            ("package-lock.json", "{}"),
        ],
        "dist",
        Some("npm run build"),
        "npm ci",
    ),
    (
        &[
            (
                "package.json",
                r#"{"scripts":{"build":"x"},"devDependencies":{"@sveltejs/kit":"2","vite":"6"}}"#,
            ),
            ("pnpm-lock.yaml", ""),
            (".nvmrc", "24"),
        ],
        ".svelte-kit/cloudflare",
        Some("pnpm run build"),
        "pnpm install --frozen-lockfile",
    ),
    (
        &[("package.json", r#"{"scripts":{"build":"next build"},"dependencies":{"next":"16"}}"#)],
        "out",
        Some("npm run build"),
        "npm install",
    ),
    (&[("hugo.toml", "")], "public", Some("hugo --minify"), ""),
    (&[("config.toml", "baseURL = 'https://example.org'")], "public", Some("hugo --minify"), ""),
    (&[("config.toml", "base_url = 'https://example.org'")], "public", Some("zola build"), ""),
    (
        &[("package.json", r#"{"scripts":{"build":"x"},"packageManager":"yarn@4.9.1"}"#), ("yarn.lock", "")],
        "dist",
        Some("yarn run build"),
        "npm install --global corepack && corepack enable,yarn install --immutable",
    ),
    (&[("public/index.html", "hi")], "public", None, ""),
    (&[("package.json", "not JSON"), ("www/index.html", "hi")], "www", None, ""),
    (
        &[
            ("wrangler.toml", "name = \"shop\"\npages_build_output_dir = \"./web/\"\n"),
            ("package.json", r#"{"scripts":{"build":"vite build"},"dependencies":{"vite":"7"}}"#),
            ("bun.lock", ""),
        ],
        "web",
        Some("bun run build"),
        "bun install --frozen-lockfile",
    ),
    (&[], "dist", None, ""),
];

#[test]
fn what_is_found_makes_a_valid_configuration_and_a_workflow() {
    for (files, directory, build, install) in CASES {
        let repository = repository(files);
        let found = Found::look(repository.path());
        let answers = answers(&found);
        assert_eq!((answers.directory.as_str(), answers.build.as_deref()), (*directory, *build), "{files:?}");

        let text = config(&answers);
        let config = Config::parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
        assert_eq!(config.directory, Path::new(directory), "{text}");
        for canary in [false, true] {
            Config::parse(&super::config(&Answers { canary, ..answers.clone() })).unwrap();
        }

        let text = workflow(&answers, "", ".github/workflows/crossfade.yml");
        let yaml = yaml(&text);
        let steps = yaml["jobs"]["release"]["steps"].as_array().unwrap();
        let runs: Vec<&str> = steps.iter().filter_map(|step| step.get("run")?.as_str()).collect();
        assert_eq!(runs.join(","), *install, "{text}");
    }
}

#[test]
fn values_are_quoted_whatever_is_in_them() {
    let odd = Answers {
        directory: "out put's".into(),
        build: Some(r#"echo "a\b" && echo 'c' # {x}"#.into()),
        branch: "on: [push]".into(),
        ..answers(&Found::look(repository(&[]).path()))
    };
    let text = config(&odd);
    let read = Config::parse(&text).unwrap();
    assert_eq!(read.directory, Path::new("out put's"));
    let run = match &read.hooks.build.as_ref().unwrap().action {
        crate::config::Action::Command(command) => command.run.clone(),
        action => panic!("{action:?}"),
    };
    assert!(run.starts_with(odd.build.as_deref().unwrap()), "{run}");
    let text = workflow(&odd, "apps/it's", ".github/workflows/crossfade.yml");
    let yaml = yaml(&text);
    assert_eq!(yaml["on"]["push"]["branches"][0].as_str(), Some("on: [push]"), "{text}");
    assert_eq!(yaml["on"]["push"]["paths"][0].as_str(), Some("apps/it's/**"), "{text}");
}

#[test]
fn the_build_leaves_the_version_where_the_configuration_looks_for_it() {
    // SvelteKit's server knows the assets that were there when it was built, and no others.
    let kit = r#"{"devDependencies":{"@sveltejs/kit":"2"},"scripts":{"build":"x"}}"#;
    let copy = "mkdir -p .svelte-kit/cloudflare && cp static/* .svelte-kit/cloudflare";
    let cases = [
        (("public/index.html", "hi"), None, "public/version.json"),
        (("package.json", kit), Some(copy), ".svelte-kit/cloudflare/version.json"),
    ];
    for (file, build, version) in cases {
        let repository = repository(&[file]);
        let found = Found::look(repository.path());
        let answers = Answers { build: build.map(str::to_owned), ..answers(&found) };
        let config = Config::parse(&config(&answers)).unwrap();
        let run = match &config.hooks.build.as_ref().unwrap().action {
            crate::config::Action::Command(command) => command.run.clone(),
            action => panic!("{action:?}"),
        };
        let mut build = Command::new("sh");
        build.args(["-c", &run]).current_dir(repository.path()).env("CROSSFADE_VERSION", "1.4.2");
        assert!(build.stdin(Stdio::null()).status().unwrap().success(), "{run}");
        let text = std::fs::read_to_string(repository.path().join(version)).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["version"], "1.4.2", "{text}");
    }
}

#[test]
fn pnpm_is_given_a_version_exactly_when_the_repository_names_none() {
    for (package, version) in [("{}", Some("latest")), (r#"{"packageManager":"pnpm@10.1.0"}"#, None)] {
        let site = r#"{"scripts":{"build":"x"}}"#;
        let top =
            repository(&[("package.json", package), ("pnpm-lock.yaml", ""), ("web/package.json", site)]);
        let done = Command::new("git").args(["init", "-q"]).current_dir(top.path()).status().unwrap();
        assert!(done.success());
        let found = Found::look(&top.path().join("web"));
        let workflow = yaml(&workflow(&answers(&found), "web", ".github/workflows/crossfade.yml"));
        let setup = &workflow["jobs"]["release"]["steps"][1];
        assert!(setup["uses"].as_str().unwrap().starts_with("pnpm/action-setup@"), "{workflow}");
        assert_eq!(setup["with"]["version"].as_str(), version, "{workflow}");
    }
}

#[test]
fn the_workflow_says_nothing_that_the_action_does_not_know() {
    let action =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../action.yml")).unwrap();
    let action = yaml(&action);
    let elsewhere =
        Answers { environment: "staging".into(), ..answers(&Found::look(repository(&[]).path())) };
    let text = workflow(&elsewhere, "apps/web", ".github/workflows/crossfade.yml");
    let workflow = yaml(&text);
    let steps = workflow["jobs"]["release"]["steps"].as_array().unwrap();
    let with = steps.last().unwrap()["with"].as_object().unwrap();
    assert!(with.len() >= 6, "{text}");
    for name in with.keys() {
        assert!(action["inputs"].get(name).is_some(), "`{name}` is no input of action.yml");
    }
}

#[test]
fn a_site_in_a_monorepo_has_its_workflow_at_the_top_and_sees_those_that_are_there() {
    let top = repository(&[
        (
            "apps/web/package.json",
            r#"{"name":"@acme/Web_Site","dependencies":{"vite":"7"},"scripts":{"build":"vite build"}}"#,
        ),
        ("pnpm-lock.yaml", ""),
        (".github/workflows/old.yml", "steps:\n- uses: cloudflare/wrangler-action@v3\n"),
        (".github/workflows/notes.txt", "wrangler pages deploy"),
    ]);
    let git = |arguments: &[&str]| {
        let done = Command::new("git").args(arguments).current_dir(top.path()).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    };
    git(&["init", "-q", "-b", "trunk"]);
    let found = Found::look(&top.path().join("apps/web"));
    assert_eq!(found.below, "apps/web");
    assert_eq!(found.top.canonicalize().unwrap(), top.path().canonicalize().unwrap());
    assert_eq!((found.project.as_str(), found.branch.as_str()), ("web-site", "trunk"));
    assert_eq!(found.deploying, [".github/workflows/old.yml"]);
    assert_eq!(found.framework.build.as_deref(), Some("pnpm run build"), "the lock file lies at the top");

    // Another site of the repository has a workflow; it is not this one's, nor does this one wait for it.
    let of = |below: &str| {
        let found = Found::look(&top.path().join(below));
        let text = workflow(&answers(&found), below, &found.workflow().display().to_string());
        (found.ours.clone(), found.workflow(), text)
    };
    std::fs::create_dir(top.path().join("docs")).unwrap();
    let (ours, path, text) = of("apps/web");
    assert!(ours.is_empty());
    assert_eq!(path, Path::new(".github/workflows/crossfade-apps-web.yml"));
    std::fs::write(top.path().join(&path), &text).unwrap();
    assert_eq!(of("apps/web").0, [path.display().to_string()]);
    let (ours, _, other) = of("docs");
    assert!(ours.is_empty(), "{ours:?}");
    assert_ne!(yaml(&other)["concurrency"]["group"], yaml(&text)["concurrency"]["group"]);
}

#[test]
fn wrangler_files_of_each_form_are_read_and_a_workers_name_is_no_project() {
    let pages = r#"{ /* ours */ "name": "shop", "pages_build_output_dir": "dist", }"#;
    let router = "name = \"router\"\n[[kv_namespaces]]\nbinding = \"ROUTING\"\nid = \"0f2ac74b498b48028cb68387c421e279\"\n";
    let found =
        Found::look(repository(&[("wrangler.jsonc", pages), ("package.json", r#"{"name":"other"}"#)]).path());
    assert_eq!((found.project.as_str(), found.directory.as_deref()), ("shop", Some("dist")));
    let found =
        Found::look(repository(&[("wrangler.toml", router), ("package.json", r#"{"name":"other"}"#)]).path());
    assert_eq!(found.project, "other");
    assert_eq!(found.kv_namespace.as_deref(), Some("0f2ac74b498b48028cb68387c421e279"));
    let example = router.replace("0f2ac74b498b48028cb68387c421e279", "<your id>");
    let found = Found::look(repository(&[("wrangler.toml", &example)]).path());
    assert_eq!(found.kv_namespace, None);
    let odd = "name = \"My_Shop\"\npages_build_output_dir = \"dist\"\n";
    let found =
        Found::look(repository(&[("wrangler.toml", odd), ("package.json", r#"{"name":"other"}"#)]).path());
    assert_eq!((found.project.as_str(), found.directory.as_deref()), ("other", Some("dist")));
    let found = Found::look(repository(&[("wrangler.toml", "name = [")]).path());
    assert_eq!((found.kv_namespace, found.directory), (None, None));
}
