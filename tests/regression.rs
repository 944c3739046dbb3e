//! Bugs that were, each with the test that would have shown it.

mod stories;

use harness::Vm;
use stories::line_with;

/// fork once evaluated the copies of three locked fields in one expression, so that their guards, all of one
/// rank, overlapped. The rank checker, which only the checked kernel has, names such a pair.
#[test]
fn every_probe_holds_under_the_kernel_with_every_check_it_has() {
    let outcome = Vm::new().checked().init("probe", &["all"]).boot();
    outcome.expect_pass();
    outcome.line_containing(" ok, 0 failed");
    outcome.assert_no("lock order");
}

/// A task that a tick preempted between marking itself as blocked and queueing up where a waker would look was taken
/// off the CPU for good: process 1 hung in its first wait4, once in some hundred boots on a busy machine.
#[test]
fn a_task_preempted_on_its_way_to_sleep_comes_back() {
    let outcome = Vm::new()
        .cmdline("test=preempted_sleeper")
        .timeout(20)
        .boot();
    outcome.expect_pass();
    line_with(&outcome, &["test: ", "preempted_sleeper ok turns="]);
}

/// Leaving, unmapping, forking or showing tens of thousands of mappings once listed them all in one allocation: on a
/// small machine that failed, and a failed allocation ends the kernel.
#[test]
fn sixty_thousand_mappings_do_not_starve_a_small_kernel() {
    let outcome = Vm::new().init("probe", &["mappings"]).memory("42M").boot();
    outcome.expect_pass();
    outcome.line_containing("mappings: made ");
}

/// A log line that names a task took the lock of its name under the console's, which the rank checker does not allow.
#[test]
fn tasks_can_be_named_in_every_line_of_the_log() {
    let vm = Vm::new().checked().cmdline("loglevel=debug");
    let outcome = vm.init("probe", &["null"]).boot();
    outcome.expect_pass();
    outcome.assert_no("lock order");
}
