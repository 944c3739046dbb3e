//! The path of a boot: firmware to first program, and every way it can be spoiled without a hang or a wild fault.

mod stories;

use harness::{Exit, Outcome, Vm};
use stories::{ends, line_with, lines_with, passes};

const HELLO: &str = "init=/bin/hello";
const SAID: &str = "Hello, Lodger! I am process 1,";

#[test]
fn bios_boots_to_a_program() {
    passes(HELLO).line_containing(SAID);
}

#[test]
fn uefi_boots_to_a_program() {
    let outcome = Vm::new().uefi().cmdline(HELLO).boot();
    outcome.expect_pass().line_containing(SAID);
}

#[test]
fn the_packed_image_needs_nothing_beside_it() {
    let outcome = Vm::new().packed().boot();
    outcome
        .expect_pass()
        .line_containing("End of the tour: 7 of 7 stops held.");
}

#[test]
fn a_second_processor_does_no_harm() {
    let outcome = Vm::new().smp(2).cmdline(HELLO).boot();
    outcome.expect_pass().line_containing(SAID);
}

/// This machine has 2 GiB below the hole for devices; the third lies above 4 GiB.
#[test]
fn memory_above_4_gib_is_used() {
    let outcome = Vm::new().memory("3G").cmdline(HELLO).boot();
    outcome.expect_pass().line_containing(SAID);
    let frames = outcome.counter("frames_total");
    assert!(frames > 700_000, "only {frames} frames");
}

/// Time is what instructions count, so nothing is left that could differ.
#[test]
fn a_counted_run_repeats_to_the_last_line() {
    let run = || Vm::new().icount().init("probe", &["cow"]).boot();
    let (first, second) = (run(), run());
    first.expect_pass();
    assert_eq!(first.log, second.log);
}

#[test]
fn the_tour_holds_at_every_stop() {
    let outcome = passes("");
    outcome.line_containing("End of the tour: 7 of 7 stops held.");
    outcome.assert_no("NOT SO");
    line_with(&outcome, &["kstatd: ", "lodging in mm"]);
    outcome.line_containing("audit ok");
    assert!(outcome.counter("cow_copied") >= 16 && outcome.counter("fault_stack_growth") > 0);
}

#[test]
fn the_boot_tells_its_story_in_under_40_lines() {
    let outcome = passes(HELLO);
    let told = outcome
        .log
        .lines()
        .take_while(|line| !line.contains(SAID))
        .count();
    assert!(
        (5..40).contains(&told),
        "{told} lines before the first program:\n{}",
        outcome.log
    );
}

#[test]
fn the_protections_of_the_cpu_are_on() {
    let outcome = passes(HELLO);
    let told = line_with(&outcome, &["cpu: "]).to_lowercase();
    for feature in ["nx", "smep", "smap", "umip"] {
        assert!(told.contains(feature), "no word of {feature}: {told}");
    }
}

#[test]
fn a_missing_init_is_named() {
    let outcome = ends("init=/bin/nobody", Exit::Fail);
    line_with(
        &outcome,
        &["ERROR", "/bin/nobody cannot be started", "no such file"],
    );
}

#[test]
fn an_initramfs_without_init_is_a_clear_message() {
    let outcome = Vm::new()
        .initramfs(|entries| entries.retain(|entry| entry.name != "init"))
        .boot();
    outcome.expect(Exit::Fail);
    line_with(
        &outcome,
        &["ERROR", "/init cannot be started", "no such file"],
    );
}

#[test]
fn a_truncated_initramfs_is_a_clear_message() {
    for keep in [(0, 1), (1, 1000), (1, 2), (9, 10)] {
        let outcome = Vm::new()
            .initramfs_mutated(|bytes| bytes.truncate(bytes.len() * keep.0 / keep.1 + 7))
            .boot();
        refuses(&outcome, "initramfs");
    }
}

