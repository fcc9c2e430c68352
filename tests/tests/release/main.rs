//! Releases of the booking site, end to end: the real program, the sandbox's API, every version in the real Pages
//! runtime, the router in real workerd.

use crossfade_tests::Site;

#[test]
fn a_first_release_goes_live_and_a_second_one_takes_over() {
    let site = Site::new();
    site.deploy("1.0.0", &[]).expect(0);
    assert_eq!((site.served_version(), site.live()), ("1.0.0".into(), ("1.0.0".into(), true)));
    site.deploy("1.1.0", &[]).expect(0);
    assert_eq!((site.served_version(), site.live()), ("1.1.0".into(), ("1.1.0".into(), true)));
    assert_eq!(site.table().stable().name.as_str(), "green");
}
