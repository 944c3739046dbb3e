//! What must never be false (LINUX-SPEC §1): harm to the machine, and the books that prevent it.

use crate::state::{Cpu, Doing, INIT, Mm, State, TaskMm};

/// Which invariants to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// What would hurt a real machine.
    Harm,
    /// That, and whether all counts are right.
    HarmAndBooks,
}

/// Names an invariant that does not hold.
pub(crate) fn violation(state: &State, check: Check) -> Option<&'static str> {
    let harm = state.live_cpus().iter().find_map(|cpu| harm_on(state, cpu));
    match check {
        Check::Harm => harm,
        Check::HarmAndBooks => harm.or_else(|| state.wrong_books()),
    }
}

fn harm_on(state: &State, cpu: &Cpu) -> Option<&'static str> {
    let loaded = &state.mms[usize::from(cpu.cr3)];
    if !loaded.has_pml4 {
        return Some("I-1: CR3 names a freed PML4");
    }
    if cpu.fresh < loaded.tables_freed {
        return Some("I-1: CR3 reaches a freed page table");
    }
    let task = &state.tasks[usize::from(cpu.current)];
    match task.mm {
        TaskMm::User(mm) if cpu.doing == Doing::Running => harm_to_user(state, cpu, mm),
        _ => None,
    }
}

/// Looks at a CPU that runs user code of `mm`.
fn harm_to_user(state: &State, cpu: &Cpu, mm: u8) -> Option<&'static str> {
    let own = &state.mms[usize::from(mm)];
    if cpu.cr3 != mm {
        Some("user code runs on another mm's tables")
    } else if !own.has_memory {
        Some("user code runs without its memory")
    } else if cpu.fresh < own.flushed {
        Some("I-7: user code runs with translations that a completed flush took away")
    } else {
        None
    }
}

impl State {
    /// Looks at everything the kernel writes down.
    fn wrong_books(&self) -> Option<&'static str> {
        let cpus = || self.live_cpus().iter();
        let wrong_record = cpus().any(|cpu| cpu.tlb.is_some_and(|tlb| tlb.loaded != cpu.cr3));
        let nowhere = cpus().any(|cpu| self.tasks[usize::from(cpu.current)].mm == TaskMm::Off);
        let borrows_asleep = (0..self.task_count).any(|number| {
            let runs = cpus().any(|cpu| cpu.current == number);
            !runs
                && matches!(
                    self.tasks[usize::from(number)].mm,
                    TaskMm::Lazy(_) | TaskMm::Guest
                )
        });
        match () {
            () if wrong_record => Some("LZ-10: CR3 is not what the kernel believes"),
            () if nowhere => Some("I-3: a running task stands on no mm"),
            () if borrows_asleep => Some("I-3: a task that does not run borrows an mm"),
            () => (0..self.mm_count).find_map(|mm| self.wrong_counts(mm)),
        }
    }

    fn wrong_counts(&self, number: u8) -> Option<&'static str> {
        let mm: &Mm = &self.mms[usize::from(number)];
        if mm.users < 0 || mm.count < 0 {
            return Some("I-4: a count is negative");
        }
        if mm.users != self.users_of(number) {
            return Some("I-4: mm_users is not the number of users");
        }
        if mm.count != self.holders_of(number) {
            return Some("I-4: mm_count is not the number of holders");
        }
        let too_late = mm.has_memory && !mm.has_pml4;
        let too_early = mm.users > 0 && !mm.has_memory;
        (too_late || too_early).then_some("I-5: memory and PML4 do not go in order")
    }

    fn users_of(&self, mm: u8) -> i8 {
        let tasks = || self.live_tasks().iter();
        let own = tasks().filter(|task| task.mm == TaskMm::User(mm)).count();
        let putting = tasks().filter(|task| task.putting == Some(mm)).count();
        (own + putting) as i8 + i8::from(mm == INIT)
    }

    fn holders_of(&self, mm: u8) -> i8 {
        let borrowers = self
            .live_tasks()
            .iter()
            .filter(|task| task.mm == TaskMm::Lazy(mm));
        let stashes = self.live_cpus().iter().filter(|cpu| cpu.stash == Some(mm));
        // All users together hold one, until their memory is torn down.
        let users = i8::from(self.mms[usize::from(mm)].has_memory);
        (borrowers.count() + stashes.count()) as i8 + users
    }
}
