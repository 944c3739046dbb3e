//! What moves from one CPU to another.
//!
//! Three reasons, tried in this order by every CPU that looks for work:
//!
//! 1. A real-time task waits elsewhere that ranks above what runs here.
//! 2. This CPU idles, and somebody waits elsewhere.
//! 3. *Shares*: elsewhere waits a task whose move brings the two loads (sums of weights) closer together. Loads cannot
//!    always be equal: three equal tasks on two CPUs never are. So, if no move helps, who has had too little is moved:
//!    a task that waits elsewhere and is *owed* more than [`LEAD_NS`] by the tasks of this CPU.
//!
//! What is owed follows from the CPUs' virtual clocks. A clock says how much every task of its CPU has had, for each unit of
//! weight, so that the clock of a CPU with little to do runs ahead; the distance between two clocks, times a task's weight, is
//! what that task has missed on the slower CPU. Each CPU remembers for each other one where the two clocks stood together
//! ([`Frames`]): distances are bounded, since what cannot be evened out (the tasks there may not run here) is not to be held
//! against anybody for ever.

use core::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::MAX_CPUS;
use crate::place::{self, cpus};
use crate::weight::{NICE_0, virtual_ns};

/// How much running time a task must be owed to be moved for that reason alone.
pub const LEAD_NS: u64 = 20_000_000;
/// How much running time a usual task can be owed at most.
const MOST: u64 = 6 * LEAD_NS;

/// What one CPU tells the others of itself; fits into a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// The sum of the weights of all tasks that want to run.
    pub weight: u32,
    /// How many those are, the one that runs included.
    pub tasks: u16,
    /// The rank of the one that runs; 0 while the CPU idles.
    pub rank: u8,
    /// The highest real-time priority that waits; 0 for none.
    pub rt_waiting: u8,
}

impl Load {
    /// Packs it: weight in bits 0–31, tasks in 32–47, rank in 48–55, priority in 56–63.
    #[inline]
    pub fn to_word(self) -> u64 {
        u64::from(self.weight)
            | u64::from(self.tasks) << 32
            | u64::from(self.rank) << 48
            | u64::from(self.rt_waiting) << 56
    }

    /// Unpacks a word of [`to_word`](Self::to_word).
    #[inline]
    pub fn from_word(word: u64) -> Self {
        Self {
            weight: word as u32,
            tasks: (word >> 32) as u16,
            rank: (word >> 48) as u8,
            rt_waiting: (word >> 56) as u8,
        }
    }

    /// Returns whether somebody waits.
    #[inline]
    pub fn has_waiters(self) -> bool {
        self.tasks > u16::from(self.rank > 0)
    }

    /// Returns what its tasks weigh on average.
    fn usual_weight(self) -> u32 {
        self.weight / u32::from(self.tasks.max(1))
    }

    /// Returns whether this CPU has less to do than that one.
    pub fn less_than(self, other: Self) -> bool {
        (self.weight, self.tasks) < (other.weight, other.tasks)
    }
}

/// What a CPU shows the others.
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    /// What there is to do.
    pub load: Load,
    /// Its [virtual clock](crate::RunQueue::clock).
    pub clock: u64,
}

/// What a CPU may take from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// The first real-time task that ranks above `above`.
    Realtime {
        /// The other CPU.
        from: usize,
        /// The rank of what runs here.
        above: u8,
    },
    /// The first task that may run here.
    Any {
        /// The other CPU.
        from: usize,
    },
    /// A fair task that brings both closer together.
    Share {
        /// The other CPU.
        from: usize,
        /// By how much its load is larger.
        gap: u32,
        /// By how much its clock is behind, in virtual ns; wraps around below 0.
        lead: u64,
    },
}

impl Pull {
    /// Returns the CPU that is to give something.
    pub fn from(&self) -> usize {
        match *self {
            Self::Realtime { from, .. } | Self::Any { from } | Self::Share { from, .. } => from,
        }
    }
}

/// Decides what CPU `this` tries to take; `view` tells of the CPUs in `others`. Who finds that the other one has nothing
/// that fits asks again without it.
pub fn plan(
    frames: &Frames,
    this: usize,
    own: View,
    others: u64,
    view: impl Fn(usize) -> View,
) -> Option<Pull> {
    let waiting = || {
        let views = cpus(others).map(|cpu| (cpu, view(cpu)));
        views.filter(|(_, view)| view.load.has_waiters())
    };
    let above = own.load.rank;
    let outranks = |load: Load| load.rt_waiting > 0 && 1 + load.rt_waiting > above;
    let realtime = waiting().filter(|(_, view)| outranks(view.load));
    if let Some((from, _)) = realtime.max_by_key(|(_, view)| view.load.rt_waiting) {
        return Some(Pull::Realtime { from, above });
    }
    if above == 0 {
        let (from, _) = waiting().max_by_key(|(_, view)| view.load.weight)?;
        return Some(Pull::Any { from });
    }
    let shares = waiting().filter_map(|(from, view)| {
        let gap = view.load.weight.saturating_sub(own.load.weight);
        let lead = frames.lead(this, own.clock, from, view.clock);
        let owed = owed_ns(lead, view.load.weight);
        let pull = Pull::Share { from, gap, lead };
        (gap > 1 || owed > LEAD_NS).then_some((gap, owed, pull))
    });
    let best = shares.max_by_key(|(gap, owed, _)| (*gap, *owed));
    best.map(|(_, _, pull)| pull)
}

