//! Each source against a server: a real Prometheus where there is one, else as the documentation says that it answers.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossfade::cancel::Cancel;
use crossfade::cloudflare::{AccountId, ApiToken, Cloudflare};
use crossfade::config::{AnalyticsEngine, Json, Prometheus, Source};
use crossfade::context::Context;
use crossfade::source::{Counter, Patience, Sources, Who};
use crossfade_core::Timestamp;
use crossfade_core::analysis::Reading;
use crossfade_core::table::{Environment, ReleaseId, VariantName, Version};
use crossfade_tests::origin::{Origin, Received, Wire};

const ACCOUNT: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";

/// Sources of a release of 2.0.0 in green, after 1.0.0 in blue.
fn sources(counter: Counter, numbers: Vec<(String, Source)>, api: &str) -> Sources {
    let side = |name: &str, version: &str| {
        (VariantName::new("name", name).unwrap(), Version::new("version", version).unwrap())
    };
    let templates = numbers.iter().flat_map(|(_, source)| source.templates());
    let secrets =
        numbers.iter().flat_map(|(_, source)| source.secrets()).map(|name| format!("{{{{env.{name}}}}}"));
    let context =
        Context::new("2.0.0", "rel-new").with_environment(templates.chain(secrets), |name| match name {
            "METRICS_TOKEN" => Some("secret-token".into()),
            "METRICS_USER" => Some("ops:secret-word".into()),
            _ => None,
        });
    Sources {
        who: Who {
            environment: Environment::new("environment", "production").unwrap(),
            release: ReleaseId::new("release", "rel-new").unwrap(),
            canary: side("green", "2.0.0"),
            stable: side("blue", "1.0.0"),
        },
        counter,
        numbers,
        patience: Patience { within: Duration::from_secs(2), retries: 2 },
        context,
        client: Cloudflare::new(
            api,
            AccountId::new(ACCOUNT.into()),
            ApiToken::new("secret-api-token".into()),
        ),
        cancel: Cancel::default(),
    }
}

/// What one source says.
fn read(source: Source, api: &str) -> Reading {
    let sources = sources(Counter::Nobody, vec![("metric".into(), source)], api);
    sources.look(Timestamp::from_millis(0)).unwrap().readings.remove("metric").unwrap()
}

fn json(url: String, pointer: &str) -> Source {
    Source::Json(Json { url, pointer: pointer.into(), bearer: None, basic: None })
}

fn answer(wire: &mut Wire<'_>, status: &str, body: &str) {
    wire.answer(status, &[("content-type", "application/json")], body);
}

