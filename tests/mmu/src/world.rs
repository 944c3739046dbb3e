//! What the kernel above its memory management would do: processes, and what each CPU stands on.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use addr::Frame;

use crate::arch::cpu::{irq_restore, irq_save};
use crate::file::SimFile;
use crate::mm::frame::{self, Owner};
use crate::mm::{Borrow, Mm, MmUserRef, inject, switch};
use crate::model::{Object, Space};
use crate::program::{FILES, HEAP};
use crate::run::Conditions;
use crate::sim::cpu::{self, CPUS};
use crate::sim::mmu::{During, during};

/// The most processes at a time.
pub const PROCESSES: usize = 5;

/// A process: the kernel's address space of it, and the model's.
pub struct Process {
    /// The kernel's.
    pub mm: MmUserRef,
    /// The model's.
    pub space: Space,
    /// The CPU it runs on.
    pub home: usize,
}

/// What a CPU runs.
enum Standing {
    /// A kernel thread that borrows nothing: as after boot.
    Boot,
    /// A kernel thread on borrowed tables.
    Lodger(#[expect(dead_code, reason = "held, and dropped when the borrow ends")] Borrow),
    /// The process whose mm has this number.
    Program(u64),
}

/// All there is.
pub struct World {
    /// The living processes.
    pub processes: Vec<Process>,
    /// The files, as the kernel and as the model know them.
    pub files: Vec<(Arc<SimFile>, Rc<RefCell<Object>>)>,
    standing: [Standing; CPUS],
    hoard: Vec<Frame>,
    /// Whether an allocation may have failed at any time: tables made for nothing stay until the end.
    pub was_tight: bool,
    /// Whether an allocation is going to fail, or did so in this step.
    armed: bool,
    cpus: usize,
    /// What a TLB remembers wrongly counts only when it is used, or when its frame is freed.
    pub relies_on_use: bool,
    /// Memory comes in large pages where it can.
    pub has_large_pages: bool,
}

impl World {
    /// Begins with one process.
    pub fn new(conditions: Conditions) -> Self {
        let files = (1..).zip(FILES).map(|(number, pages)| {
            let contents = (0..pages)
                .map(|index| SimFile::first_contents(number, index))
                .collect();
            let object = Object {
                ino: number,
                is_file: true,
                pages: contents,
                charged: 0,
            };
            (SimFile::new(number, pages), Rc::new(RefCell::new(object)))
        });
        let mut world = Self {
            processes: Vec::new(),
            files: files.collect(),
            standing: [const { Standing::Boot }; CPUS],
            hoard: Vec::new(),
            was_tight: false,
            armed: false,
            cpus: conditions.cpus,
            relies_on_use: conditions.relies_on_use,
            has_large_pages: conditions.has_large_pages,
        };
        world.start();
        world
    }

    /// Starts a process with nothing but an empty heap.
    pub fn start(&mut self) {
        let mm = loop {
            match Mm::new() {
                Ok(mm) => break mm,
                Err(_) => self.relent(),
            }
        };
        mm.set_brk_start(HEAP);
        let space = Space {
            brk_start: HEAP,
            brk: HEAP,
            ..Space::default()
        };
        self.add(mm, space);
    }

    /// Adds a process.
    pub fn add(&mut self, mm: MmUserRef, space: Space) {
        let home = mm.id().as_u64() as usize % self.cpus;
        self.processes.push(Process { mm, space, home });
    }

    /// Whether there is more than one processor.
    pub fn has_others(&self) -> bool {
        self.cpus > 1
    }

    /// Whether a refusal for want of memory is to be expected.
    pub fn is_tight(&self) -> bool {
        const COMFORT: u64 = 512;
        !self.hoard.is_empty() || self.armed || frame::count(Owner::Free) < COMFORT
    }

    /// Makes the `nth` allocation from now on fail.
    pub fn arm(&mut self, nth: u32) {
        inject::arm(nth);
        self.armed = true;
        self.was_tight = true;
    }

    /// Once the failure has happened and its step is over, there is memory again.
    pub fn forget_failure(&mut self) {
        self.armed &= inject::left() > 0;
    }

    /// Takes all free frames but `left` above what is kept back for the kernel.
    pub fn hog(&mut self, left: u64) {
        self.was_tight = true;
        while frame::has_room(left + 1) {
            let frame = frame::alloc(Owner::Kernel);
            self.hoard
                .push(frame.expect("there is more than the reserve"));
        }
    }

    /// Gives them back.
    pub fn relent(&mut self) {
        self.hoard.drain(..).for_each(frame::free);
    }

    /// Lets a thread of process `who` on CPU `cpu` do what comes next.
    pub fn move_to(&mut self, who: usize, cpu: u64) {
        self.processes[who].home = cpu as usize;
    }

    /// Goes on on the CPU of process `who`, without going onto its tables.
    pub fn near(&self, who: usize) {
        cpu::take_turn(self.processes[who].home);
    }

    /// Switches to process `who` on its CPU (LZ-1: kernel → user, user → user).
    pub fn run(&mut self, who: usize) {
        self.near(who);
        let mm = &self.processes[who].mm;
        let id = mm.id().as_u64();
        if matches!(self.standing[cpu::current()], Standing::Program(now) if now == id) {
            return;
        }
        during(During::Switch, || {
            cpu::with_cpu(|cpu| cpu.active = false);
            let irq = irq_save();
            switch::switch_mm(mm);
            irq_restore(irq);
            cpu::with_cpu(|cpu| cpu.active = true);
        });
        // A borrowed reference ends when the switch is over (LZ-3).
        drop(self.stand(Standing::Program(id)));
    }

    /// Switches this CPU to a kernel thread (user → kernel).
    pub fn pause(&mut self) {
        let Standing::Program(id) = self.standing[cpu::current()] else {
            return;
        };
        let borrowed = Borrow::of(&self.find(id).mm);
        self.enter_lazy();
        drop(self.stand(Standing::Lodger(borrowed)));
    }

    fn enter_lazy(&self) {
        cpu::with_cpu(|cpu| cpu.active = false);
        let irq = irq_save();
        switch::enter_lazy_tlb();
        irq_restore(irq);
    }

    fn stand(&mut self, new: Standing) -> Standing {
        std::mem::replace(&mut self.standing[cpu::current()], new)
    }

    fn find(&self, id: u64) -> &Process {
        let found = self
            .processes
            .iter()
            .find(|process| process.mm.id().as_u64() == id);
        found.expect("a CPU runs a process that lives")
    }

    /// Ends process `who`: its own task borrows what it stands on, then lets go (LZ-16).
    pub fn exit(&mut self, who: usize) {
        let id = self.processes[who].mm.id().as_u64();
        // All its threads end: the last one takes the memory along.
        for cpu in 0..CPUS {
            if matches!(self.standing[cpu], Standing::Program(now) if now == id) {
                cpu::take_turn(cpu);
                self.pause();
            }
        }
        self.near(who);
        let process = self.processes.swap_remove(who);
        during(During::Exit, || drop(process.mm));
    }

    /// Ends everything; every CPU goes back to the kernel's own tables.
    pub fn end(&mut self) {
        self.relent();
        inject::disarm();
        while !self.processes.is_empty() {
            self.exit(0);
        }
        for cpu in 0..CPUS {
            cpu::take_turn(cpu);
            let irq = irq_save();
            switch::load_init();
            irq_restore(irq);
            drop(self.stand(Standing::Boot));
        }
        self.files.clear();
    }
}
