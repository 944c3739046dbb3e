//! Walks through every interleaving of a small machine's switches, exits, execs and flushes.
//!
//! With all rules in place no state hurts the machine and all books agree; with any one of them
//! left out some state hurts it. A failing test prints the shortest way there.

mod flush;
mod invariants;
mod search;
mod state;
mod step;

use invariants::Check;
use search::{Explored, explore};
use state::{Doing, LoadStage, Mm, State, TaskMm};
use step::Broken;

/// One CPU: two processes and a kernel thread.
fn one_cpu() -> State {
    State::new(1).with_process(1).with_process(1).with_kthread()
}

/// Two CPUs: two threads of one process and a kernel thread.
fn two_cpus() -> State {
    State::new(2).with_process(2).with_kthread()
}

fn explore_all(start: State) -> Explored {
    explore(start, Broken::Nothing, Check::HarmAndBooks).unwrap()
}

/// Leaves a rule out and returns the harm that comes of it.
fn harm_without(rule: Broken, start: State) -> &'static str {
    let found = explore(start, rule, Check::Harm);
    found.map(|_| ()).expect_err("the rule is needed").what
}

fn is_zombie(mm: &Mm) -> bool {
    !mm.has_memory && mm.has_pml4
}

// With all rules in place.

#[test]
fn one_cpu_with_flushes_keeps_all_invariants() {
    let explored = explore_all(one_cpu().with_flushes(2));
    assert!(explored.count(|_| true) > 10_000);
}

#[test]
fn one_cpu_with_execs_keeps_all_invariants() {
    let start = State::new(1).with_process(1).with_kthread();
    let explored = explore_all(start.with_execs(2).with_flushes(1));
    assert!(explored.count(|state| state.execs_left == 0) > 1_000);
}

#[test]
fn two_cpus_with_flushes_keep_all_invariants() {
    let explored = explore_all(two_cpus().with_flushes(2));
    assert!(explored.count(|_| true) > 100_000);
}

#[test]
fn two_cpus_with_two_processes_and_exec_keep_all_invariants() {
    let start = State::new(2).with_process(1).with_process(1);
    let explored = explore_all(start.with_execs(1));
    assert!(explored.count(|state| state.execs_left == 0) > 1_000);
}

// What the walk comes across, so that it is not empty of what it is about.

#[test]
fn lz_8_a_borrower_outlives_the_process_and_the_pml4_goes_after_it() {
    let explored = explore_all(one_cpu());
    assert!(explored.count(|state| state.live_mms().iter().any(is_zombie)) > 0);
    let gone = |state: &State| {
        state
            .live_mms()
            .iter()
            .all(|mm| mm.users > 0 || !mm.has_pml4)
    };
    assert!(explored.count(|state| gone(state) && state.live_mms()[1].users == 0) > 0);
}

#[test]
fn lz_10_a_borrower_runs_on_while_cr3_has_left_the_borrowed_mm() {
    let explored = explore_all(one_cpu());
    let moved_off = |state: &State| {
        let cpu = &state.cpus[0];
        let borrowed = state.tasks[usize::from(cpu.current)].mm;
        matches!(borrowed, TaskMm::Lazy(mm) if mm != cpu.cr3 && cpu.doing == Doing::Running)
    };
    assert!(explored.count(moved_off) > 0);
}

#[test]
fn lz_12_a_cpu_comes_back_lazily_both_with_and_without_a_missed_flush() {
    let explored = explore_all(two_cpus().with_flushes(1));
    let comes_back = |missed: bool| {
        explored.count(|state| {
            let missed_by = |before: lazytlb::CpuTlb, mm: u8| {
                before.lazy
                    && before.loaded.as_u64() == u64::from(mm)
                    && (before.seen_gen != u64::from(state.mms[usize::from(mm)].generation))
                        == missed
            };
            state.live_cpus().iter().any(|cpu| match cpu.doing {
                Doing::Loading {
                    mm,
                    stage: LoadStage::Decide { before },
                } => missed_by(before, mm),
                _ => false,
            })
        })
    };
    assert!(comes_back(true) > 0 && comes_back(false) > 0);
}

#[test]
fn i_1_a_zombies_pml4_can_be_what_cr3_names() {
    let explored = explore_all(one_cpu().with_flushes(1));
    let on_zombie = |state: &State| is_zombie(&state.mms[usize::from(state.cpus[0].cr3)]);
    assert!(explored.count(on_zombie) > 0);
}

// With one rule left out.

const FREED_PML4: &str = "I-1: CR3 names a freed PML4";
const FREED_TABLE: &str = "I-1: CR3 reaches a freed page table";
const STALE: &str = "I-7: user code runs with translations that a completed flush took away";

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
    assert!(explore(one_cpu().with_flushes(1), rule, Check::HarmAndBooks).is_ok());
}

#[test]
fn lz_2_without_the_grab_the_pml4_is_freed_under_its_user() {
    assert_eq!(harm_without(Broken::Grab, one_cpu()), FREED_PML4);
}

#[test]
fn lz_19_without_the_grab_at_exit_the_pml4_is_freed_under_a_borrower() {
    let start = two_cpus();
    assert_eq!(harm_without(Broken::GrabAtExit, start), FREED_PML4);
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
}
