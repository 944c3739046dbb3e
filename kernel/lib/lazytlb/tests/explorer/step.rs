//! What can happen next, and how the kernel carries it out by the crate's decisions.
//!
//! A step is what one CPU does without another one getting in between. [`Broken`] leaves one rule
//! out, for the tests that show that the rule is needed.

use addr::{Page, PageRange};
use lazytlb::{CpuTlb, Load, MmId, MmSwitch, enter_lazy, plan_load};

use crate::state::{Doing, FlushStage, INIT, LoadStage, MAX_MMS, Mm, State, TaskMm};

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    /// Coming back to the loaded mm, generations are not compared.
    GenerationCheck,
    /// The generation is read before the lazy flag is cleared.
    LeavingLazyFirst,
    /// Becoming a borrower takes no reference.
    Grab,
    /// An exiting task takes no reference on what it goes on standing on.
    GrabAtExit,
    /// The borrow ends before CR3 is written.
    DeferredDrop,
    /// Lazy CPUs are passed by even when page tables are freed.
    LazyIpi,
    /// CPUs in the middle of a switch are passed by.
    SwitchingIpi,
    /// The CPU that tears an mm down stays on its tables.
    LeavingAtTeardown,
    /// A request is flushed selectively although others came before or after it.
    SelectiveFlush,
}

/// One step of one CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    SwitchTo(u8),
    Exit,
    Put,
    Exec,
    Munmap {
        mm: u8,
        freed_tables: bool,
    },
    AnswerIpi,
    /// The next stage of what the CPU is in the middle of.
    Continue,
}

/// Lists what this CPU can do next.
pub(crate) fn steps_of(state: &State, cpu: u8) -> Vec<Step> {
    let this = &state.cpus[usize::from(cpu)];
    let mut steps = match this.doing {
        Doing::Running => steps_of_task(state, cpu),
        Doing::Flushing {
            stage: FlushStage::Wait,
            ..
        } if others_have_to_answer(state, cpu) => Vec::new(),
        _ => vec![Step::Continue],
    };
    let interrupts_on = matches!(
        this.doing,
        Doing::Running
            | Doing::Flushing {
                stage: FlushStage::Wait,
                ..
            }
    );
    if this.ipi.is_some() && interrupts_on {
        steps.push(Step::AnswerIpi);
    }
    steps
}

fn others_have_to_answer(state: &State, cpu: u8) -> bool {
    let others = (0..state.cpu_count).filter(|other| *other != cpu);
    others
        .into_iter()
        .any(|other| state.cpus[usize::from(other)].ipi.is_some())
}

