//! A machine small enough to walk through all of its states.
//!
//! What the kernel believes stands beside what is true: `Cpu::tlb` is the kernel's record, while
//! `Cpu::cr3` and `Cpu::fresh` are the hardware. The rules may use the former only, and the
//! invariants are about the latter.

use lazytlb::{CpuTlb, FlushRequest, MmId};

pub(crate) const MAX_CPUS: usize = 2;
pub(crate) const MAX_TASKS: usize = 6;
pub(crate) const MAX_MMS: usize = 4;

/// The place of `init_mm` among the mms.
pub(crate) const INIT: u8 = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) cpus: [Cpu; MAX_CPUS],
    pub(crate) cpu_count: u8,
    pub(crate) tasks: [Task; MAX_TASKS],
    pub(crate) task_count: u8,
    pub(crate) mms: [Mm; MAX_MMS],
    pub(crate) mm_count: u8,
    /// How many more flushes and execs may begin.
    pub(crate) flushes_left: u8,
    pub(crate) execs_left: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cpu {
    pub(crate) current: u8,
    pub(crate) doing: Doing,
    /// What the kernel knows of this CPU; `None` while it switches (LZ-15).
    pub(crate) tlb: Option<CpuTlb>,
    /// The borrowed reference to be dropped in the tail of the switch.
    pub(crate) stash: Option<u8>,
    /// A request that has come by interrupt and is not answered.
    pub(crate) ipi: Option<FlushRequest>,
    /// What CR3 really holds.
    pub(crate) cr3: u8,
    /// The TLB really holds nothing of `cr3`'s mm that is older than this generation.
    pub(crate) fresh: u8,
}

