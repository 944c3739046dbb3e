//! Numbers of which each CPU has a part, and only the sum means something.
//!
//! A CPU changes its own part with one instruction, in no cache line of another's. The sum is exact where nobody
//! counts at that moment.

use super::MAX_CPUS;
use crate::arch::local;

/// Where the frames' owners are counted: behind the counters.
pub const OWNERS: usize = local::WORDS - 16;

/// One such number.
#[derive(Clone, Copy)]
pub struct Tally(usize);

impl Tally {
    /// Names number `index`, of which there is one user.
    pub const fn new(index: usize) -> Self {
        assert!(index < local::WORDS, "each CPU has room for the number");
        Self(index)
    }

    /// Adds `n` to this CPU's part.
    #[inline(always)]
    pub fn add(self, n: i64) {
        local::add_word(self.0, n);
    }

    /// Adds one to this CPU's part.
    #[inline(always)]
    pub fn inc(self) {
        local::inc_word(self.0);
    }

    /// Returns the part of CPU `cpu`, which may be negative where another's makes up for it.
    pub fn of(self, cpu: usize) -> i64 {
        local::word(cpu, self.0)
    }

    /// Returns the sum.
    pub fn sum(self) -> i64 {
        (0..MAX_CPUS).map(|cpu| self.of(cpu)).sum()
    }
}
