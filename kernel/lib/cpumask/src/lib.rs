//! Sets of processors: 64 of them, one bit each.
//!
//! [`CpuMask`] is a value; [`AtomicCpuMask`] is one that all CPUs may change, one CPU's bit at a time.
//! Numbers of [`MAX_CPUS`] and more are in no set: asking for one says no, putting one in is a broken
//! invariant of the caller's.

#![no_std]
#![forbid(unsafe_code)]

mod atomic;
mod mask;

pub use atomic::AtomicCpuMask;
pub use mask::{CpuMask, Iter};

/// How many processors a set can hold.
pub const MAX_CPUS: usize = 64;
