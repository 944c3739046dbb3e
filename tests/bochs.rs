//! In Bochs, whose processors have what QEMU's translator has not: PCIDs, INVPCID, x2APIC. Boots are slow there, so each of
//! these tests tells many things.
//!
//! Bochs takes what is said about PCIDs, with all its checks, and drops everything at each write to CR3 nevertheless: that what is
//! kept is true is shown by tests/mmu. What stays in its TLB over a borrow is really there.

mod stories;

use harness::{Outcome, Vm};

/// Returns how much a counter grew during one part of `probe pcids`.
#[track_caller]
fn grew(outcome: &Outcome, part: &str, counter: &str) -> u64 {
    let line = outcome.line_containing(&format!("# {part}:"));
    let word = stories::word_after(line, counter);
    word.and_then(|word| word.parse().ok())
        .unwrap_or_else(|| outcome.fail(&format!("{part} does not tell {counter}")))
}

/// Two processes take turns: each comes back to a slot that is up to date, and one whose memory was taken away
/// meanwhile as well, for INVPCID has taken it out of the slot.
#[test]
fn tlb_6_a_return_within_its_slot_drops_nothing() {
    const TURNS: u64 = 100;
    let vm = Vm::new().bochs().memory("64M").cmdline("kstatd=0");
    let outcome = vm.init("probe", &["pcids", "100"]).boot();
    outcome.expect_pass();
    outcome.line_containing(" pge pcid invpcid ");
    outcome.line_containing("1 of 1 CPUs are up: 0; x2APIC");
    for part in ["plain", "cut"] {
        let told = |counter| grew(&outcome, part, counter);
        let (writes, kept) = (told("cr3_writes"), told("cr3_kept"));
        assert!(writes >= 2 * TURNS, "{part}: {writes} writes");
        assert!(writes - kept <= 4, "{part}: {kept} of {writes} kept");
        assert!(told("pcids_recycled") <= 2);
    }
    assert!(grew(&outcome, "plain", "invpcids") <= 4);
    assert!(grew(&outcome, "cut", "invpcids") >= TURNS);
}

/// Without INVPCID the slot is compared when it is used again, and dropped. The APIC is left as a page of memory.
#[test]
fn tlb_6_a_slot_that_missed_a_flush_is_dropped() {
    const TURNS: u64 = 50;
    let vm = Vm::new().bochs().memory("64M").smp(2);
    let vm = vm.cmdline("kstatd=0 noinvpcid nox2apic");
    let outcome = vm.init("probe", &["pcids", "50"]).boot();
    outcome.expect_pass();
    outcome.line_containing("2 of 2 CPUs are up: 0-1; xAPIC");
    outcome.assert_no("invpcid smep");
    let dropped = |part| grew(&outcome, part, "cr3_writes") - grew(&outcome, part, "cr3_kept");
    assert!(dropped("plain") <= 4, "{} dropped", dropped("plain"));
    let cut = dropped("cut");
    assert!((TURNS..=TURNS + 4).contains(&cut), "{cut} dropped");
    assert_eq!(outcome.counter("invpcids"), 0);
}

/// Threads on four processors, messages by x2APIC, and slots.
#[test]
fn four_processors_keep_their_tlbs_honest() {
    let vm = Vm::new().bochs().memory("64M").smp(4).cmdline("kstatd=0");
    let outcome = vm.init("torture", &["4"]).boot();
    outcome.expect_pass();
    outcome.assert_no("FAIL");
    outcome.line_containing("4 of 4 CPUs are up: 0-3; x2APIC");
    for counter in ["cr3_kept", "ipi_sent", "invpcids", "reschedules_sent"] {
        assert!(outcome.counter(counter) >= 4, "{counter}");
    }
}

/// LZ-12: with the look at the generation left out, threads do meet what was taken away.
#[test]
fn lz_12_a_broken_return_from_a_borrow_is_found_out() {
    let vm = Vm::new().bochs().memory("64M").smp(2).checked();
    let broken = vm.cmdline("kstatd=0 tlb=buggy_lazy");
    let cases = ["5", "lazy_idle_then_wake", "unmapped"];
    let outcome = broken.init("torture", &cases).boot();
    outcome.line_containing("FAIL torture ");
}
