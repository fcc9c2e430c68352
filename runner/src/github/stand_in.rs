//! GitHub's REST API as far as we call it, faithful to its documentation, in this process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// The stand-in; it ends with the test's process.
pub(super) struct GitHub {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    calls: Vec<String>,
    deployments: Vec<Value>,
    statuses: Vec<(u64, Value)>,
    comments: Vec<Value>,
    /// What the next calls are answered instead: a status and a header.
    instead: Vec<(u16, &'static str)>,
}

impl GitHub {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
        let own = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(&stream.unwrap(), &own);
            }
        });
        Self { url, state }
    }

    /// Answers the next calls otherwise.
    pub(super) fn instead(&self, answers: &[(u16, &'static str)]) {
        self.state.lock().unwrap().instead.extend(answers);
    }

    /// Somebody's comment that is there already.
    pub(super) fn has_comment(&self, body: &str, user: &str, association: &str) {
        let mut state = self.state.lock().unwrap();
        let id = state.comments.len() + 1;
        state.comments.push(
            json!({ "id": id, "body": body, "user": { "type": user }, "author_association": association }),
        );
    }

    /// What each deployment is made of, and its statuses, the first one first: `state description`.
    pub(super) fn deployments(&self) -> Vec<(Value, Vec<String>)> {
        let state = self.state.lock().unwrap();
        let said = |id: u64| {
            let of_it = state.statuses.iter().filter(move |(of, _)| *of == id);
            of_it.map(|(_, it)| format!("{} {}", it["state"], it["description"]).replace('"', "")).collect()
        };
        state.deployments.iter().map(|it| (it.clone(), said(it["id"].as_u64().unwrap()))).collect()
    }

    pub(super) fn statuses(&self) -> Vec<Value> {
        self.state.lock().unwrap().statuses.iter().map(|(_, status)| status.clone()).collect()
    }

    pub(super) fn comments(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.comments.iter().map(|it| it["body"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn calls(&self) -> Vec<String> {
        self.state.lock().unwrap().calls.clone()
    }
}

fn answer(mut stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let Some(first) = lines.first() else { return };
    let header = |name: &str| {
        lines
            .iter()
            .find_map(|line| line.split_once(": ").filter(|it| it.0.eq_ignore_ascii_case(name)))
            .map(|it| it.1)
    };
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    assert_eq!(header("accept"), Some("application/vnd.github+json"));
    assert!(header("x-github-api-version").is_some() && header("user-agent").is_some());
    let mut state = state.lock().unwrap();
    state.calls.push(format!("{method} {path}"));
    let (status, more, body) = if header("authorization") != Some("Bearer ghs_secret") {
        (401, "", json!({ "message": "Bad credentials" }))
    } else if state.instead.is_empty() {
        let (status, body) = state.call(method, path, &serde_json::from_slice(&body).unwrap_or_default());
        (status, "", body)
    } else {
        let (status, header) = state.instead.remove(0);
        (status, header, json!({ "message": "Resource not accessible by integration" }))
    };
    let body = body.to_string();
    let more = if more.is_empty() { String::new() } else { format!("{more}\r\n") };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} x\r\nconnection: close\r\n{more}content-length: {length}\r\n\r\n{body}"
    );
}

impl State {
    fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let not_found = || (404, json!({ "message": "Not Found" }));
        let Some(path) = path.strip_prefix("/repos/acme/booking/") else { return not_found() };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = |name: &str| {
            query
                .split('&')
                .filter_map(|it| it.split_once('='))
                .find(|it| it.0 == name)
                .map(|it| it.1.to_owned())
        };
        let number = |name: &str, default: usize| query(name).map_or(default, |it| it.parse().unwrap());
        let (page, per_page) = (number("page", 1), number("per_page", 30).min(100));
        let paged = |all: Vec<Value>| json!(all.chunks(per_page).nth(page - 1).unwrap_or_default());
        match (method, path.split('/').collect::<Vec<_>>().as_slice()) {
            ("POST", ["deployments"]) => self.create(body),
            ("GET", ["deployments"]) => {
                let wanted = query("environment");
                let all = self.deployments.iter().rev();
                let all =
                    all.filter(|it| wanted.as_deref().is_none_or(|name| it["environment"] == name)).cloned();
                (200, paged(all.collect()))
            }
            (_, ["deployments", id, "statuses"]) => {
                let id: u64 = id.parse().unwrap();
                if self.deployments.iter().all(|it| it["id"] != id) {
                    return not_found();
                }
                if method == "POST" {
                    return self.add_status(id, body);
                }
                let all = self.statuses.iter().rev().filter(|(of, _)| *of == id).map(|(_, it)| it.clone());
                (200, paged(all.collect()))
            }
            ("GET", ["issues", "7", "comments"]) => (200, paged(self.comments.clone())),
            ("POST", ["issues", "7", "comments"]) => {
                let comment = json!({ "id": self.comments.len() + 1, "body": body["body"], "user": { "type": "Bot" }, "author_association": "NONE" });
                self.comments.push(comment.clone());
                (201, comment)
            }
            ("PATCH", ["issues", "comments", id]) => {
                let id: u64 = id.parse().unwrap();
                match self.comments.iter_mut().find(|it| it["id"] == id) {
                    Some(comment) => {
                        comment["body"] = body["body"].clone();
                        (200, comment.clone())
                    }
                    None => not_found(),
                }
            }
            _ => not_found(),
        }
    }

    fn create(&mut self, body: &Value) -> (u16, Value) {
        if body["ref"].as_str().is_none_or(|it| it.len() != 40) {
            return (422, json!({ "message": format!("No ref found for: {}", body["ref"]) }));
        }
        // This very job is a check that has not passed, and the default branch has gone on.
        if body["required_contexts"] != json!([]) || body["auto_merge"] != json!(false) {
            return (409, json!({ "message": "Conflict: Commit status checks failed for main." }));
        }
        let id = 100 + self.deployments.len();
        let environment = body["environment"].as_str().unwrap_or("production");
        let deployment = json!({
            "id": id, "sha": body["ref"], "ref": body["ref"], "task": "deploy", "environment": environment, "payload": body["payload"],
            "description": body["description"],
        });
        self.deployments.push(deployment.clone());
        (201, deployment)
    }

    fn add_status(&mut self, id: u64, body: &Value) -> (u16, Value) {
        const STATES: [&str; 7] =
            ["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];
        let state = body["state"].as_str().unwrap_or_default();
        let length = body["description"].as_str().map_or(0, |text| text.chars().count());
        let is_url =
            |name: &str| body[name].as_str().is_none_or(|it| it.is_empty() || it.starts_with("https://"));
        if !STATES.contains(&state) || length > 140 || !is_url("environment_url") || !is_url("log_url") {
            return (422, json!({ "message": "Validation Failed" }));
        }
        self.statuses.push((id, body.clone()));
        (201, body.clone())
    }
}
