//! Notifications: notices to files, webhooks and chats, beside whatever happens. In: `[[notifications]]`. Out: destinations that
//! are told; nobody waits for them, and they can fail nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cancel::Cancel;
use crate::config::{Config, Notification, To};
use crate::context::Context;
use crate::hooks::{Delivery, deliver};
use crate::notice::{Line, Notice};
use crate::outbox::{Deliver, Destination, Outbox};
use crate::report::{Entry, Event, Listener};

mod slack;

/// The destinations of notices.
pub struct Notifications(Outbox);

impl Notifications {
    /// Begins to tell what the configuration names, relative files beginning at `root`; nothing is begun when it names nothing.
    pub fn start(config: &Config, root: &Path, secrets: &Context) -> Option<Self> {
        let cancel = Cancel::default();
        let secrets = Arc::new(secrets.clone());
        let destination = |notification: &Notification| destination(notification, root, &secrets, &cancel);
        Outbox::start(config.notifications.iter().map(destination).collect(), cancel.clone()).map(Self)
    }

    /// What hears of notices and returns at once, whatever the destinations do.
    pub fn listener(&self) -> Listener {
        self.0.listener()
    }

    /// What could not be told since this was asked last, in words.
    pub fn trouble(&self) -> Vec<String> {
        self.0.trouble()
    }

    /// Waits a moment for the last notices to be told; what was not, in words. `cancel` ends the waiting.
    pub fn finish(self, cancel: &Cancel) -> Vec<String> {
        self.0.finish(cancel)
    }
}

fn destination(
    notification: &Notification,
    root: &Path,
    secrets: &Arc<Context>,
    cancel: &Cancel,
) -> Destination {
    let kinds = notification.events.clone();
    let wants = move |event: &Event| event.notice().is_some_and(|notice| kinds.contains(&notice.kind()));
    let secrets = Arc::clone(secrets);
    let deliver: Deliver = match &notification.to {
        To::File(path) => {
            let path = root.join(path);
            Box::new(move |entry| told(entry, |line| append(&path, &json(line, &secrets))))
        }
        To::Webhook(hook) => {
            let mut delivery = Delivery::new(hook.clone(), Arc::clone(&secrets), cancel.clone());
            Box::new(move |entry| told(entry, |line| deliver(&mut delivery, json(line, &secrets))))
        }
        To::Slack(hook) => {
            let mut delivery = Delivery::new(hook.clone(), Arc::clone(&secrets), cancel.clone());
            Box::new(move |entry| {
                told(entry, |line| {
                    let mut message = slack::message(&line.notice);
                    secrets.redact_json(&mut message);
                    deliver(&mut delivery, message)
                })
            })
        }
    };
    Destination { title: format!("notification {}", notification.title()), wants: Box::new(wants), deliver }
}

fn told(entry: &Entry, tell: impl FnOnce(&Line) -> Result<(), String>) -> Result<(), String> {
    let Some(notice) = entry.event.notice() else { return Ok(()) };
    tell(&Line { version: 1, at: entry.at, notice: notice.clone() })
}

fn json(line: &Line, secrets: &Context) -> serde_json::Value {
    let mut value = serde_json::to_value(line).unwrap_or_default();
    secrets.redact_json(&mut value);
    value
}

/// Adds a line. The file is opened each time: whoever rotates logs may move it away.
fn append(path: &PathBuf, value: &serde_json::Value) -> Result<(), String> {
    let mut options = std::fs::OpenOptions::new();
    let wrong = |error: std::io::Error| format!("`{}`: {error}", path.display());
    let mut file = options.create(true).append(true).open(path).map_err(wrong)?;
    // In one write, so that two programs that tell the same file do not mix their lines.
    file.write_all(format!("{value}\n").as_bytes()).map_err(wrong)
}

impl Notice {
    /// In one line.
    pub fn headline(&self) -> String {
        match self {
            Self::Started(it) => {
                let before =
                    it.stable_version.as_ref().map_or_else(String::new, |it| format!(", {it} serves now"));
                let again = if it.taken_over { "goes on" } else { "begins" };
                format!("{}: the release of {} {again}{before}", it.environment, it.new_version)
            }
            Self::Metrics(it) => {
                let requests: u64 = it.variants.iter().map(|variant| variant.requests).sum();
                format!("{}: {requests} requests from {} to {}", it.environment, it.from, it.to)
            }
            Self::Alert(it) => format!("{}: {}", it.environment, it.text),
            Self::Completed(it) => format!("{}: {}", it.environment, it.text),
            Self::Report(it) => it.summary.to_text(),
        }
    }
}