#[test]
fn a_number_in_a_json_document_is_found_or_it_is_said_why_not() {
    let server = Origin::new(|request, wire| match request.target.as_str() {
        "/stats?version=2.0.0" => {
            answer(wire, "200 OK", r#"{"errors":{"rate":0.25,"text":"3e-2","none":null,"list":[7]}}"#)
        }
        "/broken" => answer(wire, "200 OK", "<h1>"),
        "/missing" => answer(wire, "404 Not Found", "no such thing"),
        _ => answer(wire, "500 Internal Server Error", "away"),
    });
    let at = |path: &str, pointer: &str| {
        read(json(format!("{}{path}", server.url()), pointer), "http://127.0.0.1:1")
    };
    let stats = "/stats?version={{version}}";
    assert_eq!(at(stats, "/errors/rate"), Reading::Value(0.25));
    assert_eq!(at(stats, "/errors/text"), Reading::Value(0.03));
    assert_eq!(at(stats, "/errors/list/0"), Reading::Value(7.0));
    assert_eq!(at(stats, "/errors/none"), Reading::NoData);
    assert_eq!(at(stats, "/errors/other"), Reading::NoData);
    for (path, pointer, says) in [
        (stats, "/errors", "what stands at /errors is not a number"),
        ("/broken", "/rate", "the answer is not what it should be"),
        ("/missing", "/rate", "status 404: no such thing"),
        ("/away", "/rate", "status 500: away"),
    ] {
        let Reading::Error(why) = at(path, pointer) else { panic!("{path}") };
        assert!(why.contains(says), "{why}");
    }
    let tried = |target: &str| server.received().iter().filter(|request| request.target == target).count();
    assert_eq!((tried("/away"), tried("/missing")), (3, 1), "what may pass is tried again");
    let Reading::Error(why) = read(json("http://127.0.0.1:1/".into(), ""), "http://127.0.0.1:1") else {
        panic!()
    };
    assert!(why.contains("no answer"), "{why}");
}

#[test]
fn who_asks_is_authenticated_from_the_environment_and_no_secret_is_told() {
    let server = Origin::new(|request, wire| {
        let given = request.header("authorization").unwrap_or("nothing").to_owned();
        answer(wire, "403 Forbidden", &format!("`{given}` may not"));
    });
    for (bearer, basic, sent) in [
        (Some("METRICS_TOKEN"), None, "Bearer secret-token"),
        (None, Some("METRICS_USER"), "Basic b3BzOnNlY3JldC13b3Jk"),
    ] {
        let [bearer, basic] = [bearer, basic].map(|name: Option<&str>| name.map(str::to_owned));
        let source = Source::Json(Json { url: server.url(), pointer: String::new(), bearer, basic });
        let Reading::Error(why) = read(source, "http://127.0.0.1:1") else { panic!() };
        assert!(why.contains("status 403: `") && why.contains("***` may not"), "{why}");
        assert_eq!(server.received().last().unwrap().header("authorization"), Some(sent));
    }
    let source = Source::Json(Json {
        url: server.url(),
        pointer: String::new(),
        bearer: Some("UNSET".into()),
        basic: None,
    });
    let Reading::Error(why) = read(source, "http://127.0.0.1:1") else { panic!() };
    assert!(why.contains("env.UNSET"), "{why}");
}

#[test]
fn one_that_is_slow_or_flaky_is_asked_again_and_given_up_in_time() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let flaky = Origin::new(move |_, wire| match count.fetch_add(1, Ordering::Relaxed) {
        0 => wire.wait_for_the_end(),
        1 => answer(wire, "429 Too Many Requests", "slower"),
        _ => answer(wire, "200 OK", "7"),
    });
    let mut sources =
        sources(Counter::Nobody, vec![("metric".into(), json(flaky.url(), ""))], "http://127.0.0.1:1");
    sources.patience.within = Duration::from_millis(500);
    let readings = sources.look(Timestamp::from_millis(0)).unwrap().readings;
    assert_eq!(readings["metric"], Reading::Value(7.0));
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

/// A query's answer, of a server that speaks as the documentation of the SQL API says.
fn engine(rows: &'static str) -> Origin {
    Origin::new(move |request: &Received, wire| {
        let path = format!("/accounts/{ACCOUNT}/analytics_engine/sql");
        if request.header("authorization") != Some("Bearer secret-api-token") || request.target != path {
            return answer(
                wire,
                "403 Forbidden",
                r#"{"success":false,"errors":[{"code":10000,"message":"no"}]}"#,
            );
        }
        answer(wire, "200 OK", rows);
    })
}

#[test]
fn analytics_engine_gives_a_number_or_the_requests_of_both_sides() {
    let server = engine(r#"{"meta":[{"name":"rate","type":"Float64"}],"data":[{"rate":0.02}],"rows":1}"#);
    let source =
        |query: Option<&str>| AnalyticsEngine { dataset: "site".into(), query: query.map(str::to_owned) };
    let query = "SELECT sum(_sample_interval * (blob5 != 'ok')) / sum(_sample_interval) AS rate FROM site WHERE blob4 = '{{version}}'";
    assert_eq!(read(Source::AnalyticsEngine(source(Some(query))), &server.url()), Reading::Value(0.02));
    let sent = String::from_utf8(server.only().body).unwrap();
    assert!(sent.ends_with("WHERE blob4 = '2.0.0' FORMAT JSON"), "{sent}");

    // Whole numbers of 64 bits are text there.
    let server = engine(
        r#"{"data":[
            {"release":"rel-new","variant":"green","version":"2.0.0","outcome":"ok","revision":8,"requests":"90"},
            {"release":"rel-new","variant":"green","version":"2.0.0","outcome":"timeout","revision":8,"requests":"3"},
            {"release":"rel-new","variant":"blue","version":"1.0.0","outcome":"5xx","revision":8,"requests":"2"},
            {"release":"rel-old","variant":"blue","version":"1.0.0","outcome":"ok","revision":7,"requests":"500"},
            {"release":"rel-old","variant":"green","version":"0.9.0","outcome":"5xx","revision":7,"requests":"9"}
        ]}"#,
    );
    for (estimated, counts) in
        [(false, "count() AS requests"), (true, "sum(_sample_interval * double1) AS requests")]
    {
        server.forget();
        let sources = sources(Counter::Engine(source(None), estimated), Vec::new(), &server.url());
        let look = sources.look(Timestamp::from_millis(1_000_000)).unwrap();
        let sent = String::from_utf8(server.only().body).unwrap();
        assert!(sent.contains(counts) && sent.contains("FROM site WHERE blob1 = 'production'"), "{sent}");
        let sum = |side: fn(&crossfade_core::rollout::Counted) -> [u64; 3]| {
            look.counts.iter().map(side).fold([0; 3], |sum, more| [0, 1, 2].map(|at| sum[at] + more[at]))
        };
        assert_eq!(sum(|it| [it.canary.requests, it.canary.errors, it.canary.unanswered]), [93, 3, 3]);
        assert_eq!(sum(|it| [it.stable.requests, it.stable.errors, it.stable.unanswered]), [502, 2, 0]);
        assert!(look.counts.iter().all(|counted| counted.revision.is_some()));
    }
    let refused = Origin::new(|_, wire| answer(wire, "403 Forbidden", "{}"));
    let sources = sources(Counter::Engine(source(None), false), Vec::new(), &refused.url());
    let why = sources.look(Timestamp::from_millis(1_000_000)).unwrap_err();
    assert!(why.contains("analytics_engine/sql") && !why.contains("secret-api"), "{why}");
}

