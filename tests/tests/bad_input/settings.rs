//! Tokens, account, project, namespace, URLs.

use crossfade_sandbox::{API_TOKEN, CONTROL_TOKEN, NAMESPACE_ID};
use crossfade_tests::origin::Origin;
use crossfade_tests::{Ended, Site};

/// What is said on the way to an error: exit code, and texts of the error.
struct Case<'a> {
    name: &'a str,
    /// Variables, `None` to take one away.
    variables: &'a [(&'a str, Option<&'a str>)],
    arguments: &'a [&'a str],
    code: i32,
    says: &'a [&'a str],
}

const DEPLOY: &[&str] = &["deploy", "--as", "9.9.9"];

fn run(site: &Site, case: &Case<'_>) -> Ended {
    let mut command = site.command(case.arguments);
    for (name, value) in case.variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Ended::of(command).expect(case.code).says(case.says)
}

#[test]
fn what_is_missing_or_wrong_in_the_environment_is_named_and_nothing_changes() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let before = site.sandbox.kv("routing:production");
    for (index, case) in [
        Case {
            name: "no API token",
            variables: &[("CLOUDFLARE_API_TOKEN", None)],
            arguments: DEPLOY,
            code: 2,
            says: &["CLOUDFLARE_API_TOKEN is not set", "hint: create a token", "Workers KV Storage: Edit"],
        },
        Case {
            name: "an empty API token, as GitHub passes a secret that does not exist",
            variables: &[("CLOUDFLARE_API_TOKEN", Some(""))],
            arguments: DEPLOY,
            code: 2,
            says: &["CLOUDFLARE_API_TOKEN is not set", "hint: "],
        },
        Case {
            name: "an API token of two words",
            variables: &[("CLOUDFLARE_API_TOKEN", Some("secret-one secret-two"))],
            arguments: DEPLOY,
            code: 2,
            says: &["CLOUDFLARE_API_TOKEN has characters that no token has", "paste it anew"],
        },
        Case {
            name: "a wrong API token",
            variables: &[("CLOUDFLARE_API_TOKEN", Some("secret-of-somebody-else"))],
            arguments: DEPLOY,
            code: 3,
            says: &[
                "cannot read the routing table from KV",
                "/values/routing%3Aproduction: Cloudflare refuses the token (403, code 10000",
                "hint: CLOUDFLARE_API_TOKEN needs the permission \"Workers KV Storage: Edit\"",
            ],
        },
        Case {
            name: "no router token",
            variables: &[("CROSSFADE_TOKEN", None)],
            arguments: DEPLOY,
            code: 2,
            says: &["CROSSFADE_TOKEN is not set", "hint: set the same secret here and at the router"],
        },
        Case {
            name: "a wrong router token",
            variables: &[("CROSSFADE_TOKEN", Some("secret-of-somebody-else"))],
            arguments: DEPLOY,
            code: 3,
            says: &[
                "/__crossfade/status refuses CROSSFADE_TOKEN (401)",
                "hint: set the same CROSSFADE_TOKEN here and at the router",
            ],
        },
        Case {
            name: "a wrong router token, by hand",
            variables: &[("CROSSFADE_TOKEN", Some("secret-of-somebody-else"))],
            arguments: &["weights", "blue=100"],
            code: 3,
            says: &["refuses CROSSFADE_TOKEN (401)", "hint: "],
        },
        Case {
            name: "no account",
            variables: &[("CLOUDFLARE_ACCOUNT_ID", None)],
            arguments: DEPLOY,
            code: 2,
            says: &["the Cloudflare account id is not set", "hint: set CLOUDFLARE_ACCOUNT_ID"],
        },
        Case {
            name: "an account's name instead of its id",
            variables: &[("CLOUDFLARE_ACCOUNT_ID", Some("Booking Ltd."))],
            arguments: DEPLOY,
            code: 2,
            says: &[
                "account id is `Booking Ltd.`: it must be 32 hexadecimal digits",
                "`wrangler whoami` shows it",
            ],
        },
        Case {
            name: "somebody else's account",
            variables: &[("CLOUDFLARE_ACCOUNT_ID", Some("00000000000000000000000000000001"))],
            arguments: DEPLOY,
            code: 3,
            says: &[
                "/accounts/00000000000000000000000000000001/",
                "refuses the token",
                "CLOUDFLARE_ACCOUNT_ID",
            ],
        },
        Case {
            name: "an API URL that is none",
            variables: &[("CLOUDFLARE_API_BASE_URL", Some("api.cloudflare.com"))],
            arguments: DEPLOY,
            code: 2,
            says: &[
                "CLOUDFLARE_API_BASE_URL is `api.cloudflare.com`",
                "such as https://api.cloudflare.com/client/v4",
            ],
        },
        Case {
            name: "an API URL over an open line",
            variables: &[("CLOUDFLARE_API_BASE_URL", Some("http://api.example.com/client/v4"))],
            arguments: DEPLOY,
            code: 2,
            says: &[
                "CLOUDFLARE_API_BASE_URL is `http://api.example.com/client/v4`: secrets would travel",
                "it must begin with https://",
            ],
        },
        Case {
            name: "an environment that is not in the file",
            variables: &[("CROSSFADE_ENVIRONMENT", Some("prod"))],
            arguments: DEPLOY,
            code: 2,
            says: &["environment `prod` is not in `crossfade.toml`; it has production"],
        },
        Case {
            name: "no file",
            variables: &[("CROSSFADE_CONFIG", Some("crossfade.tml"))],
            arguments: DEPLOY,
            code: 2,
            says: &[
                "cannot read the configuration `crossfade.tml`",
                "No such file",
                "hint: name the file with --config",
            ],
        },
        Case {
            name: "no version where git has none",
            variables: &[("GIT_CEILING_DIRECTORIES", Some("/"))],
            arguments: &["deploy"],
            code: 2,
            says: &[
                "the new version's name is not set",
                "hint: give it with `--as 1.5.0` or CROSSFADE_VERSION",
            ],
        },
        Case {
            name: "a version that fits no header",
            variables: &[],
            arguments: &["deploy", "--as", "1.5 \"beta\""],
            code: 2,
            says: &["the version is `1.5 ", "printable ASCII"],
        },
        Case {
            name: "a URL to check that is none",
            variables: &[],
            arguments: &["check", "booking.example.com"],
            code: 2,
            says: &[
                "the URL is `booking.example.com`: it must be a site",
                "such as https://booking.example.com",
            ],
        },
    ]
    .iter()
    .enumerate()
    {
        println!("{}", case.name);
        let ended = run(&site, case);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!said.contains("secret-o"), "case {index}: {said}");
        assert!(ended.stdout.is_empty(), "nothing was begun: {}", ended.stdout);
    }
    assert_eq!(site.changes(), []);
    assert_eq!(site.sandbox.kv("routing:production"), before);
    assert_eq!(site.sandbox.kv_keys(), ["routing:production"], "not even a record was written");

    // Blanks around a secret come from how it was pasted.
    let mut command = site.command(&["status"]);
    command
        .env("CLOUDFLARE_API_TOKEN", format!(" {API_TOKEN}\n"))
        .env("CROSSFADE_TOKEN", format!("{CONTROL_TOKEN}\n"));
    Ended::of(command).expect(0).prints(&["edge: revision 1"]);
}

