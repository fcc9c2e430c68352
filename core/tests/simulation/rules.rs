//! What must hold in every run.

use std::fmt;

/// A rule of the machine, or of the whole: machine, KV and routers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    // What one runner does, whatever the world answers.
    /// Once a runner goes home, its tables give the new version no more than the table before, and are urgent.
    WeightsNeverRiseOnTheWayHome,
    /// Whoever finds its release at home gives nobody the new version again.
    HomeIsFinal,
    /// No step is left, and nothing settles, without a passed measurement in it, unless somebody overrules.
    NoStepWithoutAPass,
    /// A step lasts its hold, counted from when it was seen served, unless somebody hurries it.
    HoldsBeginWhenSeen,
    /// A step with a gate begins only after it was opened: approved, agreed to by the hook, or timed out where that counts as yes.
    GatesAreKept,
    /// Nobody goes home for want of an approval before its time is over, pauses not counted.
    GatesHaveTheirTime,
    /// A release that was paused by order goes no further until it is resumed or promoted.
    PausesHold,
    /// After somebody else's table was seen, nothing more is written.
    ForeignStopsUs,
    /// A write whose result is unknown is looked up before anything else.
    UnknownIsLookedUp,
    /// A failed measurement leads to a table with less of the new version, at once, unless the plan says to pause.
    FailuresAct,
    /// Too many measurements in a row that could not be taken bring traffic home.
    ErrorsAreLimited,
    /// Every table with shifted weights has a lease; only settled and home have none.
    ShiftsAreLeased,
    /// One revision has one content, and revisions of one runner never fall.
    RevisionsGrow,
    /// *Promoted* and *rolled back* are said only after the edge was seen to serve it.
    EndsAreSeen,
    /// Every order is answered once.
    OrdersAreAnswered,
    /// After a cancellation home is on its way within 6 s.
    CancelledInTime,
    /// Every run ends within what its plan grants, and so do its writes.
    EverythingEnds,
    /// A person is needed only where something made home impossible.
    StuckForAReason,

    // What visitors meet.
    /// A table gives visitors only to instances that have what it says.
    TablesTellTheTruth,
    /// Nobody is sent to an instance that is being replaced.
    NobodyMeetsAReplacement,
    /// No more visitors meet a bad new version than weights, propagation and leases allow.
    ExposureIsBounded,
    /// No location lapses while a live runner holds a step and nothing keeps it from renewing.
    LeasesAreRenewed,
    /// Within the propagation bound every router follows what KV holds.
    EverybodyFollows,
    /// When nobody renews a lease, everybody is home when it ends, clocks' difference allowed.
    LeasesBringHome,

    // How it ends.
    /// After *rolled back*, KV holds home, and after *promoted*, the new version, unless somebody else wrote.
    EndsAreLegal,
    /// What is left in KV is a valid table, without a lease unless its runner died, was stuck or was superseded.
    NothingIsLeftOver,
    /// Two runners of one release that live at the same time never both promote, with different tables.
    OneIsPromoted,
    /// Whoever takes a release over goes on from the step that was saved, never from the beginning.
    TakeoversGoOn,
    /// A release can be taken over as long as it has not ended.
    CanBeResumed,
}

/// A rule that did not hold.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) rule: Rule,
    pub(crate) how: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.how)
    }
}

impl Rule {
    /// Holds when `holds`.
    pub(crate) fn check(self, holds: bool, how: impl FnOnce() -> String) -> Result<(), Broken> {
        if holds { Ok(()) } else { Err(Broken { rule: self, how: how() }) }
    }
}
