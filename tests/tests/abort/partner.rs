//! Somebody else's service that a site's smoke test orders from: it can hold an order back, so that a test has all the time
//! that it needs while the release verifies.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crossfade_tests::Site;
use crossfade_tests::origin::Origin;

/// The service.
pub(crate) struct Partner {
    origin: Origin,
    held: Arc<Held>,
}

#[derive(Default)]
struct Held {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// Orders that pass before one is held; `None` holds none.
    after: Option<usize>,
    holding: bool,
}

impl Partner {
    pub(crate) fn new() -> Self {
        let held = Arc::new(Held::default());
        let its = Arc::clone(&held);
        let origin = Origin::new(move |request, wire| {
            if request.target == "/order" {
                its.pass();
            }
            wire.answer("201 Created", &[], r#"{"id":"o7"}"#);
        });
        Self { origin, held }
    }

    /// Adds a smoke test to the site: an order, which is cancelled at the end.
    pub(crate) fn take_part_in(&self, site: &Site) {
        site.append(&format!(
            "[[smoke]]\nname = \"order\"\n\
             steps = [{{ path = \"{0}/order\", timeout = \"60s\", capture = {{ id = \"/id\" }} }}]\n\
             cleanup = [{{ method = \"DELETE\", path = \"{0}/order/{{{{id}}}}\" }}]\n",
            self.origin.url()
        ));
    }

    /// Holds the order that comes after so many: 0 in the gate, 1 in the verification after the switch.
    pub(crate) fn hold(&self, after: usize) {
        *self.held.state.lock().unwrap() = State { after: Some(after), holding: false };
    }

    /// Waits until an order is held.
    #[track_caller]
    pub(crate) fn until_held(&self) {
        let state = self.held.state.lock().unwrap();
        let wait =
            self.held.changed.wait_timeout_while(state, Duration::from_secs(60), |state| !state.holding);
        assert!(!wait.unwrap().1.timed_out(), "no order came: {:?}", self.asked());
    }

    /// Lets it pass, and all others.
    pub(crate) fn release(&self) {
        *self.held.state.lock().unwrap() = State::default();
        self.held.changed.notify_all();
    }

    /// `METHOD target` of each request so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.origin
            .received()
            .iter()
            .map(|request| format!("{} {}", request.method, request.target))
            .collect()
    }
}

impl Held {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        match state.after {
            None => return,
            Some(0) => {}
            Some(more) => {
                state.after = Some(more - 1);
                return;
            }
        }
        *state = State { after: None, holding: true };
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| state.holding).unwrap());
    }
}
