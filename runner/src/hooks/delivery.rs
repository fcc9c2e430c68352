//! A document for a webhook that is only told something: delivered, or tried again for as long as that may help.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::webhook::{self, Reply};
use super::{NoAnswer, Phase};
use crate::cancel::Cancel;
use crate::cloudflare::excerpt;
use crate::config::{Action, Hook};
use crate::context::Context;
use crate::retry::{Policy, jitter};

/// A webhook, and what it takes to tell it.
pub(crate) struct Delivery {
    hook: Hook,
    context: Arc<Context>,
    cancel: Cancel,
    /// The last document was not delivered after all its tries: the next one is tried once, so that they do not pile up.
    dead: bool,
}

impl Delivery {
    pub(crate) const fn new(hook: Hook, context: Arc<Context>, cancel: Cancel) -> Self {
        Self { hook, context, cancel, dead: false }
    }
}

/// Sends a document until it is delivered, refused for good, or given up. It is the same to the byte each time.
///
/// # Errors
/// Why it was not delivered; no secret is in it.
pub(crate) fn deliver(delivery: &mut Delivery, document: Value) -> Result<(), String> {
    let retries = if delivery.dead { 0 } else { delivery.hook.retries() };
    let policy = Policy {
        attempts_max: retries + 1,
        first_wait: Duration::from_millis(500),
        wait_max: Duration::from_secs(30),
        within: Duration::MAX,
    };
    let mut tries = 0;
    let delivered = loop {
        tries += 1;
        let (why, retry_after) = match try_once(delivery, &document) {
            Ok(()) => break Ok(()),
            Err(Undelivered::ForGood(why)) => break Err(why),
            Err(Undelivered::ForNow(why, retry_after)) => (why, retry_after),
        };
        match policy.wait(tries, retry_after, jitter()) {
            Some(wait) if !delivery.cancel.wait(wait) => {}
            Some(_) | None => break Err(why),
        }
    };
    delivery.dead = delivered.is_err();
    delivered
}

/// Why a try failed.
#[derive(Debug, PartialEq, Eq)]
enum Undelivered {
    /// Another try may not; with how long to wait before it.
    ForNow(String, Option<Duration>),
    /// Another one would too.
    ForGood(String),
}

fn try_once(delivery: &Delivery, document: &Value) -> Result<(), Undelivered> {
    let Delivery { hook, context, cancel, .. } = delivery;
    let Action::Webhook(webhook) = &hook.action else {
        return Err(Undelivered::ForGood("internal error: it is no webhook".into()));
    };
    let sent = webhook::send(webhook, document, hook.timeout(Phase::Event), context, cancel);
    let reply = sent.map_err(|no_answer| match no_answer {
        NoAnswer::Error(why) => Undelivered::ForNow(why, None),
        NoAnswer::Cancelled(reason) => Undelivered::ForGood(reason),
    })?;
    let said = context.redact(&String::from_utf8_lossy(&reply.body));
    let why = || format!("{}: status is {}: {}", webhook.place(), reply.status, excerpt(said.as_bytes()));
    meaning(&reply, why)
}

/// 2xx is delivered. What is too slow, too busy or broken may not be so the next time.
fn meaning(reply: &Reply, why: impl FnOnce() -> String) -> Result<(), Undelivered> {
    match reply.status {
        200..300 => Ok(()),
        408 | 425 | 429 | 500.. => Err(Undelivered::ForNow(why(), reply.retry_after)),
        _ => Err(Undelivered::ForGood(why())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whether_another_try_may_help() {
        let after = Some(Duration::from_secs(7));
        for (status, wanted) in [
            (200, "delivered"),
            (204, "delivered"),
            (302, "for good"),
            (400, "for good"),
            (401, "for good"),
            (404, "for good"),
            (410, "for good"),
            (408, "for now"),
            (425, "for now"),
            (429, "for now"),
            (500, "for now"),
            (503, "for now"),
        ] {
            let reply = Reply { status, retry_after: after, body: Vec::new() };
            let said = match meaning(&reply, String::new) {
                Ok(()) => "delivered",
                Err(Undelivered::ForGood(_)) => "for good",
                Err(Undelivered::ForNow(_, wait)) => {
                    assert_eq!(wait, after, "it is believed");
                    "for now"
                }
            };
            assert_eq!(said, wanted, "{status}");
        }
    }
}