/// What a CPU is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    /// It runs its task with interrupts on.
    Running,
    /// It puts an mm to use, with interrupts off; the tail of the switch follows.
    Loading { mm: u8, stage: LoadStage },
    /// It runs the tail of a switch.
    Tail,
    /// It makes every CPU forget translations.
    Flushing {
        flush: FlushRequest,
        teardown: bool,
        stage: FlushStage,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LoadStage {
    /// Leave the lazy state, or announce the switch.
    Announce,
    /// Read the generation and decide; `before` is what the CPU stood on.
    Decide { before: CpuTlb },
    /// The wrong order, for a test: the generation is read, and the CPU is still lazy.
    LeaveTooLate { before: CpuTlb, read: u8 },
    /// Write CR3.
    Write { read: u8 },
    /// Tell the others.
    Publish { read: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FlushStage {
    /// Flush on this CPU.
    Local,
    /// Interrupt the other one.
    Remote,
    /// Wait for the answer, with interrupts on; then free.
    Wait,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Task {
    pub(crate) mm: TaskMm,
    /// The idle task of this CPU.
    pub(crate) idle_of: Option<u8>,
    /// A users' reference to be given up next.
    pub(crate) putting: Option<u8>,
    /// It has begun to exit; when nothing is left to put it never runs again.
    pub(crate) exiting: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TaskMm {
    User(u8),
    Lazy(u8),
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mm {
    /// The two counts, as the protocol has them.
    pub(crate) users: i8,
    pub(crate) count: i8,
    pub(crate) generation: u8,
    /// CPUs that may have it loaded.
    pub(crate) mask: u8,
    /// There are users, or what they had is being torn down.
    pub(crate) has_memory: bool,
    /// It has page tables below the PML4.
    pub(crate) has_tables: bool,
    /// The PML4 exists.
    pub(crate) has_pml4: bool,
    /// The generation up to which flushes have completed: who asked for them relies on it.
    pub(crate) flushed: u8,
    /// The generation of the last flush after which page tables were freed.
    pub(crate) tables_freed: u8,
}

impl State {
    /// A machine at rest on `init_mm`, with one idle task per CPU.
    pub(crate) fn new(cpu_count: u8) -> Self {
        let idle = |cpu| Task {
            idle_of: Some(cpu),
            mm: TaskMm::Lazy(INIT),
            ..Task::NEW
        };
        let cpu = |current| Cpu {
            current,
            ..Cpu::AT_REST
        };
        let mut new = Self {
            cpus: [cpu(0), cpu(1)],
            cpu_count,
            tasks: [Task::NEW; MAX_TASKS],
            task_count: 0,
            mms: [Mm::NEW; MAX_MMS],
            mm_count: 1,
            flushes_left: 0,
            execs_left: 0,
        };
        for number in 0..cpu_count {
            new.add_task(idle(number));
            new.mms[usize::from(INIT)].count += 1;
        }
        new
    }

    /// Adds a kernel thread.
    pub(crate) fn with_kthread(mut self) -> Self {
        self.add_task(Task::NEW);
        self
    }

    /// Adds a process of so many threads.
    pub(crate) fn with_process(mut self, threads: u8) -> Self {
        let mm = self.add_mm();
        self.mms[usize::from(mm)].users = threads as i8;
        for _ in 0..threads {
            self.add_task(Task {
                mm: TaskMm::User(mm),
                ..Task::NEW
            });
        }
        self
    }

    pub(crate) fn with_flushes(self, flushes_left: u8) -> Self {
        Self {
            flushes_left,
            ..self
        }
    }

    pub(crate) fn with_execs(self, execs_left: u8) -> Self {
        Self { execs_left, ..self }
    }

    /// Adds an mm with one user.
    pub(crate) fn add_mm(&mut self) -> u8 {
        self.mm_count += 1;
        self.mm_count - 1
    }

    fn add_task(&mut self, task: Task) {
        self.tasks[usize::from(self.task_count)] = task;
        self.task_count += 1;
    }

    pub(crate) fn cpu(&mut self, cpu: u8) -> &mut Cpu {
        &mut self.cpus[usize::from(cpu)]
    }

    pub(crate) fn task(&mut self, task: u8) -> &mut Task {
        &mut self.tasks[usize::from(task)]
    }

    pub(crate) fn mm(&mut self, mm: u8) -> &mut Mm {
        &mut self.mms[usize::from(mm)]
    }

    pub(crate) fn current(&mut self, cpu: u8) -> &mut Task {
        let current = self.cpu(cpu).current;
        self.task(current)
    }

    pub(crate) fn live_cpus(&self) -> &[Cpu] {
        &self.cpus[..usize::from(self.cpu_count)]
    }

    pub(crate) fn live_tasks(&self) -> &[Task] {
        &self.tasks[..usize::from(self.task_count)]
    }

    pub(crate) fn live_mms(&self) -> &[Mm] {
        &self.mms[..usize::from(self.mm_count)]
    }
}

impl Cpu {
    const AT_REST: Self = Self {
        current: 0,
        doing: Doing::Running,
        tlb: Some(CpuTlb {
            loaded: MmId::INIT,
            seen_gen: 0,
            lazy: false,
        }),
        stash: None,
        ipi: None,
        cr3: INIT,
        fresh: 0,
    };
}

impl Task {
    const NEW: Self = Self {
        mm: TaskMm::Off,
        idle_of: None,
        putting: None,
        exiting: false,
    };

    /// Says whether the task never runs again once it is left.
    pub(crate) fn is_dead(&self) -> bool {
        self.exiting && self.putting.is_none()
    }
}

impl TaskMm {
    pub(crate) fn is_user(self) -> bool {
        matches!(self, Self::User(_))
    }

    /// Returns the mm the task stands on.
    pub(crate) fn active(self) -> Option<u8> {
        match self {
            Self::User(mm) | Self::Lazy(mm) => Some(mm),
            Self::Off => None,
        }
    }
}

impl Mm {
    const NEW: Self = Self {
        users: 1,
        count: 1,
        generation: 0,
        mask: 0,
        has_memory: true,
        has_tables: true,
        has_pml4: true,
        flushed: 0,
        tables_freed: 0,
    };
}
