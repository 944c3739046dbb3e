//! The life of an mm: exit, exec, kernel threads that use it on purpose, CPUs that go and come.

use lazytlb::pcid::Slots;

use crate::kernel::{Kernel, loading};
use crate::rules::Broken;
use crate::state::{Doing, FlushStage, INIT, Mm, Request, SLOTS, TaskMm, Then, Why};

impl Kernel {
    /// Gives the own mm up and goes on borrowing it (LZ-16, LZ-24).
    fn give_up(&mut self, cpu: u8, unless: Broken) {
        let TaskMm::User(mm) = self.state.current(cpu).mm else {
            unreachable!("it has an mm of its own")
        };
        let borrowed = self.borrow(mm, unless);
        let task = self.state.current(cpu);
        task.mm = borrowed;
        task.putting = Some(mm);
        self.enter_lazy(cpu);
    }

    pub(crate) fn exit(&mut self, cpu: u8) {
        self.give_up(cpu, Broken::GrabAtExit);
        self.state.current(cpu).exiting = true;
    }

    pub(crate) fn put(&mut self, cpu: u8) {
        let put = self.state.current(cpu).putting.take();
        let mm = put.expect("something is to be put");
        self.state.mm(mm).users -= 1;
        match self.state.mm(mm) {
            Mm {
                users: 0,
                has_tables: true,
                ..
            } => self.begin_flush(cpu, mm, false, true, Then::TornDown),
            Mm { users: 0, .. } => self.torn_down(cpu, mm),
            _ => {}
        }
    }

    /// The users' memory is gone, and with it the one reference that they held together.
    pub(crate) fn torn_down(&mut self, cpu: u8, mm: u8) {
        self.state.mm(mm).has_memory = false;
        self.drop_count(cpu, mm);
    }

    pub(crate) fn drop_count(&mut self, cpu: u8, number: u8) {
        let shoots = !self.rules.lifetime.counts() && !self.is_without(Broken::Shooting);
        let mm = self.state.mm(number);
        mm.count -= 1;
        if mm.count > 0 {
            return;
        }
        if shoots {
            let generation = mm.generation;
            let flush = Request {
                mm: number,
                generation,
                page: false,
                freed_tables: true,
            };
            self.state.cpu(cpu).doing = Doing::Flushing {
                flush,
                then: Then::Shot,
                stage: FlushStage::Local,
            };
        } else {
            mm.has_pml4 = false;
        }
    }

    pub(crate) fn exec(&mut self, cpu: u8) {
        self.state.left.execs -= 1;
        let new = self.state.add_mm();
        self.state.current(cpu).is_kthread = false;
        match std::mem::replace(&mut self.state.current(cpu).mm, TaskMm::User(new)) {
            TaskMm::User(old) => self.state.current(cpu).putting = Some(old),
            borrowed => self.end_borrow(cpu, borrowed),
        }
        self.state.cpu(cpu).doing = loading(new, Why::Exec);
    }

    /// kthread_use_mm: the thread becomes one more user (LZ-23).
    pub(crate) fn use_mm(&mut self, cpu: u8, mm: u8) {
        self.state.left.uses -= 1;
        self.state.mm(mm).users += 1;
        let borrowed = std::mem::replace(&mut self.state.current(cpu).mm, TaskMm::User(mm));
        self.end_borrow(cpu, borrowed);
        self.state.cpu(cpu).doing = loading(mm, Why::UseMm);
    }

    pub(crate) fn unuse_mm(&mut self, cpu: u8) {
        self.give_up(cpu, Broken::GrabAtExit);
    }

    /// The idle task changes a dead mm, which its CPU has left, for `init_mm`.
    pub(crate) fn give_back(&mut self, cpu: u8) {
        self.state.mm(INIT).count += 1;
        let old = std::mem::replace(&mut self.state.current(cpu).mm, TaskMm::Lazy(INIT));
        let TaskMm::Lazy(mm) = old else {
            unreachable!("the idle task borrows")
        };
        self.drop_count(cpu, mm);
    }

    /// LZ-27: what is borrowed is given back before the CPU goes.
    pub(crate) fn offline(&mut self, cpu: u8) {
        self.state.left.offlines -= 1;
        self.state.cpu(cpu).doing = Doing::Offline;
        if self.is_without(Broken::OfflineGivesBack) {
            return;
        }
        self.load_init(cpu);
        if let TaskMm::Lazy(mm) = self.state.current(cpu).mm {
            self.state.mm(INIT).count += 1;
            self.state.current(cpu).mm = TaskMm::Lazy(INIT);
            self.drop_count(cpu, mm);
        }
    }

    /// LZ-28: it comes up on `init_mm`.
    pub(crate) fn online(&mut self, cpu: u8) {
        let this = self.state.cpu(cpu);
        (this.slots, this.held) = (Slots::EMPTY, [None; SLOTS]);
        self.load_init(cpu);
        self.state.cpu(cpu).doing = Doing::Running;
    }
}
