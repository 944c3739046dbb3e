//! With all rules in place: nothing is hurt, and the walk comes across what it is about.

use crate::rules::{COUNTED, Pcids, Rules, SHOT};
use crate::search::Explored;
use crate::state::{Cpu, Doing, FlushStage, INIT, LoadStage, Mm, State, TaskMm, Tlb};
use crate::{explore_all, one_cpu, three_cpus, two_cpus};

const BOTH: [Rules; 2] = [COUNTED, SHOT];

fn is_zombie(mm: &Mm) -> bool {
    !mm.has_memory && mm.has_pml4
}

#[test]
fn one_cpu_with_flushes_keeps_all_invariants() {
    for rules in BOTH {
        let explored = explore_all(one_cpu().with_flushes(2), rules);
        assert!(explored.count(|_| true) > 5_000);
    }
}

#[test]
fn one_cpu_with_execs_keeps_all_invariants() {
    for rules in BOTH {
        let start = State::new(1).with_process(1).with_kthread();
        let explored = explore_all(start.with_execs(2).with_flushes(1), rules);
        assert!(explored.count(|state| state.left.execs == 0) > 1_000);
    }
}

#[test]
fn two_cpus_with_flushes_keep_all_invariants() {
    for rules in BOTH {
        let explored = explore_all(two_cpus().with_flushes(2), rules);
        assert!(explored.count(|_| true) > 100_000);
    }
}

#[test]
fn two_cpus_with_two_processes_and_exec_keep_all_invariants() {
    for rules in BOTH {
        let start = State::new(2).with_process(1).with_process(1);
        let explored = explore_all(start.with_execs(1), rules);
        assert!(explored.count(|state| state.left.execs == 0) > 1_000);
    }
}

#[test]
fn two_cpus_with_a_kernel_thread_that_uses_an_mm_keep_all_invariants() {
    for rules in BOTH {
        let start = two_cpus().with_uses(1).with_flushes(1);
        let explored = explore_all(start, rules);
        assert!(explored.count(|state| state.left.uses == 0) > 10_000);
    }
}

#[test]
fn two_cpus_of_which_one_goes_and_comes_keep_all_invariants() {
    for rules in BOTH {
        let start = two_cpus().with_offlines(2).with_flushes(1);
        let explored = explore_all(start, rules);
        let gone = |state: &State| {
            state
                .live_cpus()
                .iter()
                .any(|cpu| cpu.doing == Doing::Offline)
        };
        assert!(explored.count(gone) > 10_000);
    }
}

#[test]
fn three_cpus_with_flushes_keep_all_invariants() {
    for rules in BOTH {
        let start = three_cpus().with_flushes(1);
        let explored = explore_all(start, rules);
        assert!(explored.count(|_| true) > 100_000);
    }
}

#[test]
fn three_cpus_two_of_which_flush_at_once_keep_all_invariants() {
    let explored = explore_all(three_cpus().with_flushes(2), COUNTED);
    let wait = |state: &State| {
        let is_waiting = |doing: Doing| {
            matches!(
                doing,
                Doing::Flushing {
                    stage: FlushStage::Wait,
                    ..
                }
            )
        };
        let waiting = state.live_cpus().iter().filter(|cpu| is_waiting(cpu.doing));
        waiting.count() == 2
    };
    assert!(
        explored.count(wait) > 0,
        "two wait for each other and for the third"
    );
}

// With PCIDs.

const PCIDS: [Pcids; 2] = [Pcids::Plain, Pcids::Invpcid];

/// Returns how many states a CPU is in on an mm whose PCID it found up to date, and one another mm's PCID waits beside.
fn keeps_two(explored: &Explored) -> usize {
    explored.count(|state| {
        let waits = |cpu: &Cpu| cpu.held.iter().flatten().any(|held| held.0 != cpu.cr3);
        let mut cpus = state.live_cpus().iter();
        cpus.any(|cpu| cpu.cr3 != INIT && waits(cpu))
    })
}

#[test]
fn tlb_6_one_cpu_with_pcids_keeps_all_invariants() {
    for pcids in PCIDS {
        for rules in BOTH {
            let explored = explore_all(one_cpu().with_flushes(2), rules.with(pcids));
            assert!(keeps_two(&explored) > 1_000);
        }
        let start = State::new(1).with_process(1).with_process(1).with_kthread();
        explore_all(start.with_execs(1).with_flushes(1), COUNTED.with(pcids));
    }
}

#[test]
fn tlb_6_two_cpus_with_pcids_keep_all_invariants() {
    for pcids in PCIDS {
        let start = State::new(2).with_process(1).with_process(1);
        let start = start.with_tables_that_stay().with_busy_cpus();
        let explored = explore_all(start.with_flushes(2), COUNTED.with(pcids));
        assert!(keeps_two(&explored) > 1_000);
    }
    let start = State::new(2).with_process(2).with_busy_cpus();
    let start = start.with_offlines(1).with_flushes(1);
    explore_all(start, SHOT.with(Pcids::Invpcid));
}

// What the walk comes across, so that it is not empty of what it is about.

#[test]
fn lz_8_a_borrower_outlives_the_process_and_the_pml4_goes_after_it() {
    let explored = explore_all(one_cpu(), COUNTED);
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
fn lz_30_where_borrowers_are_shot_no_pml4_outlives_its_process_at_rest() {
    let explored = explore_all(two_cpus().with_flushes(1), SHOT);
    let at_rest = |state: &State| {
        let mut cpus = state.live_cpus().iter();
        cpus.all(|cpu| {
            matches!(
                cpu.doing,
                Doing::Running | Doing::Tail | Doing::Loading { .. }
            )
        })
    };
    let zombies = |state: &State| at_rest(state) && state.live_mms().iter().any(is_zombie);
    assert_eq!(explored.count(zombies), 0);
}

#[test]
fn lz_10_a_borrower_runs_on_while_cr3_has_left_the_borrowed_mm() {
    let explored = explore_all(one_cpu(), COUNTED);
    let moved_off = |state: &State| {
        let cpu = &state.cpus[0];
        let borrowed = state.tasks[usize::from(cpu.current)].mm;
        matches!(borrowed, TaskMm::Lazy(mm) if mm != cpu.cr3 && cpu.doing == Doing::Running)
    };
    assert!(explored.count(moved_off) > 0);
}

#[test]
fn lz_12_a_cpu_comes_back_lazily_both_with_and_without_a_missed_flush() {
    let explored = explore_all(two_cpus().with_flushes(1), COUNTED);
    let comes_back = |missed: bool| {
        explored.count(|state| {
            let missed_by = |before: Tlb, mm: u8| {
                let generation = state.mms[usize::from(mm)].generation;
                before.lazy && before.loaded == mm && (before.seen_gen != generation) == missed
            };
            state.live_cpus().iter().any(|cpu| match cpu.doing {
                Doing::Loading {
                    mm,
                    stage: LoadStage::Decide { before },
                    ..
                } => missed_by(before, mm),
                _ => false,
            })
        })
    };
    assert!(comes_back(true) > 0 && comes_back(false) > 0);
}

#[test]
fn i_1_a_zombies_pml4_can_be_what_cr3_names() {
    let explored = explore_all(one_cpu().with_flushes(1), COUNTED);
    let on_zombie = |state: &State| is_zombie(&state.mms[usize::from(state.cpus[0].cr3)]);
    assert!(explored.count(on_zombie) > 0);
}
