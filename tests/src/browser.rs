//! A real browser: headless Chromium, driven by its own protocol (<https://chromedevtools.github.io/devtools-protocol/>).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

/// How long a browser may take to start, and to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page; it ends with this value.
pub struct Browser {
    process: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    calls: u64,
    /// What the page complained of: errors, what its policy kept from it, what it wrote to the console.
    complaints: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts the browser that this machine has; without one says so, and is none.
    pub fn start() -> Option<Self> {
        let Some(program) = program() else {
            // Past what a test's output is kept in: it is to be read although the test passes.
            let _ = writeln!(
                std::io::stderr(),
                "no browser is installed (`apt-get install chromium`): what needs one is not tested"
            );
            return None;
        };
        let profile = TempDir::new().unwrap();
        let mut process = Command::new(program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
            .args(["--disable-background-networking", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let port = port(&mut process);
        let socket = connect(port);
        let mut browser = Self { process, socket, calls: 0, complaints: Vec::new(), _profile: profile };
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({}));
        }
        Some(browser)
    }

    /// Opens a file as a visitor with this window and this colour scheme would, and waits until it is shown.
    pub fn open(&mut self, file: &Path, (width, height): (u32, u32), scheme: &str) {
        self.complaints.clear();
        let window = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", window);
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", scheme);
        let url = format!("file://{}", file.canonicalize().unwrap().display());
        self.call("Page.navigate", json!({ "url": url }));
        let deadline = Instant::now() + PATIENCE;
        let shown = format!("document.readyState === 'complete' && location.href === {}", json!(url));
        while self.evaluate(&shown) != json!(true) {
            assert!(Instant::now() < deadline, "{url} is not shown");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The value of an expression in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// What the page complained of so far.
    pub fn complaints(&self) -> &[Value] {
        &self.complaints
    }

    /// What is shown, as a PNG in base64.
    pub fn screenshot(&mut self) -> String {
        let shot =
            self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
        shot["data"].as_str().unwrap_or_default().to_owned()
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let call = json!({ "id": self.calls, "method": method, "params": params });
        self.socket.send(Message::text(call.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else { continue };
            let said: Value = serde_json::from_str(&text).unwrap();
            if said["id"] == self.calls {
                assert!(said["error"].is_null(), "{method}: {said}");
                return said["result"].clone();
            }
            let complaint = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
            if complaint.iter().any(|name| said["method"] == *name) {
                self.complaints.push(said);
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path).flat_map(|directory| names.map(|name| directory.join(name)));
    found.into_iter().find(|program| program.is_file())
}

/// The port that it listens on, which it says on standard error; what it says later is thrown away.
fn port(process: &mut Child) -> u16 {
    let mut said = BufReader::new(process.stderr.take().unwrap()).lines();
    let line = said.by_ref().map_while(Result::ok).find(|line| line.contains("DevTools listening on "));
    std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
    let line = line.expect("the browser did not start");
    line.split("127.0.0.1:").nth(1).and_then(|rest| rest.split('/').next()?.parse().ok()).unwrap()
}

/// The connection to its page, which appears a moment after the port.
fn connect(port: u16) -> WebSocket<MaybeTlsStream<TcpStream>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let pages = ureq::get(format!("http://127.0.0.1:{port}/json/list")).call().ok();
        let pages: Value = pages.and_then(|mut pages| pages.body_mut().read_json().ok()).unwrap_or_default();
        let page = pages.as_array().and_then(|all| all.iter().find(|page| page["type"] == "page"));
        if let Some(url) = page.and_then(|page| page["webSocketDebuggerUrl"].as_str()) {
            let (socket, _) = tungstenite::connect(url).unwrap();
            if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
            }
            return socket;
        }
        assert!(Instant::now() < deadline, "the browser has no page");
        std::thread::sleep(Duration::from_millis(20));
    }
}
