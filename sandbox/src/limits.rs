//! What Cloudflare keeps its users to: tokens of uploads that run out, rates, numbers.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Rates. Off from the start: a sandbox lives for seconds, and tests are in a hurry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Writes of one KV key have to be a second apart
    /// (<https://developers.cloudflare.com/kv/platform/limits/>).
    pub kv_key_writes: bool,
    /// How many calls in how long; what is above blocks all calls for as long again. Cloudflare's own are 1,200 in five minutes
    /// (<https://developers.cloudflare.com/fundamentals/api/reference/limits/>).
    pub calls: Option<(usize, Duration)>,
}

/// What tokens of uploads are like.
#[derive(Clone, Copy, Debug)]
pub struct UploadTokens {
    /// Seconds until they run out, by their own claim.
    pub seconds: i64,
    /// Seconds by which the service's clock, which that claim is made and judged by, is ahead of the client's.
    pub clock: i64,
    /// Calls that one is good for, whatever it claims: so it looks when the client's clock is behind.
    pub calls: Option<u32>,
    /// How one that has run out is refused.
    pub refusal: Refusal,
    /// Files that a deployment may have, as they claim.
    pub files_max: usize,
}

/// How Cloudflare refuses a token; both have been seen
/// (<https://github.com/cloudflare/workers-sdk/issues/3773>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 401 and an envelope with code 8000013.
    Json,
    /// 403 and the text `Expired JWT`.
    Text,
}

impl Default for UploadTokens {
    fn default() -> Self {
        // Cloudflare's tokens are reported to count for minutes; 20,000 files are the free plan's.
        Self { seconds: 300, clock: 0, calls: None, refusal: Refusal::Json, files_max: 20_000 }
    }
}

/// The limits in force and what was counted against them.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    limits: Limits,
    pub(crate) tokens: UploadTokens,
    /// When the calls of the last while were.
    calls: VecDeque<Instant>,
    blocked_until: Option<Instant>,
    token_calls: HashMap<String, u32>,
}

impl Counted {
    pub(crate) fn set(&mut self, limits: Limits) {
        *self = Self { limits, tokens: self.tokens, ..Self::default() };
    }

    pub(crate) const fn set_tokens(&mut self, tokens: UploadTokens) {
        self.tokens = tokens;
    }

    pub(crate) const fn kv_key_writes(&self) -> bool {
        self.limits.kv_key_writes
    }

    /// Counts a call; how long to wait when it is one too many.
    pub(crate) fn call(&mut self, now: Instant) -> Result<(), Duration> {
        let Some((max, window)) = self.limits.calls else { return Ok(()) };
        if let Some(until) = self.blocked_until.filter(|until| *until > now) {
            return Err(until.duration_since(now));
        }
        while self.calls.front().is_some_and(|at| now.duration_since(*at) >= window) {
            self.calls.pop_front();
        }
        if self.calls.len() >= max {
            self.blocked_until = Some(now + window);
            return Err(window);
        }
        self.calls.push_back(now);
        Ok(())
    }

    /// Counts a call with an upload's token; whether it is still good.
    pub(crate) fn token_call(&mut self, token: &str) -> bool {
        let calls = self.token_calls.entry(token.to_owned()).or_default();
        *calls += 1;
        self.tokens.calls.is_none_or(|max| *calls <= max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_too_many_blocks_all_calls_for_a_while() {
        let mut counted = Counted::default();
        counted.set(Limits { calls: Some((2, Duration::from_secs(300))), ..Limits::default() });
        let start = Instant::now();
        let mut at =
            |seconds| counted.call(start + Duration::from_secs(seconds)).map_err(|left| left.as_secs());
        assert_eq!([at(0), at(1), at(2), at(150)], [Ok(()), Ok(()), Err(300), Err(152)]);
        assert_eq!([at(301), at(302), at(303)], [Err(1), Ok(()), Ok(())]);
    }
}