/// Returns the running time that belongs to a virtual time that wraps around below 0; then 0.
pub fn owed_ns(behind: u64, weight: u32) -> u64 {
    match behind.cast_signed() {
        ..=0 => 0,
        behind => (behind.unsigned_abs() / u64::from(NICE_0)).saturating_mul(u64::from(weight)),
    }
}

/// What makes the virtual times of all CPUs comparable: an offset for each.
///
/// One record for all, without a lock: readers may see a time that was just changed, and are off by as much as that once.
pub struct Frames {
    /// What to add to a virtual time of each CPU to make it one of the machine; wraps around.
    offsets: [AtomicU64; MAX_CPUS],
    /// Whether somebody changes them.
    changing: AtomicBool,
}

impl Frames {
    /// Makes the record of CPUs that have not run yet.
    pub const fn new() -> Self {
        Self {
            offsets: [const { AtomicU64::new(0) }; MAX_CPUS],
            changing: AtomicBool::new(false),
        }
    }

    /// Returns what to add to a virtual time of CPU `from` to make it one of CPU `to`.
    pub fn shift(&self, from: usize, to: usize) -> u64 {
        self.common(0, from).wrapping_sub(self.common(0, to))
    }

    /// Translates a virtual time of CPU `cpu` into one of the machine.
    fn common(&self, clock: u64, cpu: usize) -> u64 {
        clock.wrapping_add(self.offsets[cpu].load(Relaxed))
    }

    fn advance(&self, cpu: usize, by: u64) {
        self.offsets[cpu].fetch_add(by, Relaxed);
    }

    /// Returns by how much the clock of CPU `this` is ahead of that of `other`; wraps around below 0.
    fn lead(&self, this: usize, own: u64, other: usize, clock: u64) -> u64 {
        self.common(own, this)
            .wrapping_sub(self.common(clock, other))
    }

    /// Closes the gaps between the clocks of all `cpus` that run something, seen from `this`, before [`plan`] looks at them. Each clock is ahead of
    /// the next one by what a usual task may be owed, `MOST`, at most; a CPU that `has_idled` since
    /// the last time begins where the foremost stands.
    pub fn bound(&self, this: usize, has_idled: bool, cpus: u64, view: impl Fn(usize) -> View) {
        if self.changing.swap(true, Acquire) {
            return;
        }
        let own = self.common(view(this).clock, this);
        let mut busy = [(0_i64, 0_usize, 0_u32); MAX_CPUS];
        let mut found = 0;
        for cpu in place::cpus(cpus) {
            let View { load, clock } = view(cpu);
            if load.tasks > 0 && !(has_idled && cpu == this) {
                let ahead = self.common(clock, cpu).wrapping_sub(own).cast_signed();
                busy[found] = (ahead, cpu, load.usual_weight());
                found += 1;
            }
        }
        let busy = &mut busy[..found];
        busy.sort_unstable();
        let mut closed = 0_u64;
        for at in 1..busy.len() {
            let ((behind, _, one), (ahead, cpu, other)) = (busy[at - 1], busy[at]);
            let gap = ahead.abs_diff(behind);
            closed += gap.saturating_sub(virtual_ns(MOST, one.min(other)));
            if closed > 0 {
                self.advance(cpu, closed.wrapping_neg());
            }
        }
        if let (true, Some((ahead, ..))) = (has_idled, busy.last()) {
            self.advance(this, ahead.cast_unsigned().wrapping_sub(closed));
        }
        self.changing.store(false, Release);
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

/// When a CPU looks at the others: after 1, 2, 3, 4, 5, 1, … ticks.
///
/// Tasks take turns in time with the ticks; who looked in a steady rhythm would always find the same ones waiting.
#[derive(Debug, Default)]
pub struct Rhythm {
    round: u8,
    left: u8,
}

impl Rhythm {
    /// Begins with a look at the second tick.
    pub const fn new() -> Self {
        Self { round: 0, left: 1 }
    }

    /// Counts a tick, and returns whether it is time to look.
    pub fn is_due(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        self.left = self.round;
        self.round = (self.round + 1) % 5;
        true
    }
}
