//! TLB shootdown, counted: who is asked to forget, and who is passed by (docs/tlb-shootdown.md).

mod stories;

use harness::{Outcome, Vm};

const ROUNDS: u64 = 1000;

#[track_caller]
fn boots(cpus: u32, cmdline: &str) -> Outcome {
    let machine = Vm::new().smp(cpus).timeout(120);
    let outcome = machine.cmdline(&format!("kstatd=0 {cmdline}")).boot();
    outcome.expect_pass();
    outcome
}

/// TLB-2: a CPU that went idle with the mm loaded is not interrupted when rights are taken away.
#[test]
fn tlb_2_an_idle_cpu_that_borrows_the_mm_is_passed_by() {
    let outcome = boots(2, &format!("init=/bin/probe -- shootdown asleep {ROUNDS}"));
    outcome.line_containing("shootdown: 1000 flips");
    let (sent, skipped) = (
        outcome.counter("ipi_sent"),
        outcome.counter("ipi_skipped_lazy"),
    );
    assert!(sent <= ROUNDS / 20, "{sent} interrupts for {ROUNDS} rounds");
    // At first the other thread is not asleep yet.
    assert!(skipped >= ROUNDS / 10 * 9, "{skipped} times passed by");
}

/// TLB-2: a CPU that runs the program is, each time.
#[test]
fn tlb_2_a_cpu_that_runs_the_program_is_interrupted_each_time() {
    let outcome = boots(2, &format!("init=/bin/probe -- shootdown awake {ROUNDS}"));
    outcome.line_containing("shootdown: 1000 flips");
    let sent = outcome.counter("ipi_sent");
    assert!(sent >= ROUNDS, "{sent} interrupts for {ROUNDS} rounds");
}

/// With one CPU there is nobody to interrupt.
#[test]
fn tlb_2_alone_nobody_is_interrupted() {
    let outcome = boots(1, "init=/bin/probe -- shootdown asleep 200");
    assert_eq!(outcome.counter("ipi_sent"), 0);
    assert_eq!(outcome.counter("calls_sent"), 0);
}

/// V-LZ-b: of the switches of a program that sleeps a lot, less than one in a hundred writes CR3.
#[test]
fn lz_12_a_sleeper_reloads_in_less_than_one_switch_of_a_hundred() {
    const NAPS: u64 = 1500;
    let vm = Vm::new().icount();
    let outcome = vm
        .cmdline(&format!("kstatd=0 init=/bin/probe -- naps {NAPS}"))
        .boot();
    outcome.expect_pass();
    let (switches, writes) = (
        outcome.counter("context_switches"),
        outcome.counter("cr3_writes"),
    );
    assert!(switches >= 2 * NAPS, "{switches} switches");
    assert!(writes * 100 < switches, "{writes} of {switches}");
}

/// LZ-8, MM-5: processes die while three CPUs borrow their memory; none of it stays behind.
#[test]
fn lz_8_memory_comes_back_from_idle_cpus_that_borrow_it() {
    const CPUS: u64 = 4;
    for lazy in ["counted", "shoot", "eager"] {
        let outcome = boots(
            CPUS as u32,
            &format!("lazy={lazy} init=/bin/probe -- shootdown borrowed 20"),
        );
        outcome.line_containing("shootdown: 20 processes ended, 0 address spaces stayed behind");
        let (unused, freed) = (outcome.counter("mm_unused"), outcome.counter("mm_freed"));
        assert!(unused >= 21, "{lazy}: {unused} address spaces ended");
        // Who has left an mm's tables already is not interrupted at its end, and must have given its reference back.
        assert!(unused - freed <= 1, "{lazy}: {freed} of {unused} are freed");
        let grabs = outcome.counter("lazy_grab");
        assert_eq!(
            grabs == 0,
            lazy == "shoot",
            "{lazy}: {grabs} references taken"
        );
    }
}

/// LZ-12: with the look at the generation left out, threads on other CPUs do meet what was taken away.
#[test]
fn lz_12_without_the_generation_check_threads_meet_what_is_gone() {
    let vm = Vm::new().smp(4).checked().timeout(300);
    let broken = vm.cmdline("kstatd=0 tlb=buggy_lazy");
    let cases = ["20", "lazy_idle_then_wake", "unmapped"];
    let outcome = broken.init("torture", &cases).boot();
    outcome.line_containing("FAIL torture ");
}
