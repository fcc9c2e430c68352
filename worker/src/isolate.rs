//! What this isolate knows: the table in force, and how its variants have answered here. Plain data only, because an I/O object
//! of one request may not be used in another.

use std::cell::RefCell;
use std::rc::Rc;

use crossfade_core::assign::Assignment;
use crossfade_core::breaker::Breaker;
use crossfade_core::rescue::Budget;
use crossfade_core::table::{Origin, Variant};
use crossfade_core::{RoutingTable, Timestamp};
use wasm_bindgen::JsValue;
use worker::js_sys::JsString;

use crate::settings::Settings;
use crate::stable::Held;

thread_local! {
    static ISOLATE: RefCell<Isolate> = const {
        RefCell::new(Isolate { table: None, held: None, checked_at: None, kv_hangs: false, trouble: None, tallies: Vec::new() })
    };
}

/// The isolate's memory.
pub(crate) struct Isolate {
    /// The newest table that was ever seen and made sense.
    pub(crate) table: Option<Rc<Ready>>,
    /// The same, as JavaScript holds it while answers are under way.
    held: Option<JsValue>,
    /// When KV was last asked. A time and not a flag: a read whose request was cancelled never comes back to clear one.
    pub(crate) checked_at: Option<Timestamp>,
    /// KV has let the first request of this isolate wait in vain.
    pub(crate) kv_hangs: bool,
    /// Why the last read gave no table.
    pub(crate) trouble: Option<String>,
    /// One for each variant of the table, in its order.
    tallies: Vec<Tally>,
}

/// How a variant has answered in this isolate.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    origin: Origin,
    /// Requests that were sent to it.
    pub(crate) requests: u64,
    /// Those that failed: no answer, or a 5xx.
    pub(crate) failures: u64,
    /// Failures that the visitor never saw.
    pub(crate) rescued: u64,
    /// Whether it gets requests.
    pub(crate) breaker: Breaker,
    /// How many of its failures may still be rescued.
    pub(crate) budget: Budget,
}

/// A table with all that the hot path needs made ready.
pub(crate) struct Ready {
    /// Who answers whom.
    pub(crate) assignment: Assignment,
    /// Index of the stable variant.
    pub(crate) stable: usize,
    /// What the header says, for each variant: in the ordinary case, and when the lease has run out.
    names: Vec<(JsString, JsString)>,
    /// The variants' origins.
    origins: Vec<JsString>,
    /// What the Worker was deployed with.
    settings: Rc<Settings>,
    /// Whether to take preview hosts' `noindex` away, for each variant.
    unindex: Vec<bool>,
}

/// Looks at the isolate's memory, or changes it. Not across an `await`.
pub(crate) fn with<T>(look: impl FnOnce(&mut Isolate) -> T) -> T {
    ISOLATE.with_borrow_mut(look)
}

/// Looks at how a variant has answered here, or notes it; see [`Isolate::tally`].
pub(crate) fn with_tally<T>(
    ready: &Rc<Ready>,
    index: usize,
    look: impl FnOnce(&mut Tally) -> T,
) -> Option<T> {
    with(|isolate| isolate.tally(ready, index).map(look))
}

/// A table as JavaScript holds it: made once for the one in force.
pub(crate) fn held(ready: &Rc<Ready>) -> JsValue {
    with(|isolate| {
        let new = || JsValue::from(Held(Rc::clone(ready)));
        match &isolate.table {
            Some(table) if Rc::ptr_eq(table, ready) => isolate.held.get_or_insert_with(new).clone(),
            Some(_) | None => new(),
        }
    })
}

impl Isolate {
    /// Puts a table in force unless a newer one already is: KV may answer with an older copy than before. What is known of
    /// the origins that stay is kept.
    pub(crate) fn take_over(&mut self, table: RoutingTable, settings: &Rc<Settings>) {
        self.trouble = None;
        let known = self.table.as_ref().map(|ready| ready.table().revision());
        if known.is_some_and(|known| known >= table.revision()) {
            return;
        }
        let tallies = table.variants().iter().map(|variant| {
            let known = self.tallies.iter().find(|tally| tally.origin == variant.origin);
            known.cloned().unwrap_or_else(|| Tally::new(variant.origin.clone()))
        });
        self.tallies = tallies.collect();
        self.table = Some(Rc::new(Ready::new(table, Rc::clone(settings))));
        self.held = None;
    }

    /// How a variant has answered here. `None` when another table came into force meanwhile that does not have its origin.
    pub(crate) fn tally(&mut self, ready: &Rc<Ready>, index: usize) -> Option<&mut Tally> {
        let in_force = self.table.as_ref().is_some_and(|table| Rc::ptr_eq(table, ready));
        if in_force {
            return self.tallies.get_mut(index);
        }
        let origin = &ready.variant(index)?.origin;
        self.tallies.iter_mut().find(|tally| tally.origin == *origin)
    }
}

impl Tally {
    const fn new(origin: Origin) -> Self {
        Self { origin, requests: 0, failures: 0, rescued: 0, breaker: Breaker::new(), budget: Budget::new() }
    }
}

impl Ready {
    fn new(table: RoutingTable, settings: Rc<Settings>) -> Self {
        let name = |variant: &Variant, lapsed| {
            JsString::from(header(variant.name.as_str(), variant.version.as_str(), &table, lapsed, ""))
        };
        let names = table.variants().iter().map(|it| (name(it, false), name(it, true))).collect();
        let origins = table.variants().iter().map(|it| it.origin.as_str().into()).collect();
        let unindex = table.variants().iter().map(|it| settings.unindexes(&it.origin)).collect();
        let stable = table.variants().iter().position(|it| it.name == table.stable().name).unwrap_or(0);
        Self { names, origins, unindex, stable, assignment: Assignment::new(table), settings }
    }

    /// The table.
    pub(crate) const fn table(&self) -> &RoutingTable {
        self.assignment.table()
    }

    /// A variant by its index.
    pub(crate) fn variant(&self, index: usize) -> Option<&Variant> {
        self.table().variants().get(index)
    }

    /// What the Worker was deployed with.
    pub(crate) const fn settings(&self) -> &Rc<Settings> {
        &self.settings
    }

    /// A variant's origin.
    pub(crate) fn origin(&self, index: usize) -> Option<&JsString> {
        self.origins.get(index)
    }

    /// What the header says of a variant's answer.
    pub(crate) fn name(&self, index: usize, lapsed: bool) -> Option<&JsString> {
        let (plain, late) = self.names.get(index)?;
        Some(if lapsed { late } else { plain })
    }

    /// Whether a preview host's `noindex` is taken away from a variant's answers.
    pub(crate) fn unindexes(&self, index: usize) -> bool {
        self.unindex.get(index).copied().unwrap_or(false)
    }
}

/// The response header: a Structured Field dictionary (RFC 9651).
pub(crate) fn header(name: &str, version: &str, table: &RoutingTable, lapsed: bool, more: &str) -> String {
    let lapsed = if lapsed { ", lapsed" } else { "" };
    format!("variant=\"{name}\", version=\"{version}\", revision={}{lapsed}{more}", table.revision())
}
