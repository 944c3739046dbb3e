//! Arguments at every edge: Linux's answer in each cell of the tables that `tests/user/src/bin/edges` prints.

use harness::same_as_linux;

#[test]
fn calls_that_shape_memory_refuse_what_linux_refuses() {
    table("memory", 700);
}

#[test]
fn mremap_refuses_what_linux_refuses() {
    table("moves", 700);
}

#[test]
fn bad_pointers_are_refused_in_every_call_that_takes_one() {
    table("pointers", 90);
}

/// Compares a table, and insists that it has so many lines.
#[track_caller]
fn table(name: &str, at_least: usize) {
    let outcome = same_as_linux("edges", &[name]);
    let lines = outcome.program_output();
    assert!(lines.len() >= at_least, "only {} lines", lines.len());
}