#[test]
fn an_api_that_is_not_there_is_named_and_so_is_one_that_is_another_site() {
    let (site, _origins) = Site::serving(&[("blue", "1.0.0")]);
    let other = Origin::new(|_, wire| wire.answer("404 Not Found", &[], "<h1>Nothing here</h1>"));
    let elsewhere = format!("{}/client/v4", other.url());
    // Both are tried for a while, so both at once.
    std::thread::scope(|scope| {
        for (url, says) in [
            ("http://127.0.0.1:1/client/v4", "cannot reach the API at http://127.0.0.1:1/client/v4"),
            (elsewhere.as_str(), "not an API answer: <h1>Nothing here</h1>"),
        ] {
            let site = &site;
            scope.spawn(move || {
                let variables = &[("CLOUDFLARE_API_BASE_URL", Some(url))];
                let case = Case {
                    name: url,
                    variables,
                    arguments: DEPLOY,
                    code: 3,
                    says: &[says, "CLOUDFLARE_API_BASE_URL"],
                };
                run(site, &case);
            });
        }
    });
    assert_eq!(site.changes(), []);
}

#[test]
fn a_wrong_project_namespace_or_url_is_named_with_where_to_look() {
    let (site, origins) = Site::serving(&[("blue", "1.0.0")]);
    let refused = |from: &str, to: &str, says: &[&str]| {
        site.configure(from, to);
        let ended = site.run(DEPLOY).expect(3).says(says);
        site.configure(to, from);
        ended
    };
    let other = "00000000000000000000000000000002";
    refused(
        NAMESPACE_ID,
        other,
        &[
            &format!("/namespaces/{other}/"),
            "namespace not found",
            "hint: look at `kv_namespace` in crossfade.toml",
        ],
    );
    let url = site.sandbox.public_url().unwrap();
    refused(
        &url,
        &origins[0].url(),
        &[
            &origins[0].url(),
            "answers 200, not like a Crossfade router",
            "hint: `crossfade router deploy` installs the router",
        ],
    );
    refused(
        &url,
        "http://127.0.0.1:1",
        &["http://127.0.0.1:1/__crossfade/status does not answer", "hint: the environment's `url`"],
    );
    assert_eq!(site.sandbox.kv_keys(), ["routing:production"], "not even a record was written");

    // The project is asked for when there is something to upload.
    let ended = refused(
        "project = \"booking\"",
        "project = \"bookings\"",
        &["the upload failed", "/pages/projects/bookings", "hint: look at `project` in crossfade.toml"],
    );
    assert!(ended.stderr.contains("`wrangler pages project create NAME`"));
    assert_eq!(site.changes(), []);
    assert_eq!(site.served_version(), "1.0.0");
}

#[test]
fn a_router_of_another_environment_is_refused() {
    let site = Site::with(|options| options.environment = "staging".into());
    site.run(DEPLOY)
        .expect(3)
        .says(&["is that of environment `staging`, not of `production`", "hint: look at `url`"]);
    assert_eq!(site.sandbox.kv_keys(), [""; 0]);
    assert_eq!(site.changes(), []);
}
