//! Secrets are in request headers, and nowhere else.

use crossfade_sandbox::{API_TOKEN, CONTROL_TOKEN};
use crossfade_tests::origin::Origin;
use crossfade_tests::{Ended, Running, Site};

const SMOKE_SECRET: &str = "smoke-secret-4711";

#[test]
fn secrets_are_in_no_output_no_document_and_no_argument() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    // Answers with what it was asked, as helpful sites do.
    let echo = Origin::new(|request, wire| {
        let said = format!("you said {} {:?}", request.target, request.header("authorization"));
        wire.answer("500 Internal Server Error", &[], said);
    });
    // The hook sees its own arguments, its leash's and the program's.
    site.configure(
        "[rollout]",
        "prepare = [{ name = \"arguments\", run = \"read -r _ _ _ program _ < /proc/$PPID/stat; cat /proc/$$/cmdline /proc/$PPID/cmdline /proc/$program/cmdline >> arguments\" }]\n\n[rollout]",
    );
    site.write(
        "crossfade.toml",
        &format!(
            "{}\n[[smoke]]\nname = \"echo\"\nsteps = [{{ path = \"{}/?key={{{{env.SMOKE_SECRET}}}}\", \
             headers = {{ authorization = \"Bearer {{{{env.SMOKE_SECRET}}}}\" }} }}]\n",
            std::fs::read_to_string(site.path().join("crossfade.toml")).unwrap(),
            echo.url()
        ),
    );
    let mut said = String::new();
    for json in [false, true] {
        let mut command = site.command(&["deploy", "--as", "2.0.0", "--message", "a message"]);
        command.env("SMOKE_SECRET", SMOKE_SECRET);
        if json {
            command.arg("--json");
        }
        let ended = Running::begin(command).end().expect(3).says(&["smoke: echo: GET", "you said /?key=***"]);
        assert!(ended.stderr.contains("Bearer ***"), "{}", ended.stderr);
        said += &ended.stdout;
        said += &ended.stderr;
    }
    let mut wrong = site.command(&["status"]);
    wrong.env("CLOUDFLARE_API_BASE_URL", site.sandbox.public_url().unwrap());
    let ended = Ended::of(wrong).expect(3);
    said += &ended.stderr;
    for (key, value) in
        site.sandbox.kv_keys().iter().map(|key| (key, site.sandbox.kv(key).unwrap_or_default()))
    {
        said += &format!("{key}: {}\n", String::from_utf8_lossy(&value));
    }
    assert!(said.contains("history:production:rel-") && said.contains("release:production"));
    let arguments = std::fs::read(site.path().join("arguments")).unwrap();
    let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
    assert!(arguments.contains("deploy --as 2.0.0"), "{arguments}");
    for secret in [API_TOKEN, CONTROL_TOKEN, SMOKE_SECRET] {
        assert!(!said.contains(secret), "`{secret}` is in:\n{said}");
        assert!(!arguments.contains(secret), "`{secret}` is in:\n{arguments}");
    }
    let asked = echo.received();
    assert!(asked.iter().all(|request| request.target.contains(SMOKE_SECRET)), "the site itself gets it");
}
