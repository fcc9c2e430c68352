// What the examples begin with, where a rollout is not what they are about: 1.6.0 goes to green in one step.
{
    use crossfade_core::table::{AffinityBy, Generation, Origin, Owner, Policy, ReleaseId, RunnerId, VariantName, Version, Weight};
    use crossfade_core::{RoutingTable, rollout};

    let json = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/example.json"));
    let before = RoutingTable::parse(json).unwrap();
    let base = before.at_rest(before.release().clone(), before.updated_at());
    let shift = rollout::Shift::Canary(Weight::TOTAL);
    let steps = vec![rollout::Step { shift, hold: std::time::Duration::ZERO, gates: vec![] }];
    let plan = rollout::Plan::new(rollout::Draft { steps, ..rollout::Draft::default() }).unwrap();
    let canary = rollout::Canary {
        environment: base.environment().clone(),
        name: VariantName::new("name", "green").unwrap(),
        origin: Origin::new("origin", "https://9a8b7c6d.booking.pages.dev").unwrap(),
        version: Version::new("version", "1.6.0").unwrap(),
        affinity: AffinityBy::default(),
        policy: Policy::default(),
    };
    let owner = Owner { runner: RunnerId::new("runner", "3f9c21").unwrap(), generation: Generation::FIRST };
    let release = ReleaseId::new("release", "rel-8").unwrap();
    rollout::Rollout::new(plan, Some(base), rollout::Subject::Canary(canary), release, owner).unwrap()
}
