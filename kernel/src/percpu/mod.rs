//! What each CPU has for itself: its number, its preemption count, and arrays of per-CPU state.
//!
//! The head of a CPU's private data ([`crate::arch::local::CpuHead`]) is found through GS and holds
//! only what entry code needs. Everything else is a [`PerCpu`] array owned by the layer that uses
//! it, indexed by [`cpu_id`], so that no layer has to name the types of the layers above it.
//!
//! - [`counters`]: what this kernel claims, in numbers.
//! - [`tally`]: numbers that each CPU changes with one instruction, and nobody waits for.

pub mod counters;
pub mod tally;

/// The largest number of CPUs this kernel is built for.
pub use cpumask::MAX_CPUS;

use crate::arch::local;

/// Returns the number of the CPU this runs on: `0..MAX_CPUS`.
///
/// Stays true only while the caller cannot migrate (interrupts off, or preemption disabled).
#[inline]
pub fn cpu_id() -> usize {
    local::cpu_id() as usize
}

/// One `T` for each CPU.
///
/// Does not promise exclusive access: `T` is shared, so it is made of atomics or locks.
pub struct PerCpu<T>([T; MAX_CPUS]);

impl<T> PerCpu<T> {
    /// Wraps an array that has one element for each possible CPU.
    pub const fn new(each: [T; MAX_CPUS]) -> Self {
        Self(each)
    }

    /// Returns this CPU's element.
    #[inline]
    pub fn this(&self) -> &T {
        &self.0[cpu_id() % MAX_CPUS]
    }

    /// Returns the element of CPU `cpu`.
    pub fn of(&self, cpu: usize) -> &T {
        &self.0[cpu]
    }
}
