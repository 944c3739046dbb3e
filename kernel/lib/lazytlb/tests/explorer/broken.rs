//! With one rule left out: some state hurts the machine.

use crate::invariants::Check;
use crate::rules::{Broken, COUNTED, Pcids, SHOT};
use crate::search::{DEADLOCK, explore};
use crate::state::State;
use crate::{harm, one_cpu, three_cpus, two_cpus};

const FREED_PML4: &str = "I-1: CR3 names a freed PML4";
const FREED_TABLE: &str = "I-1: CR3 reaches a freed page table";
const STALE: &str = "I-7: user code runs with translations that a completed flush took away";

fn harm_without(rule: Broken, start: State) -> &'static str {
    harm(start, COUNTED.without(rule))
}

#[test]
fn lz_12_without_the_generation_check_user_code_sees_what_was_unmapped() {
    for start in [one_cpu(), two_cpus()] {
        assert_eq!(
            harm_without(Broken::GenerationCheck, start.with_flushes(1)),
            STALE
        );
    }
}

#[test]
fn lz_12_reading_the_generation_before_leaving_the_lazy_state_misses_a_flush() {
    let rule = Broken::LeavingLazyFirst;
    assert_eq!(harm_without(rule, two_cpus().with_flushes(1)), STALE);
    // With one CPU nobody comes in between.
    let alone = explore(
        one_cpu().with_flushes(1),
        COUNTED.without(rule),
        Check::HarmAndBooks,
    );
    assert!(alone.is_ok());
}

#[test]
fn lz_2_without_the_grab_the_pml4_is_freed_under_its_user() {
    assert_eq!(harm_without(Broken::Grab, one_cpu()), FREED_PML4);
}

#[test]
fn lz_19_without_the_grab_at_exit_the_pml4_is_freed_under_a_borrower() {
    assert_eq!(harm_without(Broken::GrabAtExit, two_cpus()), FREED_PML4);
}

#[test]
fn lz_3_dropping_the_borrow_before_cr3_is_written_frees_the_pml4_it_names() {
    assert_eq!(
        harm_without(Broken::DeferredDrop, one_cpu().with_flushes(1)),
        FREED_PML4
    );
}

#[test]
fn tlb_2_without_the_interrupt_to_lazy_cpus_they_walk_through_freed_tables() {
    let start = two_cpus().with_flushes(1);
    assert_eq!(harm_without(Broken::LazyIpi, start), FREED_TABLE);
}

#[test]
fn lz_15_passing_by_a_cpu_that_switches_leaves_it_with_stale_translations() {
    let start = two_cpus().with_flushes(1);
    let harm = harm_without(Broken::SwitchingIpi, start);
    assert!(harm == STALE || harm == FREED_TABLE, "{harm}");
}

#[test]
fn lz_15_a_cpu_that_tells_where_it_went_only_afterwards_is_passed_by() {
    let start = two_cpus().with_flushes(1);
    let harm = harm_without(Broken::Announcing, start);
    assert!(harm == STALE || harm == FREED_TABLE, "{harm}");
}

#[test]
fn tlb_5_a_cpu_that_is_not_in_the_mask_is_passed_by() {
    let start = two_cpus().with_flushes(1);
    let harm = harm_without(Broken::MaskBit, start);
    assert!(harm == STALE || harm == FREED_TABLE, "{harm}");
}

#[test]
fn lz_17_staying_on_the_tables_of_a_dying_mm_reaches_freed_ones() {
    assert_eq!(
        harm_without(Broken::LeavingAtTeardown, one_cpu()),
        FREED_TABLE
    );
}

#[test]
fn tlb_3_flushing_selectively_out_of_order_leaves_a_range_behind() {
    let start = two_cpus().with_flushes(2);
    let harm = harm_without(Broken::SelectiveFlush, start);
    assert!(harm == STALE || harm == FREED_TABLE, "{harm}");
    // Two requests on their way to a third CPU may overtake each other.
    let start = three_cpus().with_flushes(2);
    assert_eq!(harm_without(Broken::SelectiveFlush, start), STALE);
}

