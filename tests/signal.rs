//! The path of a signal: from a fault or a sender to a handler, and back.
//!
//! docs/paths/signal.md tells the path; the cases themselves are in `tests/user/src/bin/probe`.

mod stories;

use harness::{Exit, Vm};
use stories::{line_with, topic};

#[test]
fn pf_11_handlers_are_told_every_cell_of_the_table() {
    let outcome = topic("faultsig", 22);
    outcome.assert_no("segfault at");
    assert!(outcome.counter("segv_sent") >= 50, "the faults were there");
}

#[test]
fn handlers_mend_what_went_wrong() {
    topic("repair", 15);
}

#[test]
fn sf_6_forged_frames_harm_only_their_programs() {
    topic("forged", 10);
}

#[test]
fn sent_signals_reach_handlers_in_order() {
    topic("signals", 13);
}

#[test]
fn sy_7_blocked_calls_end_or_are_made_again() {
    topic("interrupt", 22);
}

#[test]
fn alarms_ring_when_they_should() {
    topic("alarm", 12);
}

/// A CPU without XSAVE: the frame holds 512 bytes, and no flag says more.
#[test]
fn a_processor_without_xsave_has_shorter_frames() {
    for topic in ["forged", "repair", "signals"] {
        let vm = Vm::new().qemu_arg("-cpu").qemu_arg("qemu64");
        let outcome = vm.init("probe", &[topic]).boot();
        outcome.expect_pass();
        outcome.assert_no("xsave");
    }
}

/// PF-13: a death is one line, with the file that holds the instruction; a storm of them is not.
#[test]
fn pf_13_deaths_are_told_with_the_object_and_not_without_end() {
    let outcome = Vm::new().init("probe", &["args", "peek", "16"]).boot();
    outcome.expect(Exit::Fail);
    line_with(
        &outcome,
        &["segfault at 10 ip ", " sp ", "error 4 in probe["],
    );
}
