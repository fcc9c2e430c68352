//! One question to whoever measures, with its time-out and its further tries. What comes of it in the end is an answer or why there
//! is none, without any secret in it.

use std::io::Read as _;
use std::time::Duration;

use ureq::http;

use crate::cancel::Cancel;
use crate::cloudflare::excerpt;
use crate::probe;

/// The wait before a further try; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest answer that is read: half an hour of counts by the second.
const BODY_MAX: u64 = 32 * 1024 * 1024;

/// How long one try may take, and how many there are beside the first.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The most one try may take.
    pub within: Duration,
    /// Further tries.
    pub retries: u32,
}

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// Its JSON, if the status says that it is one.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        if !(200..300).contains(&self.status) {
            return Err(self.refused());
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            format!("the answer is not what it should be ({error}): {}", excerpt(&self.body))
        })
    }

    /// That it is no success.
    pub(super) fn refused(&self) -> String {
        format!("status {}: {}", self.status, excerpt(&self.body))
    }
}

impl Patience {
    /// Asks until there is an answer that is no trouble of the server's.
    pub(super) fn ask(
        self,
        cancel: &Cancel,
        request: &dyn Fn() -> http::request::Builder,
    ) -> Result<Answer, String> {
        self.again(cancel, &|| {
            let request =
                request().body(()).map_err(|error| (false, format!("no valid request: {error}")))?;
            let agent = probe::agent();
            let request = agent.configure_request(request).timeout_global(Some(self.within)).build();
            let mut response = agent.run(request).map_err(|error| (true, format!("no answer: {error}")))?;
            let status = response.status().as_u16();
            let mut body = Vec::new();
            let read = response.body_mut().as_reader().take(BODY_MAX).read_to_end(&mut body);
            read.map_err(|error| (true, format!("the answer broke off: {error}")))?;
            let answer = Answer { status, body };
            if status == 429 || status >= 500 { Err((true, answer.refused())) } else { Ok(answer) }
        })
    }

    /// Tries until it succeeds, or fails in a way that will not pass (`false`), or no try is left.
    pub(super) fn again<T>(
        self,
        cancel: &Cancel,
        attempt: &dyn Fn() -> Result<T, (bool, String)>,
    ) -> Result<T, String> {
        let mut tries = 0;
        loop {
            match attempt() {
                Ok(answer) => return Ok(answer),
                Err((may_pass, why)) => {
                    tries += 1;
                    let wait = FIRST_WAIT.saturating_mul(1 << (tries - 1).min(8));
                    if !may_pass || tries > self.retries || cancel.wait(wait) {
                        return Err(why);
                    }
                }
            }
        }
    }
}