fn steps_of_task(state: &State, cpu: u8) -> Vec<Step> {
    let mut steps: Vec<Step> = switches(state, cpu).map(Step::SwitchTo).collect();
    let task = state.tasks[usize::from(state.cpus[usize::from(cpu)].current)];
    if task.putting.is_some() {
        steps.push(Step::Put);
        return steps;
    }
    if task.exiting || task.idle_of.is_some() {
        return steps;
    }
    if task.mm.is_user() {
        steps.push(Step::Exit);
    }
    if state.execs_left > 0 && usize::from(state.mm_count) < MAX_MMS {
        steps.push(Step::Exec);
    }
    if state.flushes_left > 0 {
        let own = |mm| task.mm == TaskMm::User(mm);
        // A kernel thread reaches into any mm that still has users.
        let reach = |mm| !task.mm.is_user() && state.mms[usize::from(mm)].users > 0;
        for mm in (INIT + 1..state.mm_count).filter(|mm| own(*mm) || reach(*mm)) {
            let has_tables = state.mms[usize::from(mm)].has_tables;
            let kinds = [false, true]
                .into_iter()
                .take(if has_tables { 2 } else { 0 });
            steps.extend(kinds.map(|freed_tables| Step::Munmap { mm, freed_tables }));
        }
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

/// The kernel at work: a state, and the rule that is left out.
pub(crate) struct Kernel {
    pub(crate) state: State,
    pub(crate) broken: Broken,
}

impl Kernel {
    pub(crate) fn take(&mut self, cpu: u8, step: Step) {
        match step {
            Step::SwitchTo(next) => self.switch(cpu, next),
            Step::Exit => self.exit(cpu),
            Step::Put => self.put(cpu),
            Step::Exec => self.exec(cpu),
            Step::Munmap { mm, freed_tables } => self.munmap(cpu, mm, freed_tables),
            Step::AnswerIpi => {
                let request = self
                    .state
                    .cpu(cpu)
                    .ipi
                    .take()
                    .expect("an interrupt has come");
                self.answer(cpu, &request);
            }
            Step::Continue => self.go_on(cpu),
        }
    }

    fn go_on(&mut self, cpu: u8) {
        match self.state.cpu(cpu).doing {
            Doing::Running => unreachable!("a running task's steps have names"),
            Doing::Loading { mm, stage } => self.load(cpu, mm, stage),
            Doing::Tail => self.tail(cpu),
            Doing::Flushing {
                flush,
                teardown,
                stage,
            } => self.flush(cpu, flush, teardown, stage),
        }
    }

    // The context switch.

    fn switch(&mut self, cpu: u8, to: u8) {
        let from = std::mem::replace(&mut self.state.cpu(cpu).current, to);
        let (prev, next) = (self.state.task(from).mm, self.state.task(to).mm);
        let row = MmSwitch::plan(prev.is_user(), next.is_user());
        let active = prev.active().expect("a running task stands on an mm");
        if row.enters_lazy() {
            self.enter_lazy(cpu);
        }
        if row.grabs() {
            self.grab_unless(Broken::Grab, active);
            self.state.task(to).mm = TaskMm::Lazy(active);
        }
        if row.transfers() {
            self.state.task(to).mm = std::mem::replace(&mut self.state.task(from).mm, TaskMm::Off);
        }
        if row.drops_later() {
            self.state.task(from).mm = TaskMm::Off;
            self.end_borrow(cpu, active);
        }
        self.state.cpu(cpu).doing = match next {
            TaskMm::User(mm) if row.switches() => loading(mm),
            _ => Doing::Tail,
        };
    }

    fn enter_lazy(&mut self, cpu: u8) {
        let tlb = self
            .state
            .cpu(cpu)
            .tlb
            .as_mut()
            .expect("no switch is under way");
        if enter_lazy(tlb) {
            tlb.lazy = true;
        }
    }

    fn end_borrow(&mut self, cpu: u8, mm: u8) {
        if self.broken == Broken::DeferredDrop {
            self.drop_count(mm);
        } else {
            self.state.cpu(cpu).stash = Some(mm);
        }
    }

    fn tail(&mut self, cpu: u8) {
        if let Some(mm) = self.state.cpu(cpu).stash.take() {
            self.drop_count(mm);
        }
        self.state.cpu(cpu).doing = Doing::Running;
    }

    // Getting onto an mm.

    fn load(&mut self, cpu: u8, mm: u8, stage: LoadStage) {
        let next = match stage {
            LoadStage::Announce => Some(self.announce(cpu, mm)),
            LoadStage::Decide { before } => {
                let read = self.state.mm(mm).generation;
                self.decide(before, mm, read)
            }
            LoadStage::LeaveTooLate { before, read } => {
                self.leave(cpu, mm, before);
                self.decide(before, mm, read)
            }
            LoadStage::Write { read } => {
                self.write_cr3(cpu, mm);
                Some(LoadStage::Publish { read })
            }
            LoadStage::Publish { read } => {
                self.publish(cpu, mm, read);
                None
            }
        };
        self.state.cpu(cpu).doing = match next {
            Some(stage) => Doing::Loading { mm, stage },
            None => Doing::Tail,
        };
    }

    /// Leaves the lazy state, or tells the others that this CPU switches.
    fn announce(&mut self, cpu: u8, mm: u8) -> LoadStage {
        let before = self.state.cpu(cpu).tlb.expect("no switch is under way");
        let lazy_on_it = before.loaded == id(mm) && before.lazy;
        if self.broken == Broken::LeavingLazyFirst && lazy_on_it {
            let read = self.state.mm(mm).generation;
            return LoadStage::LeaveTooLate { before, read };
        }
        self.leave(cpu, mm, before);
        LoadStage::Decide { before }
    }

    fn leave(&mut self, cpu: u8, mm: u8, before: CpuTlb) {
        if before.loaded == id(mm) {
            self.state.cpu(cpu).tlb = Some(CpuTlb {
                lazy: false,
                ..before
            });
        } else {
            self.state.cpu(cpu).tlb = None;
            self.state.mm(mm).mask |= 1 << cpu;
        }
    }

    fn decide(&mut self, before: CpuTlb, mm: u8, read: u8) -> Option<LoadStage> {
        match plan_load(&before, id(mm), u64::from(read)) {
            Load::Keep | Load::LeaveLazy => None,
            Load::Reload if self.broken == Broken::GenerationCheck => None,
            Load::Reload | Load::Switch => Some(LoadStage::Write { read }),
        }
    }

    pub(crate) fn write_cr3(&mut self, cpu: u8, mm: u8) {
        let fresh = self.state.mm(mm).generation;
        let this = self.state.cpu(cpu);
        (this.cr3, this.fresh) = (mm, fresh);
    }

    pub(crate) fn publish(&mut self, cpu: u8, mm: u8, read: u8) {
        self.state.cpu(cpu).tlb = Some(CpuTlb {
            loaded: id(mm),
            seen_gen: u64::from(read),
            lazy: false,
        });
    }

    // The life of an mm.

    fn exit(&mut self, cpu: u8) {
        let mm = self.state.current(cpu).mm.active().expect("it has an mm");
        self.grab_unless(Broken::GrabAtExit, mm);
        let task = self.state.current(cpu);
        task.mm = TaskMm::Lazy(mm);
        task.putting = Some(mm);
        task.exiting = true;
        self.enter_lazy(cpu);
    }

    fn put(&mut self, cpu: u8) {
        let mm = self
            .state
            .current(cpu)
            .putting
            .take()
            .expect("something is to be put");
        self.state.mm(mm).users -= 1;
        match self.state.mm(mm) {
            Mm {
                users: 0,
                has_tables: true,
                ..
            } => self.begin_flush(cpu, mm, None, true, true),
            Mm { users: 0, .. } => self.torn_down(mm),
            _ => {}
        }
    }

    fn exec(&mut self, cpu: u8) {
        self.state.execs_left -= 1;
        let new = self.state.add_mm();
        match std::mem::replace(&mut self.state.current(cpu).mm, TaskMm::User(new)) {
            TaskMm::User(old) => self.state.current(cpu).putting = Some(old),
            TaskMm::Lazy(borrowed) => self.end_borrow(cpu, borrowed),
            TaskMm::Off => unreachable!("a running task stands on an mm"),
        }
        self.state.cpu(cpu).doing = loading(new);
    }

    fn munmap(&mut self, cpu: u8, mm: u8, freed_tables: bool) {
        self.state.flushes_left -= 1;
        if !self.state.current(cpu).mm.is_user() {
            self.state.mm(mm).users += 1;
            self.state.current(cpu).putting = Some(mm);
        }
        let page = PageRange::from_len(Page::new(7), 1);
        self.begin_flush(cpu, mm, page, freed_tables, false);
    }

    fn grab_unless(&mut self, broken: Broken, mm: u8) {
        if self.broken != broken {
            self.state.mm(mm).count += 1;
        }
    }

    pub(crate) fn drop_count(&mut self, mm: u8) {
        let mm = self.state.mm(mm);
        mm.count -= 1;
        if mm.count == 0 {
            mm.has_pml4 = false;
        }
    }
}

pub(crate) fn loading(mm: u8) -> Doing {
    let stage = LoadStage::Announce;
    Doing::Loading { mm, stage }
}

pub(crate) fn id(mm: u8) -> MmId {
    MmId::new(u64::from(mm))
}

pub(crate) fn place(mm: MmId) -> u8 {
    mm.as_u64() as u8
}
