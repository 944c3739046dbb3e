//! Many CPUs: they come up, take messages, stop together; who does not come is told.

mod stories;

use harness::{Exit, Outcome, Vm};
use stories::{line_with, lines_with};

#[track_caller]
fn self_test(name: &str, cpus: u32, end: Exit) -> Outcome {
    let machine = Vm::new().smp(cpus).timeout(120);
    let outcome = machine.cmdline(&format!("test={name}")).boot();
    outcome.expect(end);
    outcome
}

/// All are up, take a thousand calls each, and stop for the comparison at the end.
#[track_caller]
fn come_up(cpus: u32, list: &str) {
    let outcome = self_test("messages", cpus, Exit::Pass);
    line_with(
        &outcome,
        &[&format!("smp: {cpus} of {cpus} CPUs are up: {list}; xAPIC")],
    );
    line_with(&outcome, &[&format!("{cpus} CPUs called 1000 times")]);
    assert_eq!(lines_with(&outcome, &[" smp: "]).len(), 1, "one line tells");
    let sent = outcome.counter("calls_sent");
    assert_eq!(sent > 0, cpus > 1, "{sent} calls sent");
}

#[test]
fn one_cpu_is_a_machine_too() {
    come_up(1, "0");
}

#[test]
fn two_cpus_come_up() {
    come_up(2, "0-1");
}

#[test]
fn four_cpus_come_up() {
    come_up(4, "0-3");
}

#[test]
fn eight_cpus_come_up() {
    come_up(8, "0-7");
}

#[test]
fn sixty_four_cpus_come_up() {
    come_up(64, "0-63");
}

#[test]
fn cpus_come_up_under_uefi() {
    let outcome = Vm::new().uefi().smp(3).cmdline("test=messages").boot();
    outcome.expect_pass();
    line_with(&outcome, &["smp: 3 of 3 CPUs are up: 0-2"]);
}

/// The order of instructions on several CPUs is given by the count, too.
#[test]
fn cpus_come_up_where_instructions_are_counted() {
    let outcome = Vm::new().icount().smp(2).cmdline("init=/bin/hello").boot();
    outcome.expect_pass();
    line_with(&outcome, &["smp: 2 of 2 CPUs are up: 0-1"]);
}

#[test]
fn maxcpus_leaves_the_others_off() {
    for (limit, line) in [
        ("2", "2 of 4 CPUs are up: 0-1"),
        ("1", "1 of 4 CPUs are up: 0"),
        ("0", "1 of 4 CPUs are up: 0"),
        ("9", "4 of 4 CPUs are up: 0-3"),
    ] {
        let machine = Vm::new().smp(4);
        let outcome = machine
            .cmdline(&format!("maxcpus={limit} init=/bin/hello"))
            .boot();
        outcome.expect_pass();
        line_with(&outcome, &[line]);
    }
}

/// The firmware lists places for CPUs that could be plugged in later.
#[test]
fn an_empty_place_is_no_cpu() {
    let machine = Vm::new().qemu_arg("-smp").qemu_arg("2,maxcpus=4");
    let outcome = machine.cmdline("init=/bin/hello").boot();
    outcome.expect_pass();
    line_with(&outcome, &["smp: 2 of 2 CPUs are up: 0-1"]);
}

#[test]
fn a_cpu_that_does_not_answer_is_told_and_left_out() {
    let outcome = self_test("absent_cpu", 2, Exit::Pass);
    line_with(
        &outcome,
        &[
            "ERROR",
            "the CPU with APIC 253 is left out: it does not answer",
        ],
    );
}

#[test]
fn a_kernel_stack_in_a_used_place_is_the_new_one_to_all() {
    self_test("kstack_reuse", 4, Exit::Pass);
}

#[test]
fn a_panic_elsewhere_stops_all() {
    let outcome = self_test("panic_elsewhere", 4, Exit::Panic);
    let marks = [" panic: ", "broken on purpose, elsewhere"];
    let (before, _) = line_with(&outcome, &marks)
        .split_once(marks[0])
        .expect("it has both");
    let cpu = before
        .rsplit(' ')
        .next()
        .expect("the CPU's name stands before");
    outcome.assert_no("do not stop");
    let told = outcome
        .kernel_lines()
        .skip_while(|line| !line.contains("on purpose"))
        .collect::<Vec<_>>();
    assert!(told.len() > 3, "it is reported");
    for line in told {
        let first = line.split(' ').next();
        assert_eq!(first, Some(cpu), "another CPU goes on: {line}");
    }
}

#[test]
fn of_cpus_that_panic_at_once_one_reports() {
    let outcome = self_test("panic_everywhere", 4, Exit::Panic);
    for mark in ["broken on purpose, everywhere", "the machine stops here"] {
        assert_eq!(lines_with(&outcome, &[mark]).len(), 1, "{mark}");
    }
}

#[test]
fn a_cpu_that_idles_has_no_tick() {
    let outcome = self_test("tickless", 8, Exit::Pass);
    line_with(&outcome, &["timer interrupts in two idle seconds"]);
}

#[test]
fn a_cpu_that_goes_gives_back_what_it_borrowed() {
    for cpus in [2, 4] {
        let outcome = self_test("hotplug", cpus, Exit::Pass);
        outcome.line_containing("hotplug ok rounds=20");
        assert!(lines_with(&outcome, &[" is back; ", "are up: "]).len() >= 20);
    }
}

/// The tour's programs run while the other CPUs idle, and are stopped before memory is compared.
#[test]
fn programs_run_beside_idle_cpus() {
    let outcome = Vm::new().smp(4).checked().boot();
    outcome.expect_pass().line_containing("End of the tour");
    outcome.assert_no("NOT SO");
    line_with(
        &outcome,
        &["cpus: cpu 0: context_switches ", " timer_interrupts "],
    );
}

#[test]
fn a_wait_for_a_lock_tells_the_owner_and_is_counted() {
    for cpus in [1, 2] {
        let outcome = self_test("waits", cpus, Exit::Pass);
        line_with(&outcome, &["one wait was counted"]);
        assert_eq!(outcome.counter("lock_pipe_sleeps"), 1);
    }
}

/// Threads touch fresh pages of one address space on four CPUs at once: none is lost, and every frame comes back. Others
/// map and unmap meanwhile, and next to no fault has to wait for that.
#[test]
fn threads_fault_in_one_address_space_at_once() {
    const PAGES: i64 = 4096;
    const TURNS: i64 = 5;
    let machine = Vm::new().smp(4).memory("512M").timeout(120);
    let outcome = machine.init("scale", &["1", "2", "4"]).boot();
    outcome.expect_pass();
    for row in ["compute", "apart", "together", "forked", "beside"].map(|row| format!("{row} ok")) {
        line_with(&outcome, &[&row]);
    }
    let zeroed = outcome.counter("fault_demand_zero") as i64;
    let least = (3 * (1 + 2 + 4) + 3) * PAGES * TURNS;
    assert!(zeroed >= least, "{zeroed} pages for {least}");
    // A processor of the host's may be gone just while its guest changes a mapping.
    let locked = outcome.counter("fault_locked") as i64;
    assert!(locked * 50 < zeroed, "{locked} of {zeroed} waited");
}
