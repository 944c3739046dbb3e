//! The three modes of the commitment at their edges (VM-14).

use vma::Overcommit;

#[test]
fn the_heuristic_refuses_only_what_could_never_fit() {
    let mode = Overcommit::Heuristic;
    assert!(mode.allows(1000, u64::MAX, 1000, 50));
    assert!(!mode.allows(1001, 0, 1000, 50));
}

#[test]
fn always_refuses_nothing() {
    assert!(Overcommit::Always.allows(u64::MAX, u64::MAX, 1, 0));
}

#[test]
fn never_counts_all_promises_against_the_share() {
    let mode = Overcommit::Never;
    assert!(mode.allows(100, 400, 1000, 50));
    assert!(!mode.allows(101, 400, 1000, 50));
    assert!(!mode.allows(u64::MAX, 400, 1000, 50), "the sum wraps");
    assert!(mode.allows(u64::MAX - 1, 1, u64::MAX, 100));
}

#[test]
fn the_numbers_are_those_of_the_file() {
    let modes = [Overcommit::Heuristic, Overcommit::Always, Overcommit::Never];
    for (number, mode) in (0..).zip(modes) {
        assert_eq!(Overcommit::new(number), Some(mode));
        assert_eq!(mode as u64, number);
    }
    assert_eq!(Overcommit::new(3), None);
}
