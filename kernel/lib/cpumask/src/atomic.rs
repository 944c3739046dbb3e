//! A set of processors that all of them may change.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

use crate::CpuMask;

/// A set that any CPU may read and change. All orders are sequentially consistent: whoever puts itself in
/// and then looks at something sees what was done before somebody else found it missing, or is found
/// (the shape of LZ-15).
#[derive(Debug, Default)]
pub struct AtomicCpuMask(AtomicU64);

impl AtomicCpuMask {
    /// Makes a set.
    pub const fn new(cpus: CpuMask) -> Self {
        Self(AtomicU64::new(cpus.bits()))
    }

    /// Returns the set as it is now.
    #[inline]
    pub fn load(&self) -> CpuMask {
        CpuMask::from_bits(self.0.load(SeqCst))
    }

    /// Replaces the whole set.
    pub fn store(&self, cpus: CpuMask) {
        self.0.store(cpus.bits(), SeqCst);
    }

    /// Puts `cpu` in and returns the set before that.
    #[inline]
    pub fn fetch_insert(&self, cpu: usize) -> CpuMask {
        CpuMask::from_bits(self.0.fetch_or(CpuMask::of(cpu).bits(), SeqCst))
    }

    /// Puts `cpu` in; returns whether it was not there before.
    #[inline]
    pub fn insert(&self, cpu: usize) -> bool {
        !self.fetch_insert(cpu).contains(cpu)
    }

    /// Takes `cpu` out; returns whether it was there before.
    #[inline]
    pub fn remove(&self, cpu: usize) -> bool {
        let bit = CpuMask::of(cpu).bits();
        self.0.fetch_and(!bit, SeqCst) & bit != 0
    }

    /// Returns whether `cpu` is in it.
    #[inline]
    pub fn contains(&self, cpu: usize) -> bool {
        self.load().contains(cpu)
    }

    /// Takes all of them out and returns who was in.
    pub fn take(&self) -> CpuMask {
        CpuMask::from_bits(self.0.swap(0, SeqCst))
    }
}
