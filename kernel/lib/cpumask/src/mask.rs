//! A set of processors as a value.

use core::fmt;
use core::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Not, Sub, SubAssign};

use crate::MAX_CPUS;

/// A set of processors; bit N stands for processor N.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CpuMask(u64);

impl CpuMask {
    /// No processor.
    pub const EMPTY: Self = Self(0);
    /// Every processor that a set can hold.
    pub const ALL: Self = Self(u64::MAX);

    /// Makes the set of processor `cpu` alone.
    ///
    /// # Panics
    /// If `cpu` is not below [`MAX_CPUS`].
    #[inline]
    pub const fn of(cpu: usize) -> Self {
        assert!(cpu < MAX_CPUS, "a processor's number is below 64");
        Self(1 << cpu)
    }

    /// Makes the set of processors `0..count`; more than [`MAX_CPUS`] are all of them.
    #[inline]
    pub const fn first_n(count: usize) -> Self {
        if count >= MAX_CPUS {
            Self::ALL
        } else {
            Self((1 << count) - 1)
        }
    }

    /// Makes a set from its bits.
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the bits.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns whether there is no processor in it.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns how many processors are in it.
    #[inline]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Returns whether `cpu` is in it.
    #[inline]
    pub const fn contains(self, cpu: usize) -> bool {
        cpu < MAX_CPUS && self.0 >> cpu & 1 != 0
    }

    /// Returns whether all of `other` is in it.
    #[inline]
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Returns whether the two have a processor in common.
    #[inline]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns the set with `cpu` in it.
    ///
    /// # Panics
    /// If `cpu` is not below [`MAX_CPUS`].
    #[inline]
    pub const fn with(self, cpu: usize) -> Self {
        Self(self.0 | Self::of(cpu).0)
    }

    /// Returns the set without `cpu`.
    #[inline]
    pub const fn without(self, cpu: usize) -> Self {
        if cpu < MAX_CPUS {
            Self(self.0 & !(1 << cpu))
        } else {
            self
        }
    }

    /// Returns the lowest processor.
    #[inline]
    pub const fn first(self) -> Option<usize> {
        if self.0 == 0 {
            None
        } else {
            Some(self.0.trailing_zeros() as usize)
        }
    }

    /// Returns the lowest processor above `cpu`, else the lowest of all: the next one in a circle.
    #[inline]
    pub const fn next_after(self, cpu: usize) -> Option<usize> {
        let above = if cpu >= MAX_CPUS - 1 {
            0
        } else {
            self.0 & (u64::MAX << (cpu + 1))
        };
        if above != 0 {
            Some(above.trailing_zeros() as usize)
        } else {
            self.first()
        }
    }

    /// Returns the processors in ascending order.
    #[inline]
    pub const fn iter(self) -> Iter {
        Iter(self)
    }
}

/// The processors of a set, in ascending order.
#[derive(Clone, Debug)]
pub struct Iter(CpuMask);

impl Iterator for Iter {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let cpu = self.0.first()?;
        self.0 = self.0.without(cpu);
        Some(cpu)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for Iter {}

impl IntoIterator for CpuMask {
    type Item = usize;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}

impl FromIterator<usize> for CpuMask {
    fn from_iter<I: IntoIterator<Item = usize>>(cpus: I) -> Self {
        cpus.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl BitOr for CpuMask {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for CpuMask {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for CpuMask {
    type Output = Self;

    #[inline]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitAndAssign for CpuMask {
    #[inline]
    fn bitand_assign(&mut self, other: Self) {
        self.0 &= other.0;
    }
}

/// What is in the first set and not in the second.
impl Sub for CpuMask {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl SubAssign for CpuMask {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        self.0 &= !other.0;
    }
}

impl Not for CpuMask {
    type Output = Self;

    #[inline]
    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// As Linux lists processors: `0-3,5`; nothing for the empty set.
impl fmt::Display for CpuMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = *self;
        let mut separator = "";
        while let Some(first) = rest.first() {
            let run = (rest.0 >> first).trailing_ones() as usize;
            let last = first + run - 1;
            match run {
                1 => write!(f, "{separator}{first}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
            rest -= Self::first_n(last + 1) - Self::first_n(first);
            separator = ",";
        }
        Ok(())
    }
}
