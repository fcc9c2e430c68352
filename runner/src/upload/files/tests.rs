use super::*;

fn site(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    directory
}

fn paths(directory: &Path) -> Vec<String> {
    scan(directory, directory).unwrap().assets.into_iter().map(|asset| asset.path).collect()
}

#[test]
fn what_wrangler_leaves_out_is_left_out() {
    let site = site(&[
        ("index.html", "x"),
        ("_headers", "/*\n  a: b"),
        ("_redirects", ""),
        ("_routes.json", r#"{"version":1,"include":["/*"]}"#),
        ("_worker.js", "export default {}"),
        ("functions/a.js", ""),
        (".wrangler/x", ""),
        ("a/node_modules/b.js", ""),
        // wrangler's patterns do not look into directories with a dot, and it publishes these.
        (".hidden/node_modules/b.js", ""),
        (".hidden/.git/config", ""),
        (".git/config", ""),
        (".DS_Store", ""),
        ("sub/_headers", "kept"),
        (".well-known/a.json", "kept"),
        ("with space/ünïcode %20#?&+.txt", "kept"),
    ]);
    assert_eq!(
        paths(site.path()),
        ["/.well-known/a.json", "/index.html", "/sub/_headers", "/with space/ünïcode %20#?&+.txt"]
    );
    let parts = scan(site.path(), site.path()).unwrap().extras.parts();
    let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["_headers", "_worker.bundle", "_routes.json"], "an empty _redirects is nothing");
    let bundle = String::from_utf8(parts[1].1.clone()).unwrap();
    assert!(
        bundle.contains(r#"{"main_module":"_worker.js"}"#)
            && bundle.contains("application/javascript+module")
    );
}

#[test]
fn bad_directories_are_refused_by_name() {
    let message = |path: &Path| scan(path, path).unwrap_err().to_string();
    let missing = Path::new("no-such-directory");
    assert_eq!(message(missing), "there is no directory `no-such-directory`");
    let empty = site(&[]);
    assert!(message(empty.path()).ends_with("has no files to upload"));
    let worker = site(&[("index.html", "x"), ("_worker.js/lib.js", "export const a = 1;")]);
    assert!(message(worker.path()).ends_with("_worker.js` has no `index.js`, where a Worker begins"));
    let file = site(&[("x", "")]);
    assert!(message(&file.path().join("x")).ends_with("is not a directory"));
    for name in [".env", "sub/.env.production", ".dev.vars"] {
        let site = site(&[("index.html", "x"), (name, "KEY=secret")]);
        let text = message(site.path());
        assert!(text.contains("would be public") && !text.contains("secret="), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_and_not_read() {
    // A pipe that nobody writes to would be read for ever.
    for name in ["pipe", "_headers", "_redirects"] {
        let site = site(&[("index.html", "x")]);
        let pipe = site.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let text = scan(site.path(), site.path()).unwrap_err().to_string();
        assert_eq!(text, format!("`{}` is not a file", pipe.display()));
    }
    let directory = site(&[("index.html", "x"), ("_headers/a", "x")]);
    assert!(matches!(scan(directory.path(), directory.path()), Err(FilesError::NotAFile { .. })));
}

#[test]
fn a_file_may_have_25_mib_and_not_one_byte_more() {
    let site = site(&[("index.html", "x")]);
    let big = std::fs::File::create(site.path().join("big.bin")).unwrap();
    big.set_len(FILE_BYTES_MAX).unwrap();
    assert_eq!(paths(site.path()).len(), 2);
    big.set_len(FILE_BYTES_MAX + 1).unwrap();
    assert!(matches!(scan(site.path(), site.path()), Err(FilesError::TooLarge { bytes: 26_214_401, .. })));
}

#[cfg(unix)]
#[test]
fn links_stay_inside() {
    use std::os::unix::fs::symlink;
    let inside = site(&[("index.html", "x"), ("a/b.css", "x")]);
    symlink("index.html", inside.path().join("link.html")).unwrap();
    assert!(paths(inside.path()).contains(&"/link.html".to_owned()));
    for (target, why) in [("/etc/hostname", "leads out of the directory"), ("gone", "leads nowhere")] {
        let link = inside.path().join("bad");
        symlink(target, &link).unwrap();
        assert!(scan(inside.path(), inside.path()).unwrap_err().to_string().ends_with(why));
        std::fs::remove_file(&link).unwrap();
    }
    symlink("..", inside.path().join("a/up")).unwrap();
    assert!(scan(inside.path(), inside.path()).unwrap_err().to_string().ends_with("leads in a circle"));
}