#[test]
fn i_6_freeing_before_the_last_answer_leaves_stale_translations() {
    let start = two_cpus().with_flushes(1);
    let harm = harm_without(Broken::Waiting, start);
    assert!(harm == STALE || harm == FREED_TABLE, "{harm}");
}

#[test]
fn tlb_12_two_cpus_that_wait_without_answering_wait_for_ever() {
    let rule = Broken::AnsweringWhileWaiting;
    assert_eq!(harm_without(rule, two_cpus().with_flushes(2)), DEADLOCK);
}

// With PCIDs.

#[test]
fn tlb_6_coming_back_to_a_pcid_without_the_generation_check_meets_what_was_unmapped() {
    for pcids in [Pcids::Plain, Pcids::Invpcid] {
        let rules = COUNTED.with(pcids).without(Broken::SlotGeneration);
        let harm = harm(one_cpu().with_flushes(1), rules);
        assert!(harm == STALE || harm == FREED_TABLE, "{harm}");
    }
}

#[test]
fn tlb_6_a_recycled_pcid_that_is_not_dropped_shows_another_mm() {
    let start = State::new(1).with_process(1).with_process(1);
    let rules = COUNTED.with(Pcids::Plain).without(Broken::SlotRecycling);
    let harm = harm(start.with_execs(1).with_flushes(1), rules);
    assert!(harm == STALE || harm == FREED_TABLE, "{harm}");
}

#[test]
fn lz_12_with_pcids_the_return_from_a_borrow_looks_as_well() {
    let rules = COUNTED.with(Pcids::Invpcid);
    let harm = harm(
        one_cpu().with_flushes(1),
        rules.without(Broken::GenerationCheck),
    );
    assert_eq!(harm, STALE);
}

#[test]
fn lz_15_with_pcids_a_cpu_that_switches_is_not_passed_by() {
    let start = State::new(2).with_process(2).with_process(1);
    for rule in [Broken::SwitchingIpi, Broken::Announcing] {
        let rules = COUNTED.with(Pcids::Plain).without(rule);
        let harm = harm(start.with_flushes(1), rules);
        assert!(harm == STALE || harm == FREED_TABLE, "{harm}");
    }
}

// Linux's two races, mended there in 2020.

/// A flush that comes while the thread is on its way onto the mm finds it neither here nor there, and
/// takes the CPU out of the mask: later flushes pass it by.
#[test]
fn lz_23_using_an_mm_with_interrupts_on_loses_the_cpus_bit() {
    let rule = Broken::UseWithInterruptsOff;
    let start = State::new(2).with_process(1).with_kthread();
    let harm = harm_without(rule, start.with_uses(1).with_flushes(2));
    assert!(harm == STALE || harm == FREED_TABLE, "{harm}");
}

/// The scheduler takes the new mm for what the CPU stands on, and nobody holds the old one.
#[test]
fn lz_22_an_exec_that_is_preempted_half_way_leaves_the_old_pml4_unheld() {
    let rule = Broken::ExecWithInterruptsOff;
    let start = State::new(2)
        .with_process(1)
        .with_kthread()
        .without_tables();
    assert_eq!(harm_without(rule, start.with_execs(1)), FREED_PML4);
}

// CPUs that go.

#[test]
fn lz_27_a_cpu_that_goes_without_giving_back_stays_on_freed_tables() {
    let start = two_cpus().with_offlines(1);
    assert_eq!(harm_without(Broken::OfflineGivesBack, start), FREED_TABLE);
    let harm = harm(
        start.without_tables(),
        SHOT.without(Broken::OfflineGivesBack),
    );
    assert_eq!(harm, FREED_PML4);
}

// Without counts.

#[test]
fn lz_30_freeing_a_pml4_without_shooting_its_borrowers_frees_it_under_them() {
    let start = two_cpus().without_tables();
    assert_eq!(harm(start, SHOT.without(Broken::Shooting)), FREED_PML4);
}

#[test]
fn lz_30_a_mask_that_is_not_sticky_misses_a_borrower() {
    let rules = |rules: crate::rules::Rules| rules.without(Broken::StickyMask);
    let start = two_cpus().without_tables();
    assert_eq!(harm(start, rules(SHOT)), FREED_PML4);
    let harm = harm(two_cpus(), rules(COUNTED));
    assert_eq!(harm, FREED_TABLE);
}
