//! What can happen next. A step is what one CPU does without another one getting in between.

use crate::kernel::Kernel;
use crate::rules::{Broken, Rules};
use crate::state::{Doing, FlushStage, INIT, LoadStage, MAX_MMS, State, TaskMm, Why};

/// One step of one CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    SwitchTo(u8),
    Exit,
    Put,
    Exec,
    UseMm(u8),
    UnuseMm,
    Munmap {
        mm: u8,
        freed_tables: bool,
    },
    /// Answers the request of this CPU.
    Answer(u8),
    /// The idle task gives a borrow back whose mm is dead.
    GiveBack,
    Offline,
    Online,
    /// The next stage of what the CPU is in the middle of.
    Continue,
}

/// Lists what this CPU can do next.
pub(crate) fn steps_of(state: &State, cpu: u8, rules: &Rules) -> Vec<Step> {
    let this = &state.cpus[usize::from(cpu)];
    let mut steps = match this.doing {
        Doing::Running => steps_of_task(state, cpu),
        Doing::Offline => vec![Step::Online],
        Doing::Flushing {
            stage: FlushStage::Wait,
            ..
        } if waits(state, cpu, rules) => Vec::new(),
        _ => vec![Step::Continue],
    };
    if is_interruptible(&this.doing, rules) {
        let senders =
            (0..state.cpu_count).filter(|sender| this.ipi[usize::from(*sender)].is_some());
        steps.extend(senders.map(Step::Answer));
    }
    if is_preemptible(&this.doing, rules) {
        steps.extend(switches(state, cpu).map(Step::SwitchTo));
    }
    steps
}

fn is_interruptible(doing: &Doing, rules: &Rules) -> bool {
    match doing {
        Doing::Running => true,
        Doing::Flushing {
            stage: FlushStage::Wait,
            ..
        } => rules.broken != Broken::AnsweringWhileWaiting,
        Doing::Loading {
            why: Why::UseMm, ..
        } => rules.broken == Broken::UseWithInterruptsOff,
        _ => false,
    }
}

/// Between two instructions that should be one. A running task's switches are steps of its own.
fn is_preemptible(doing: &Doing, rules: &Rules) -> bool {
    matches!(
        doing,
        Doing::Loading {
            why: Why::Exec,
            stage: LoadStage::Announce,
            ..
        }
    ) && rules.broken == Broken::ExecWithInterruptsOff
}

fn waits(state: &State, sender: u8, rules: &Rules) -> bool {
    let asked = |cpu: &crate::state::Cpu| cpu.ipi[usize::from(sender)].is_some();
    rules.broken != Broken::Waiting && state.live_cpus().iter().any(asked)
}

fn steps_of_task(state: &State, cpu: u8) -> Vec<Step> {
    let mut steps: Vec<Step> = switches(state, cpu).map(Step::SwitchTo).collect();
    let task = state.running_on(cpu);
    if task.putting.is_some() {
        steps.push(Step::Put);
        return steps;
    }
    if task.idle_of.is_some() {
        return steps_of_idle(state, cpu, steps);
    }
    if task.exiting {
        return steps;
    }
    match (task.mm, task.is_kthread) {
        (TaskMm::User(_), false) if !state.left.nobody_exits => steps.push(Step::Exit),
        (TaskMm::User(_), true) => steps.push(Step::UnuseMm),
        _ => {}
    }
    if state.left.execs > 0 && usize::from(state.mm_count) < MAX_MMS {
        steps.push(Step::Exec);
    }
    let others = || (INIT + 1..state.mm_count).filter(|mm| state.mms[usize::from(*mm)].users > 0);
    if state.left.uses > 0 && task.is_kthread && !task.mm.is_user() {
        steps.extend(others().map(Step::UseMm));
    }
    if state.left.flushes > 0 {
        // A kernel thread reaches into any mm that still has users.
        let reaches = |mm: &u8| task.mm == TaskMm::User(*mm) || !task.mm.is_user();
        for mm in others().filter(reaches) {
            let has_tables = state.mms[usize::from(mm)].has_tables;
            let count = match (has_tables, state.left.tables_stay) {
                (false, _) => 0,
                (true, true) => 1,
                (true, false) => 2,
            };
            let kinds = [false, true].into_iter().take(count);
            steps.extend(kinds.map(|freed_tables| Step::Munmap { mm, freed_tables }));
        }
    }
    steps
}

fn steps_of_idle(state: &State, cpu: u8, mut steps: Vec<Step>) -> Vec<Step> {
    let this = &state.cpus[usize::from(cpu)];
    if let TaskMm::Lazy(mm) = state.running_on(cpu).mm
        && mm != INIT
        && state.mms[usize::from(mm)].users == 0
        && this.tlb.is_some_and(|tlb| tlb.loaded == INIT)
    {
        steps.push(Step::GiveBack);
    }
    let on = |cpu: &&crate::state::Cpu| cpu.doing != Doing::Offline;
    let others_stay = state.live_cpus().iter().filter(on).count() > 1;
    if state.left.offlines > 0 && others_stay && !this.is_asked() {
        steps.push(Step::Offline);
    }
    steps
}

/// Lists the tasks this CPU may switch to.
fn switches(state: &State, cpu: u8) -> impl Iterator<Item = u8> {
    let runs = |task| state.live_cpus().iter().any(|cpu| cpu.current == task);
    (0..state.task_count).filter(move |number| {
        let task = &state.tasks[usize::from(*number)];
        !runs(*number) && !task.is_dead() && task.idle_of.is_none_or(|idle_of| idle_of == cpu)
    })
}

impl Kernel {
    pub(crate) fn take(&mut self, cpu: u8, step: Step) {
        match step {
            Step::SwitchTo(next) => self.switch(cpu, next),
            Step::Exit => self.exit(cpu),
            Step::Put => self.put(cpu),
            Step::Exec => self.exec(cpu),
            Step::UseMm(mm) => self.use_mm(cpu, mm),
            Step::UnuseMm => self.unuse_mm(cpu),
            Step::Munmap { mm, freed_tables } => self.munmap(cpu, mm, freed_tables),
            Step::Answer(sender) => {
                let request = self.state.cpu(cpu).ipi[usize::from(sender)].take();
                self.answer(cpu, &request.expect("an interrupt has come"));
            }
            Step::GiveBack => self.give_back(cpu),
            Step::Offline => self.offline(cpu),
            Step::Online => self.online(cpu),
            Step::Continue => self.go_on(cpu),
        }
    }

    fn go_on(&mut self, cpu: u8) {
        match self.state.cpu(cpu).doing {
            Doing::Running | Doing::Offline => unreachable!("these steps have names"),
            Doing::Loading { mm, why, stage } => self.load(cpu, mm, why, stage),
            Doing::Tail => self.tail(cpu),
            Doing::Flushing { flush, then, stage } => self.flush(cpu, flush, then, stage),
        }
    }
}
