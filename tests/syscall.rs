//! The path of a system call: numbers, arguments, results, and a kernel stack for everybody who waits inside.

mod stories;

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

/// 003-3: each blocked process has a kernel stack of its own, or these would return each other's values.
#[test]
fn processes_blocked_at_different_depths_return_their_own_values() {
    let outcome = topic("blocked", 6);
    assert!(
        outcome.counter("forks") >= 100,
        "many processes were blocked"
    );
}