#[test]
fn a_spoiled_initramfs_is_a_clear_message() {
    refuses(
        &Vm::new().initramfs_mutated(|bytes| bytes[5] = b'8').boot(),
        "initramfs",
    );
    refuses(
        &Vm::new().initramfs_mutated(|bytes| bytes[60] = b'?').boot(),
        "initramfs",
    );
    refuses(
        &Vm::new().initramfs_bytes(&[0xa5; 50_000]).boot(),
        "initramfs",
    );
    refuses(&Vm::new().initramfs_bytes(&[0]).boot(), "initramfs");
}

/// The machine ends by the kernel's word, for the reason it names, and not through a fault.
#[track_caller]
fn refuses(outcome: &Outcome, reason: &str) {
    if !matches!(outcome.exit, Exit::Fail | Exit::Panic) {
        outcome.fail(&format!("a refusal was expected, not: {}", outcome.exit));
    }
    outcome.line_containing(reason);
    outcome
        .assert_no("page fault")
        .assert_no("general protection")
        .assert_no("double fault");
}

#[test]
fn thirty_two_mib_of_memory_suffice_for_a_program() {
    let outcome = Vm::new().memory("32M").cmdline(HELLO).boot();
    match outcome.exit {
        Exit::Pass => assert!(outcome.log.contains(SAID)),
        _ => refuses(&outcome, "memory"),
    }
}

#[test]
fn too_little_memory_is_said_in_words() {
    for size in ["24M", "16M"] {
        let outcome = Vm::new().memory(size).timeout(10).cmdline(HELLO).boot();
        match outcome.exit {
            Exit::Pass => assert!(outcome.log.contains(SAID)),
            // With this little the firmware or the bootloader may be the one that gives up.
            Exit::Timeout | Exit::Qemu(_) => {
                assert!(!outcome.log.contains("cpu0 "), "{}", outcome.log)
            }
            _ => refuses(&outcome, "memory"),
        }
    }
}

#[test]
fn a_command_line_that_is_too_long_is_cut_and_told() {
    let outcome = passes(&format!("{HELLO} {}", "x".repeat(9000)));
    outcome.line_containing(SAID);
    line_with(&outcome, &["command line"]);
}

#[test]
fn absurd_command_lines_are_survived() {
    let absurd: [&[u8]; 5] = [
        b"= == === loglevel=loudest",
        b"\"\"\" \" ",
        b"kstatd=-5 lazy=maybe init init= test",
        "\u{1f40c}=\u{1f40c}".as_bytes(),
        b"\xff\xfe\x80 \x01\x02 a=\xc3\x28",
    ];
    for bytes in absurd {
        let outcome = Vm::new()
            .cmdline_bytes(bytes)
            .cmdline("\" ")
            .cmdline(HELLO)
            .boot();
        if !matches!(outcome.exit, Exit::Pass | Exit::Fail) {
            outcome.fail("neither a pass nor a refusal");
        }
        outcome.assert_no("page fault").assert_no("panic");
    }
}

#[test]
fn a_kernel_stack_overflow_is_named() {
    let outcome = ends("test=kstack_overflow", Exit::Panic);
    line_with(
        &outcome,
        &["kernel stack overflow in task kstack_overflow", "stack "],
    );
    outcome.line_containing("double fault");
    outcome.line_containing("backtrace:");
    assert!(
        lines_with(&outcome, &["  #"]).len() >= 3,
        "the backtrace has frames"
    );
}

#[test]
fn a_panic_states_the_invariant_and_where() {
    let outcome = ends("test=panic", Exit::Panic);
    line_with(
        &outcome,
        &["this invariant is broken on purpose", "crimes.rs:"],
    );
    outcome.line_containing("backtrace:");
    outcome.line_containing("audit: the upper halves");
}

#[test]
fn an_unknown_test_lists_those_there_are() {
    let outcome = Vm::new().cmdline("test=nonsense").boot();
    refuses(&outcome, "nonsense");
    line_with(&outcome, &["nonsense", "khalf", "lazy", "zombie"]);
}

#[test]
fn a_kernel_that_hangs_is_ended_by_the_clock() {
    let outcome = Vm::new().cmdline("test=watchdog").timeout(10).boot();
    line_with(&outcome, &["test: ", "watchdog begins"]);
    assert!(
        matches!(outcome.exit, Exit::Timeout | Exit::Watchdog),
        "{}",
        outcome.exit
    );
}
