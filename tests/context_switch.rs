//! The path of a context switch: one PML4 per process, kernel threads that borrow, CR3 written only when it must be.

mod stories;

use std::collections::BTreeMap;

use harness::Vm;
use stories::{line_with, passes, topic, word_after};

#[test]
fn i_2_all_256_upper_slots_are_equal_in_every_live_pml4() {
    let outcome = passes("test=khalf");
    let line = line_with(&outcome, &["test: ", "khalf ok slots=256 pml4s="]);
    let (_, number) = line.split_once("pml4s=").expect("just seen");
    let pml4s: u64 = number.trim().parse().expect("a number");
    assert!(pml4s >= 3, "only {pml4s} PML4s were compared");
}

#[test]
fn lz_12_user_to_kthread_to_same_user_writes_cr3_zero_times() {
    let outcome = passes("test=lazy");
    line_with(&outcome, &["test: ", "lazy ok rounds=1000 cr3_writes=0 "]);
    assert!(outcome.counter("cr3_skipped_lazy") >= 1000);
}

#[test]
fn lz_8_a_borrowed_pml4_outlives_its_process_and_not_longer() {
    let outcome = passes("test=zombie");
    line_with(&outcome, &["test: ", "zombie ok", "users=0", "freed=after"]);
}

#[test]
fn mm_9_memory_goes_with_the_last_user_and_the_pml4_with_the_last_pin() {
    line_with(&passes("test=lifetime"), &["test: ", "lifetime ok"]);
}

/// V-LZ-b: a process that sleeps a lot is left for kernel threads and idle, and comes back to its own CR3.
#[test]
fn lz_31_lazy_switching_saves_the_cr3_writes_that_eager_switching_makes() {
    const NAPS: u64 = 200;
    // Counted time: by the clock of a busy machine a nap can be over before it begins.
    let naps = |more: &str| {
        let vm = Vm::new().icount();
        let outcome = vm
            .cmdline(&format!("kstatd=0 {more} init=/bin/probe -- naps {NAPS}"))
            .boot();
        outcome.expect_pass();
        outcome
    };
    let (lazy, eager) = (naps(""), naps("lazy=eager"));
    lazy.line_containing("naps: 200");
    eager.line_containing("naps: 200");
    assert!(
        eager.counter("cr3_writes") >= 2 * NAPS,
        "eager: {}",
        eager.counter("cr3_writes")
    );
    assert!(
        lazy.counter("cr3_writes") <= NAPS / 2,
        "lazy: {}",
        lazy.counter("cr3_writes")
    );
    assert!(
        lazy.counter("cr3_skipped_lazy") >= NAPS,
        "skipped: {}",
        lazy.counter("cr3_skipped_lazy")
    );
}

/// V-LZ-d: whenever the statistics thread looks, CR3 is the PML4 of the mm it says it borrows, or init_mm's.
#[test]
fn lz_10_a_kthread_stands_on_the_last_user_mm_or_on_init_mm() {
    let outcome = passes("loglevel=debug kstatd=10 init=/bin/probe -- lodgers");
    let owners = mms_of_processes(&outcome.log);
    assert_eq!(owners.len(), 3, "three processes tell their mm: {owners:?}");
    let sightings: Vec<(&str, &str, bool)> = outcome.log.lines().filter_map(sighting).collect();
    let init_root = sightings
        .iter()
        .find(|(mm, ..)| *mm == "init_mm")
        .map(|(_, root, _)| *root);
    let mut lodged = 0;
    for (mm, root, gone) in &sightings {
        match owners.get(*mm) {
            Some(own) if !gone => {
                assert_eq!(own, root, "mm {mm} has another PML4 than CR3");
                lodged += 1;
            }
            _ if *gone || *mm == "init_mm" => assert!(init_root.is_none_or(|init| init == *root)),
            _ => {}
        }
    }
    assert!(
        lodged >= 10,
        "only {lodged} of {} looks found a lodger",
        sightings.len()
    );
}

/// Reads `# NAME has mm ID root ROOT`.
fn mms_of_processes(log: &str) -> BTreeMap<&str, &str> {
    let lines = log
        .lines()
        .filter(|line| line.starts_with("# ") && line.contains(" has mm "));
    lines
        .filter_map(|line| Some((word_after(line, "mm")?, word_after(line, "root")?)))
        .collect()
}

/// Reads `… lodging in mm ID, cr3 ROOT …`: the mm, CR3, and whether the owner had gone.
fn sighting(line: &str) -> Option<(&str, &str, bool)> {
    let (_, told) = line.split_once("lodging in ")?;
    let mm = if told.starts_with("init_mm") {
        "init_mm"
    } else {
        word_after(told, "mm")?
    };
    Some((
        mm,
        word_after(told, "cr3")?,
        told.contains("the owner has gone"),
    ))
}

#[test]
fn i_4_every_borrow_is_given_back() {
    let outcome = passes("init=/bin/probe -- family");
    let [enters, grabs, transfers, drops] =
        ["lazy_enter", "lazy_grab", "lazy_transfer", "lazy_drop"].map(|name| outcome.counter(name));
    assert!(
        grabs > 20 && transfers > 0,
        "grabs {grabs}, transfers {transfers}"
    );
    assert!(enters >= grabs, "enters {enters}, grabs {grabs}");
    assert!(
        grabs - drops <= 1,
        "one CPU borrows one mm at most: {grabs} grabbed, {drops} dropped"
    );
}

#[test]
fn sy_11_registers_survive_preemption_and_system_calls() {
    let outcome = topic("registers", 5);
    assert!(
        outcome.counter("switch_uu") > 10,
        "the spinners did take turns"
    );
}

#[test]
fn hogs_do_not_keep_the_processor() {
    let outcome = topic("sched", 3);
    assert!(outcome.counter("switch_uu") > 5);
}

/// The tour's first stop: one address, as many numbers and PML4s as processes.
#[test]
fn every_process_has_a_pml4_of_its_own() {
    let outcome = passes("");
    let mut roots: Vec<&str> = outcome
        .log
        .lines()
        .filter_map(|line| word_after(line.split_once("through the PML4")?.1, "at"))
        .collect();
    assert_eq!(roots.len(), 4, "four processes told theirs");
    roots.sort_unstable();
    roots.dedup();
    assert_eq!(roots.len(), 4, "and they differ");
    outcome.assert_no("NOT SO");
}
