//! Ways out of this machine: through which proxy, and whether a request that got no answer ever took one.

use std::io::ErrorKind;

/// The environment's proxy, for what is encrypted. Plain http with a token is for this machine only, and a proxy is another.
pub(crate) fn proxy(url: &str) -> Option<ureq::Proxy> {
    let is_plain = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
    if is_plain { None } else { ureq::Proxy::try_from_env() }
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

#[cfg(test)]
mod tests {
    use super::*;

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
