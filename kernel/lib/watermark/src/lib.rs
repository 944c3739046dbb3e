//! When memory is fetched back in the background, and how much (kswapd's decisions).
//!
//! Programs must leave a reserve of frames free. Somewhat above it lie two marks: when fewer than `low`
//! frames are free, a kernel thread begins to fetch clean pages back, and goes on until `high` are free, so
//! that programs seldom have to do it themselves while they wait.
#![no_std]
#![forbid(unsafe_code)]

/// How many frames are fetched back at a time.
pub const BATCH: u64 = 32;
/// How many rounds in a row may bring nothing before the thread gives up for a while.
pub const PATIENCE: u32 = 3;

/// The two marks, in free frames.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Marks {
    /// Below it the thread begins.
    pub low: u64,
    /// At it the thread stops.
    pub high: u64,
}

/// What the thread does next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Next {
    /// Enough is free: wait until that changes.
    Sleep,
    /// Fetch so many frames back.
    Reclaim(u64),
    /// There is nothing to be had: look again after a while.
    GiveUp,
}

/// One effort to get from below `low` to `high`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Effort {
    in_vain: u32,
}

impl Marks {
    /// Places the marks above a reserve that programs leave free: a quarter and a half of it higher, but
    /// at least one and two batches.
    pub const fn above(reserve: u64) -> Self {
        let step = if reserve / 4 > BATCH {
            reserve / 4
        } else {
            BATCH
        };
        Self {
            low: reserve + step,
            high: reserve + 2 * step,
        }
    }
}

impl Effort {
    /// Begins anew.
    pub const fn new() -> Self {
        Self { in_vain: 0 }
    }

    /// Decides with `free` frames free.
    pub const fn next(&self, free: u64, marks: Marks) -> Next {
        if free >= marks.high {
            Next::Sleep
        } else if self.in_vain >= PATIENCE {
            Next::GiveUp
        } else if marks.high - free < BATCH {
            Next::Reclaim(marks.high - free)
        } else {
            Next::Reclaim(BATCH)
        }
    }

    /// Notes what came of a round.
    pub const fn note(&mut self, freed: u64) {
        self.in_vain = if freed == 0 { self.in_vain + 1 } else { 0 };
    }
}
