//! The path of a page fault: what is answered with memory, what with a signal, what with EFAULT, what with an oops.
//!
//! docs/paths/page-fault.md tells the path; the cases themselves are in `tests/user/src/bin/probe`.

mod stories;

use harness::{Exit, Outcome};
use stories::{ends, line_with, passes, topic};

#[test]
fn pf_11_every_row_that_kills_kills_by_the_right_signal() {
    let outcome = topic("faults", 60);
    assert!(
        outcome.counter("segv_sent") >= 25,
        "page faults that killed are counted"
    );
    assert!(outcome.counter("sigbus_sent") >= 3, "SIGBUS is counted");
    pf_13_deaths_are_logged(&outcome);
}

/// A log line of a death names address, instruction, stack pointer and error code.
fn pf_13_deaths_are_logged(outcome: &Outcome) {
    for (addr, error) in [
        ("ffffffff80000000", "5"),
        ("ffffffff80000000", "7"),
        ("ffffffff80000000", "15"),
        ("7ffffffff000", "5"),
        ("7ffffffff000", "15"),
    ] {
        line_with(outcome, &["segfault at", addr, &format!("error {error}")]);
    }
    for error in ["error 4", "error 6", "error 7", "error 14", "error 15"] {
        line_with(outcome, &["segfault at", " ip ", " sp ", error]);
    }
    for kind in [
        "general protection",
        "invalid opcode",
        "divide error",
        "bus error",
    ] {
        outcome.line_containing(kind);
    }
}

#[test]
fn pf_14_bad_pointers_are_efault() {
    let outcome = topic("uaccess", 24);
    assert!(
        outcome.counter("fixups") > 100,
        "the exception table was used"
    );
}

#[test]
fn hf_10_sixteen_pages_are_copied_once_and_reused_once() {
    let outcome = topic("cow", 18);
    assert!(outcome.counter("cow_copied") >= 16 && outcome.counter("cow_reused") >= 16);
    assert!(
        outcome.counter("fault_zero_page") >= 16,
        "reads of fresh memory map the zero page"
    );
}

#[test]
fn hf_18_mprotect_to_writable_after_fork_leaks_nothing() {
    let outcome = passes("init=/bin/probe -- cow read_only_to_writable_after_fork");
    outcome.line_containing("ok cow read_only_to_writable_after_fork");
    assert!(
        outcome.counter("cow_copied") >= 16,
        "the child's writes were copies"
    );
}

#[test]
fn sg_the_stack_grows_by_touch_up_to_its_limit_and_keeps_its_gap() {
    let outcome = topic("stack", 18);
    assert!(
        outcome.counter("fault_stack_growth") > 768,
        "pages grown: {}",
        outcome.counter("fault_stack_growth")
    );
}

#[test]
fn hf_11_files_are_mapped_not_copied() {
    let outcome = topic("files", 17);
    assert!(outcome.counter("fault_file") > 0 && outcome.counter("fault_file_cow") > 0);
}

/// PF-12: a fault cannot be survived by being process 1; the machine ends and says so.
#[test]
fn pf_12_a_fault_of_process_1_ends_the_machine() {
    let outcome = ends("init=/bin/probe -- args peek 16", Exit::Fail);
    line_with(&outcome, &["segfault at", "error 4"]);
}

#[test]
fn nx_executing_kernel_data_is_an_oops() {
    oops_of("nx", &["fetch"]);
}

#[test]
fn smep_executing_user_memory_in_kernel_mode_is_an_oops() {
    oops_of("smep", &["SMEP"]);
}

#[test]
fn smap_reading_user_memory_outside_a_copy_is_an_oops() {
    oops_of("smap", &["SMAP"]);
}

#[test]
fn wp_writing_read_only_kernel_memory_is_an_oops() {
    oops_of("wp", &["write"]);
}

#[test]
fn an_oops_tells_registers_walk_task_and_backtrace() {
    let outcome = oops_of("oops", &["cr2"]);
    for piece in [
        "ffffe123456789ab",
        "walk: level 4",
        "rip",
        "task oops",
        "backtrace:",
        "#0",
        "audit: the upper halves",
    ] {
        outcome.line_containing(piece);
    }
}

/// The crime begins, an oops names it, and the machine ends with the oops' own exit code.
fn oops_of(test: &str, names: &[&str]) -> Outcome {
    let outcome = ends(&format!("test={test}"), Exit::Oops);
    line_with(&outcome, &["test:", &format!("{test} begins")]);
    for name in names {
        outcome.line_containing(name);
    }
    outcome.line_containing("page fault");
    outcome.assert_no("did not trap");
    outcome
}
