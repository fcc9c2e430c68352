//! The fence.

use super::*;

fn table(of: &str, revision: u64, runner: Option<(&str, u64)>) -> RoutingTable {
    let owner = runner.map(|(runner, generation)| Owner {
        runner: RunnerId::new("runner", runner).unwrap(),
        generation: Generation::new(generation),
    });
    let draft = base().draft();
    let (release, revision) = (ReleaseId::new("release", of).unwrap(), Revision::new(revision).unwrap());
    RoutingTable::new(table::Draft { release, revision, owner, ..draft }).unwrap()
}

#[test]
fn who_may_replace_what() {
    use WriteFailure::{Behind, Superseded};
    let nine = Revision::new(9).unwrap();
    let base = Revision::new(7);
    let successor = "revision 9 of release rel-new, which runner r2 has taken over,";
    for (found, base, expected) in [
        (None, None, Ok(())),
        (None, base, Err(Superseded("somebody deleted the routing table".into()))),
        (Some(table("rel-old", 7, None)), base, Ok(())),
        (Some(table("rel-old", 7, None)), None, Err(Superseded("revision 7 of release rel-old".into()))),
        (Some(table("rel-other", 8, None)), base, Err(Superseded("revision 8 of release rel-other".into()))),
        (
            Some(table("rel-other", 9, Some(("r1", 2)))),
            base,
            Err(Superseded("revision 9 of release rel-other".into())),
        ),
        // Our own, whatever its number: a write of ours that came late is ours to replace.
        (Some(table("rel-new", 8, Some(("r1", 2)))), base, Ok(())),
        (Some(table("rel-new", 9, Some(("r1", 2)))), base, Ok(())),
        // A runner that took over from us, or at the same time as we did.
        (Some(table("rel-new", 9, Some(("r2", 3)))), base, Err(Superseded(successor.into()))),
        (Some(table("rel-new", 9, Some(("r2", 2)))), base, Err(Superseded(successor.into()))),
        // One that we took over from.
        (Some(table("rel-new", 8, Some(("r2", 1)))), base, Ok(())),
        (Some(table("rel-new", 9, Some(("r2", 1)))), base, Err(Behind(nine))),
        (Some(table("rel-new", 9, None)), base, Err(Behind(nine))),
        (Some(table("rel-new", 8, None)), base, Ok(())),
    ] {
        let ours = table("rel-new", 9, Some(("r1", 2)));
        let answer = standing(found.as_ref().map(Writer::of).as_ref(), &ours, base);
        assert_eq!(answer, expected, "{found:?}");
    }
}

#[test]
fn one_that_is_behind_writes_above_what_it_found() {
    let mut scenario =
        Scenario::new(&[(100, 0)]).published([Err(WriteFailure::Behind(Revision::new(20).unwrap()))]);
    assert_eq!(scenario.run(), Outcome::Promoted);
    let revisions: Vec<u64> = scenario.tables.iter().map(|table| table.revision().number()).collect();
    assert_eq!(revisions, [8, 21, 22]);
}