/// A Prometheus that scrapes itself; ends with this value.
struct RealPrometheus {
    child: Child,
    url: String,
    _directory: tempfile::TempDir,
}

impl RealPrometheus {
    /// `CROSSFADE_TEST_PROMETHEUS` names its program (Debian: `apt-get download prometheus`, or `apt-get install prometheus`),
    /// when it is not on the path.
    fn start() -> Option<Self> {
        let program = std::env::var("CROSSFADE_TEST_PROMETHEUS").unwrap_or_else(|_| "prometheus".into());
        let directory = tempfile::TempDir::new().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: itself\n    static_configs:\n      - targets: ['127.0.0.1:{port}']\n"
        );
        std::fs::write(directory.path().join("prometheus.yml"), config).unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", directory.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        Some(Self { child, url: format!("http://127.0.0.1:{port}"), _directory: directory })
    }
}

impl Drop for RealPrometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What its documentation shows for each of the queries below
/// (<https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>).
fn documented() -> Origin {
    Origin::new(|request, wire| {
        let vector = |samples: &str| {
            format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{samples}]}}}}"#)
        };
        let sample =
            |value: &str| format!(r#"{{"metric":{{"job":"itself"}},"value":[1769860800.781,"{value}"]}}"#);
        let has = |text: &str| request.target.contains(text);
        let body = match () {
            () if has("query=1%20%2B%201") => {
                r#"{"status":"success","data":{"resultType":"scalar","result":[1769860800.7,"2"]}}"#
                    .to_owned()
            }
            () if has("query=up%20") => {
                return answer(
                    wire,
                    "400 Bad Request",
                    r#"{"status":"error","errorType":"bad_data","error":"1:6: parse error: unclosed left parenthesis"}"#,
                );
            }
            () if has("query=up%20%2F") || has("vector%280%29") => vector(&sample("NaN")),
            () if has("absent_metric") => vector(""),
            () if has("prometheus_http") => vector(&format!("{},{}", sample("1"), sample("2"))),
            () => vector(&sample("1")),
        };
        answer(wire, "200 OK", &body);
    })
}

#[test]
fn prometheus_gives_one_number_no_data_or_its_reason() {
    let (real, documented) = (RealPrometheus::start(), documented());
    let url = real.as_ref().map_or_else(|| documented.url(), |real| real.url.clone());
    println!("against {}", if real.is_some() { "a real Prometheus" } else { "what its documentation shows" });
    let ask = |query: &str| {
        let source = Prometheus { url: url.clone(), query: query.into(), bearer: None, basic: None };
        read(Source::Prometheus(source), "http://127.0.0.1:1")
    };
    // Until it has seen itself once.
    let deadline = Instant::now() + Duration::from_secs(30);
    while ask("up") != Reading::Value(1.0) {
        assert!(Instant::now() < deadline, "{:?}", ask("up"));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(ask("1 + 1"), Reading::Value(2.0));
    assert_eq!(ask("absent_metric"), Reading::NoData);
    assert_eq!(ask("vector(0) / vector(0)"), Reading::NoData, "nothing of nothing");
    let Reading::Error(why) = ask("up (") else { panic!() };
    assert!(why.contains("parse error"), "{why}");
    let Reading::Error(why) =
        ask("prometheus_http_requests_total or prometheus_http_response_size_bytes_count")
    else {
        panic!()
    };
    assert!(why.contains("series, and one number is needed"), "{why}");
}
