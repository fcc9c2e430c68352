//! Commands that only ask: somebody who cancels one need not wait for an answer that is on its way.

use std::time::Duration;

use crate::beside::{Beside, Waited};
use crate::cancel::Cancel;
use crate::error::Error;

/// How long a question that is left with nothing to put in order may take to notice.
pub(super) const AT_ONCE: Duration = Duration::from_millis(500);

/// Asks, and leaves when somebody cancels: after `leave_after`, or at once when somebody cancels again. What is left
/// behind ends with the process.
pub(super) fn left_when_cancelled(
    cancel: &Cancel,
    leave_after: Duration,
    ask: impl FnOnce() -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let asking = Beside::start(ask);
    let ended = match asking.wait(cancel, None) {
        Waited::Cancelled(reason) => {
            let _ = asking.wait(&cancel.further(), Some(leave_after));
            return Err(Error::Interrupted(reason));
        }
        ended => ended,
    };
    match (ended, cancel.reason()) {
        (Waited::Ended(Ok(())), _) => Ok(()),
        // What fails once somebody has cancelled fails because of that.
        (_, Some(reason)) => Err(Error::Interrupted(reason)),
        (Waited::Ended(result), None) => result,
        (Waited::NotYet | Waited::Cancelled(_) | Waited::Panicked, None) => {
            let source = std::io::Error::other("the command panicked");
            Err(Error::Io { doing: "internal error".into(), source })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_cancels_does_not_wait_for_the_answer() {
        let cancel = Cancel::default();
        cancel.cancel("SIGINT");
        let (_answers, never) = std::sync::mpsc::channel::<()>();
        let asked = left_when_cancelled(&cancel, Duration::ZERO, move || {
            let _ = never.recv();
            Ok(())
        });
        assert_eq!(asked.unwrap_err().to_string(), "cancelled (SIGINT)");
    }

    #[test]
    fn an_answer_in_time_is_the_answer() {
        let cancel = Cancel::default();
        left_when_cancelled(&cancel, AT_ONCE, || Ok(())).unwrap();
        let refused = || Err(Error::Usage("no".into()));
        assert_eq!(left_when_cancelled(&cancel, AT_ONCE, refused).unwrap_err().to_string(), "no");
    }
}
