//! The path of a system call: numbers, arguments, results, and a kernel stack for everybody who waits inside.

mod stories;

use harness::Vm;
use stories::topic;

#[test]
fn sy_2_small_calls_answer_as_linux_does() {
    let outcome = topic("calls", 13);
    assert!(outcome.counter("syscalls") > 1000);
}

#[test]
fn pipes_carry_end_block_and_poll() {
    topic("pipes", 9);
}

#[test]
fn events_are_counted_timed_and_told() {
    topic("events", 11);
    topic("selects", 4);
    topic("epolls", 15);
}

#[test]
fn sockets_carry_messages_with_files_in_them() {
    topic("unixes", 8);
    topic("letters", 10);
}

#[test]
fn bytes_go_from_file_to_file() {
    topic("splices", 10);
}

/// 003-3: each blocked process has a kernel stack of its own, or these would return each other's values.
#[test]
fn processes_blocked_at_different_depths_return_their_own_values() {
    let outcome = topic("blocked", 6);
    assert!(
        outcome.counter("forks") >= 100,
        "many processes were blocked"
    );
}

/// PF-14: whatever a program passes, the kernel may refuse or end the program, and goes on.
#[test]
fn random_calls_leave_the_machine_whole() {
    let outcome = Vm::new().init("probe", &["fuzz", "150"]).boot();
    outcome.expect_pass();
    outcome.line_containing("fuzz: the machine goes on: true, nothing stays behind: true");
    assert!(outcome.counter("syscalls") > 20_000, "the calls were made");
    assert!(outcome.counter("fixups") > 100, "and many had bad pointers");
}
