//! A machine small enough to walk through all of its states.
//!
//! What the kernel believes stands beside what is true: `Cpu::tlb` is the kernel's record, while
//! `Cpu::cr3` and `Cpu::fresh` are the hardware. The rules may use the former only, and the
//! invariants are about the latter.

use lazytlb::pcid::Slots;
use lazytlb::{CpuTlb, MmId};

pub(crate) const MAX_CPUS: usize = 3;
pub(crate) const MAX_TASKS: usize = 6;
pub(crate) const MAX_MMS: usize = 4;

/// PCIDs of a CPU, beside `init_mm`'s.
pub(crate) const SLOTS: usize = 2;

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
    /// What may still begin.
    pub(crate) left: Left,
}

/// How many more of each may begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    pub(crate) flushes: u8,
    /// Nobody exits.
    pub(crate) nobody_exits: bool,
    /// Flushes free no page tables; only the end of an mm does.
    pub(crate) tables_stay: bool,
    pub(crate) execs: u8,
    /// Times a kernel thread puts a user's mm to use.
    pub(crate) uses: u8,
    /// CPUs that go.
    pub(crate) offlines: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cpu {
    pub(crate) current: u8,
    pub(crate) doing: Doing,
    /// What the kernel knows of this CPU; `None` while it switches (LZ-15).
    pub(crate) tlb: Option<Tlb>,
    /// The borrowed reference to be dropped in the tail of the switch.
    pub(crate) stash: Option<u8>,
    /// Requests that have come by interrupt and are not answered, by sender.
    pub(crate) ipi: [Option<Request>; MAX_CPUS],
    /// What CR3 really holds.
    pub(crate) cr3: u8,
    /// The TLB really holds nothing of `cr3`'s mm that is older than this generation.
    pub(crate) fresh: u8,
    /// What the kernel knows of this CPU's PCIDs; nothing where there are none.
    pub(crate) slots: Slots<SLOTS>,
    /// What the TLB really holds under each PCID but the one in CR3: of which mm, and how new.
    pub(crate) held: [Option<(u8, u8)>; SLOTS],
}

/// [`CpuTlb`], smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tlb {
    pub(crate) loaded: u8,
    pub(crate) seen_gen: u8,
    pub(crate) lazy: bool,
}

impl Tlb {
    pub(crate) fn record(self) -> CpuTlb {
        CpuTlb {
            loaded: MmId::new(u64::from(self.loaded)),
            seen_gen: u64::from(self.seen_gen),
            lazy: self.lazy,
        }
    }
}

/// What is asked of another CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    pub(crate) mm: u8,
    pub(crate) generation: u8,
    /// One page only.
    pub(crate) page: bool,
    pub(crate) freed_tables: bool,
}

/// What a CPU is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    /// It runs its task with interrupts on.
    Running,
    /// It puts an mm to use, with interrupts off; the tail of the switch follows.
    Loading { mm: u8, why: Why, stage: LoadStage },
    /// It runs the tail of a switch.
    Tail,
    /// It makes every CPU forget translations.
    Flushing {
        flush: Request,
        then: Then,
        stage: FlushStage,
    },
    /// It is gone, until it comes up again.
    Offline,
}

/// Why a CPU goes onto an mm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    Switch,
    Exec,
    UseMm,
}

/// What is done when all have answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Then {
    /// What was unmapped is freed.
    Unmapped,
    /// The users' memory is freed, and their reference dropped.
    TornDown,
    /// The PML4 is freed: nobody borrows it any more (LZ-30).
    Shot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LoadStage {
    /// Leave the lazy state, or announce the switch.
    Announce,
    /// Read the generation and decide; `before` is what the CPU stood on.
    Decide { before: Tlb },
    /// The wrong order, for a test: the generation is read, and the CPU is still lazy.
    LeaveTooLate { before: Tlb, read: u8 },
    /// Write CR3.
    Write { read: u8 },
    /// Tell the others.
    Publish { read: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FlushStage {
    /// Flush on this CPU.
    Local,
    /// Interrupt the others.
    Remote,
    /// Wait for the answers, with interrupts on; then free.
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
    /// A kernel thread, whatever mm it uses for the moment.
    pub(crate) is_kthread: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TaskMm {
    User(u8),
    /// Borrowed, with a reference.
    Lazy(u8),
    /// Borrowed without one: whatever the CPU stands on (LZ-30).
    Guest,
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
        let cpu = |current| Cpu {
            current,
            ..Cpu::AT_REST
        };
        let mut new = Self {
            cpus: [cpu(0), cpu(1), cpu(2)],
            cpu_count,
            tasks: [Task::NEW; MAX_TASKS],
            task_count: 0,
            mms: [Mm::NEW; MAX_MMS],
            mm_count: 1,
            left: Left::default(),
        };
        for number in 0..cpu_count {
            new.add_task(Task {
                idle_of: Some(number),
                mm: TaskMm::Lazy(INIT),
                is_kthread: true,
                ..Task::NEW
            });
            new.mms[usize::from(INIT)].count += 1;
        }
        new
    }

    /// Adds a kernel thread.
    pub(crate) fn with_kthread(mut self) -> Self {
        self.add_task(Task {
            is_kthread: true,
            ..Task::NEW
        });
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

    /// Takes the page tables away from all processes: they have touched nothing yet.
    pub(crate) fn without_tables(mut self) -> Self {
        self.mms.iter_mut().for_each(|mm| mm.has_tables = false);
        self
    }

    pub(crate) fn with_flushes(mut self, flushes: u8) -> Self {
        self.left.flushes = flushes;
        self
    }

    /// Lets nobody exit.
    pub(crate) fn with_busy_cpus(mut self) -> Self {
        self.left.nobody_exits = true;
        self
    }

    /// Lets munmap free pages only, no tables.
    pub(crate) fn with_tables_that_stay(mut self) -> Self {
        self.left.tables_stay = true;
        self
    }

    pub(crate) fn with_execs(mut self, execs: u8) -> Self {
        self.left.execs = execs;
        self
    }

    pub(crate) fn with_uses(mut self, uses: u8) -> Self {
        self.left.uses = uses;
        self
    }

    pub(crate) fn with_offlines(mut self, offlines: u8) -> Self {
        self.left.offlines = offlines;
        self
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

    pub(crate) fn running_on(&self, cpu: u8) -> &Task {
        &self.tasks[usize::from(self.cpus[usize::from(cpu)].current)]
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
        tlb: Some(Tlb {
            loaded: INIT,
            seen_gen: 0,
            lazy: false,
        }),
        stash: None,
        ipi: [None; MAX_CPUS],
        cr3: INIT,
        fresh: 0,
        slots: Slots::EMPTY,
        held: [None; SLOTS],
    };

    pub(crate) fn is_asked(&self) -> bool {
        self.ipi.iter().any(Option::is_some)
    }
}

impl Task {
    const NEW: Self = Self {
        mm: TaskMm::Off,
        idle_of: None,
        putting: None,
        exiting: false,
        is_kthread: false,
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
