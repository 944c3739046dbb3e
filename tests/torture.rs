//! Threads on all processors use memory that one of them changes: nobody reads what is gone, or writes where they may not.
//!
//! Each run is bounded by rounds; how long they take depends on how much of the host the machine gets.

mod stories;

use harness::{Outcome, Vm};
use stories::holds;

/// Cases that `torture` has.
const CASES: usize = 19;

fn torture(cpus: u32, rounds: &str) -> Outcome {
    let vm = Vm::new().smp(cpus).timeout(500).cmdline("kstatd=0");
    let outcome = vm.init("torture", &[rounds]).boot();
    outcome.expect_pass();
    outcome.line_containing(&format!("torture: {CASES} ok, 0 failed"));
    outcome
}

#[test]
fn one_processor_is_as_true_as_linux() {
    holds("torture", &["10"], CASES);
}

#[test]
fn no_translation_is_stale_on_two_processors() {
    torture(2, "10");
}

#[test]
fn no_translation_is_stale_on_four_processors() {
    torture(4, "6");
}

#[test]
fn no_translation_is_stale_on_eight_processors() {
    torture(8, "2");
}

/// The threads of a C library, with their locks, on four processors.
#[test]
fn threads_of_a_library_run_on_four_processors() {
    let vm = Vm::new().smp(4).timeout(300).init("pthreads", &[]);
    let outcome = vm.boot();
    outcome.expect_pass();
    outcome.assert_no("FAIL ");
}

/// Whatever holds on one processor, counts of faults included, holds on four.
#[test]
fn every_case_holds_on_four_processors() {
    let vm = Vm::new().smp(4).timeout(300).init("probe", &["all"]);
    let outcome = vm.boot();
    outcome.expect_pass();
    outcome.line_containing(", 0 failed");
}

/// Numbers, signals, stops, ends and futexes, on four processors.
#[test]
fn threads_are_the_same_on_four_processors() {
    for topic in ["threads", "crews", "futexes"] {
        let vm = Vm::new().smp(4).timeout(300).init("probe", &[topic]);
        let outcome = vm.boot();
        outcome.expect_pass();
        outcome.line_containing(", 0 failed");
    }
}
