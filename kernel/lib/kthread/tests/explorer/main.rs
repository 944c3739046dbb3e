//! Walks through every interleaving of a kernel thread with two owners and wake-ups that mean nothing.
//!
//! With all rules in place no wish is slept through, a parked thread stays where it is, and whoever waits
//! gets an answer; with any one rule left out some interleaving goes wrong.

mod machine;
mod search;

use machine::{Broken, Machine, Op};
use search::explore;

/// Every sequence of at most `len` of `ops`.
fn scripts(ops: &[Op], len: usize) -> Vec<Vec<Op>> {
    let mut all = vec![vec![]];
    let mut last: Vec<Vec<Op>> = all.clone();
    for _ in 0..len {
        last = last
            .iter()
            .flat_map(|script| ops.iter().map(|op| [script.as_slice(), &[*op]].concat()))
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// What the owner who parks may do, beside somebody who starts, stops and wakes.
fn all_machines(len: usize) -> impl Iterator<Item = Machine> {
    let parks = scripts(&[Op::Start, Op::Park, Op::Unpark, Op::Stop], len);
    let beside = scripts(&[Op::Start, Op::Stop, Op::Stray], 2);
    parks.into_iter().flat_map(move |first| {
        let pairs = beside.clone().into_iter();
        pairs.flat_map(move |second| [false, true].map(|ends| Machine::new(&first, &second, ends)))
    })
}

/// Returns the harm that comes of leaving a rule out.
fn harm_without(rule: Broken, first: &[Op], second: &[Op]) -> &'static str {
    let found = explore(&Machine::new(first, second, false), rule);
    found.map(|_| ()).expect_err("the rule is needed").what
}

#[test]
fn no_wish_is_slept_through_and_a_parked_thread_stays_parked() {
    let mut states = 0;
    for machine in all_machines(3) {
        let explored = explore(&machine, Broken::Nothing);
        states += explored.unwrap_or_else(|found| panic!("{found:?}"));
    }
    assert!(states > 100_000, "only {states} states were visited");
}

#[test]
fn two_owners_who_park_and_unpark_at_once_both_get_their_answers() {
    let scripts = scripts(&[Op::Park, Op::Unpark, Op::Stop], 2);
    for first in &scripts {
        for second in &scripts {
            let machine = Machine::new(first, second, true).with_two_parkers();
            explore(&machine, Broken::Nothing).unwrap_or_else(|found| panic!("{found:?}"));
        }
    }
}

#[test]
fn kt_1_a_thread_stopped_before_its_first_wake_never_runs_its_function() {
    let machine = Machine::new(&[Op::Stop], &[Op::Stray, Op::Stray], false);
    let ran = |machine: &Machine| machine.ran;
    assert_eq!(search::count(&machine, ran), 0);
    // Not vacuous: one that is started and then stopped may run, and may not.
    let machine = Machine::new(&[Op::Start, Op::Stop], &[], false);
    assert!(search::count(&machine, ran) > 0);
    let never = |machine: &Machine| machine.is_over() && !machine.ran;
    assert!(search::count(&machine, never) > 0);
}

#[test]
fn kt_3_who_parks_a_parked_thread_is_told_that_it_is_busy() {
    let machine = Machine::new(&[Op::Start, Op::Park, Op::Park], &[], false);
    let refused = |machine: &Machine| machine.refused_busy;
    assert!(search::count(&machine, refused) > 0);
}

const SLEPT: &str = "somebody waits for ever";
const WOKEN: &str = "a parked thread was woken by somebody else than unpark or stop";

#[test]
fn kt_2_a_body_that_looks_before_it_marks_itself_sleeps_through_a_stop() {
    let rule = Broken::BodyLooksFirst;
    assert_eq!(harm_without(rule, &[Op::Start, Op::Stop], &[]), SLEPT);
}

#[test]
fn kt_2_an_owner_who_wakes_before_the_change_is_slept_through() {
    let rule = Broken::OwnerWakesFirst;
    assert_eq!(harm_without(rule, &[Op::Start, Op::Stop], &[]), SLEPT);
}

#[test]
fn kt_2_a_stop_that_leaves_the_thread_parked_waits_for_ever() {
    let harm = harm_without(Broken::StopKeepsPark, &[Op::Park, Op::Stop], &[]);
    assert!(harm == SLEPT || harm == WOKEN, "{harm}");
}

#[test]
fn kt_3_a_thread_that_looks_before_it_marks_itself_parked_misses_the_unpark() {
    let script = [Op::Start, Op::Park, Op::Unpark, Op::Stop];
    let harm = harm_without(Broken::ParkLooksFirst, &script, &[]);
    assert!(harm == SLEPT || harm == WOKEN, "{harm}");
}

#[test]
fn kt_3_a_stray_wake_up_must_not_reach_a_parked_thread() {
    let rule = Broken::StrayWakesParked;
    assert_eq!(harm_without(rule, &[Op::Park], &[Op::Stray]), WOKEN);
}

#[test]
fn kt_3_an_unpark_that_leaves_the_thread_announced_as_parked_deceives_the_next_parker() {
    let script = [Op::Park, Op::Unpark, Op::Park];
    let rule = Broken::UnparkKeepsParked;
    assert_eq!(harm_without(rule, &script, &[]), WOKEN);
}

/// The thread may be on its way to look whether it parks, which everybody does who was just started.
#[test]
fn kt_3_an_unpark_that_nobody_needs_must_not_wake() {
    let rule = Broken::UnparkWakesAnyway;
    let harm = harm_without(rule, &[Op::Unpark, Op::Park], &[Op::Start]);
    assert_eq!(harm, WOKEN);
}
