//! The processors, and whose turn it is. One flow of control plays them all.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use addr::{Frame, Page};

use super::mmu;
use super::tlb::Tlb;

/// The most processors simulated.
pub const CPUS: usize = 4;

/// One processor.
pub struct Cpu {
    /// Whether interrupts are on.
    pub irqs_on: bool,
    /// CR3.
    pub root: Frame,
    /// What it remembers, under the PCID in CR3.
    pub tlb: Tlb,
    /// What it remembers under other PCIDs.
    pub others: BTreeMap<u16, Tlb>,
    /// What it remembers was under another PCID until now: nobody can have walked through it meanwhile.
    pub is_dormant: bool,
    /// The PCID in CR3.
    pub pcid: u16,
    /// CR4.PCIDE.
    pub has_pcids: bool,
    /// Whether user code may run: from the end of a switch to a program to the beginning of the next
    /// switch. While it may not, the TLB may hold what is no longer true (LZ-10).
    pub active: bool,
}

impl Cpu {
    const fn new() -> Self {
        Self {
            irqs_on: true,
            root: Frame::new(0),
            tlb: Tlb::new(),
            others: BTreeMap::new(),
            is_dormant: false,
            pcid: 0,
            has_pcids: false,
            active: false,
        }
    }
}

/// How the processors use the freedom that the manual leaves them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Habits {
    /// Translates addresses that nobody asked for, whenever a lock is taken or given back.
    pub speculates: bool,
    /// Forgets translations at random.
    pub forgets: bool,
}

std::thread_local! {
    static TURN: Cell<usize> = const { Cell::new(0) };
    static HABITS: Cell<Habits> = const { Cell::new(Habits { speculates: false, forgets: false }) };
    static RANDOM: RefCell<Random> = const { RefCell::new(Random::new(0)) };
    /// Pages that processors like to look at, most recent last.
    static NEAR: RefCell<Vec<Page>> = const { RefCell::new(Vec::new()) };
    static CPU: [RefCell<Cpu>; CPUS] = const { [const { RefCell::new(Cpu::new()) }; CPUS] };
}

/// A small generator of random numbers (splitmix64), the same on every host.
pub struct Random(u64);

impl Random {
    /// Begins a sequence.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// Says yes once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Returns whose turn it is.
pub fn current() -> usize {
    TURN.get()
}

/// Lets processor `cpu` go on from here.
pub fn take_turn(cpu: usize) {
    TURN.set(cpu);
}

/// Uses the processor whose turn it is.
pub fn with_cpu<R>(each: impl FnOnce(&mut Cpu) -> R) -> R {
    with(current(), each)
}

/// Uses processor `cpu`.
pub fn with<R>(cpu: usize, each: impl FnOnce(&mut Cpu) -> R) -> R {
    CPU.with(|cpus| each(&mut cpus[cpu].borrow_mut()))
}

/// Chooses the processors' habits for a program.
pub fn set_habits(habits: Habits, seed: u64) {
    HABITS.set(habits);
    RANDOM.set(Random::new(seed));
    NEAR.take();
}

/// Notes a page that a program is interested in.
pub fn notice(page: Page) {
    const KEPT: usize = 12;
    NEAR.with_borrow_mut(|near| {
        if near.len() == KEPT {
            near.remove(0);
        }
        near.push(page);
    });
}

/// Lets the processors do what nobody asked them for: look at pages, and forget some.
pub fn speculate() {
    let habits = HABITS.get();
    let page = RANDOM.with_borrow_mut(|random| {
        let choice = random.draw();
        (habits.speculates && choice & 3 == 0).then(|| {
            NEAR.with_borrow(|near| {
                let page = near.get((choice >> 8) as usize % near.len().max(1))?;
                Some((
                    Page::new(page.number() + (choice >> 40 & 3)),
                    (choice >> 48) as usize % CPUS,
                ))
            })
        })
    });
    if let Some(Some((page, cpu))) = page {
        mmu::prefetch(cpu, page);
    }
}

/// Looks at a page that is about to be forgotten, where that is a habit.
pub fn look_before_flush(page: Page) {
    if HABITS.get().speculates {
        mmu::prefetch(current(), page);
    }
}

/// Forgets a translation now and then, where that is a habit.
pub fn maybe_forget() {
    if HABITS.get().forgets {
        let choice = RANDOM.with_borrow_mut(Random::draw);
        if choice & 1 == 0 {
            with_cpu(|cpu| cpu.tlb.evict(choice >> 8));
        }
    }
}
