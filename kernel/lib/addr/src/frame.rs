//! Physical frame numbers.

use core::fmt;

use crate::{PAGE_SHIFT, PhysAddr};

/// A physical frame, named by its number (address divided by the page size).
///
/// The type does not promise that memory exists there, nor who owns it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Frame(u64);

impl Frame {
    /// The first number no x86_64 page-table entry can hold: physical addresses have 52 bits.
    pub const END: Self = Self(1 << (52 - PAGE_SHIFT));

    /// Names a frame by number; it is not checked against [`Frame::END`].
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the frame that contains `address`.
    pub const fn containing(address: PhysAddr) -> Self {
        Self(address.as_u64() >> PAGE_SHIFT)
    }

    /// Returns the frame number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Returns the address of the first byte.
    pub const fn start(self) -> PhysAddr {
        PhysAddr::new(self.0 << PAGE_SHIFT)
    }

    /// Returns the frame above.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Returns the frame `frames` further up.
    ///
    /// # Panics
    /// If the number does not fit into 64 bits: frames are never counted by user space.
    pub const fn add(self, frames: u64) -> Self {
        match self.0.checked_add(frames) {
            Some(number) => Self(number),
            None => panic!("frame number overflows 64 bits"),
        }
    }

    /// Returns the frame `frames` further up, or `None` beyond [`Frame::END`].
    pub const fn checked_add(self, frames: u64) -> Option<Self> {
        match self.0.checked_add(frames) {
            Some(number) if number <= Self::END.0 => Some(Self(number)),
            _ => None,
        }
    }

    /// Returns the frame `frames` further down, or `None` below frame 0.
    pub const fn checked_sub(self, frames: u64) -> Option<Self> {
        match self.0.checked_sub(frames) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({:#x})", u128::from(self.0) << PAGE_SHIFT)
    }
}
