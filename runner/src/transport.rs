//! What all programs that speak HTTP need: which proxy, whether a request ever left this machine, when to come back.

use std::io::ErrorKind;
use std::time::Duration;

use crossfade_core::Timestamp;

/// The environment's proxy, for what is encrypted. Plain http with a token is for this machine only, and a proxy is another.
pub(crate) fn proxy(url: &str) -> Option<ureq::Proxy> {
    if is_plain(url) { None } else { ureq::Proxy::try_from_env() }
}

/// Whether it is not encrypted, and so of this machine.
pub(crate) fn is_plain(url: &str) -> bool {
    url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))
}

/// Whether it was surely never sent to anybody who could have acted on it: no such name, no way there, nothing to send.
pub(crate) fn never_sent(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::RequireHttpsOnly(_)
        | ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => true,
        ureq::Error::Io(error) => error.kind() == ErrorKind::ConnectionRefused || no_way_there(error),
        _ => false,
    }
}

/// Whether it says something about this machine and nothing about the site it was for.
pub(crate) fn our_own_fault(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::Timeout(ureq::Timeout::Resolve) => true,
        ureq::Error::Io(error) => no_way_there(error),
        _ => false,
    }
}

/// No network, or no such name. The standard library has no kind for a name that is not found, only its words.
fn no_way_there(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown
    ) || error.to_string().starts_with("failed to lookup address information")
}

/// What a `Retry-After` says: seconds, or a date (<https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3>).
pub(crate) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from_millis(date.timestamp().as_millisecond()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse("2026-01-31T12:00:00Z").unwrap();
        for (text, seconds) in [
            (" 30 ", Some(30)),
            ("0", Some(0)),
            ("Sat, 31 Jan 2026 12:01:00 GMT", Some(60)),
            ("Sat, 31 Jan 2026 11:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now).map(|after| after.as_secs()), seconds, "{text}");
        }
    }

    #[test]
    fn what_never_left_is_told_from_what_may_have_arrived() {
        let io = |kind: ErrorKind| ureq::Error::Io(kind.into());
        let lookup = ureq::Error::Io(std::io::Error::other(
            "failed to lookup address information: Name or service not known",
        ));
        for (error, sent_never, ours) in [
            (lookup, true, true),
            (io(ErrorKind::NetworkUnreachable), true, true),
            (io(ErrorKind::ConnectionRefused), true, false),
            (io(ErrorKind::ConnectionReset), false, false),
            (io(ErrorKind::UnexpectedEof), false, false),
            (ureq::Error::Timeout(ureq::Timeout::Connect), true, false),
            (ureq::Error::Timeout(ureq::Timeout::Global), false, false),
        ] {
            assert_eq!((never_sent(&error), our_own_fault(&error)), (sent_never, ours), "{error}");
        }
    }
}
