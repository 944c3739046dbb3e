//! Physical addresses.

use core::fmt;

use crate::{Frame, OFFSET_MASK, align_up};

/// Any 64-bit physical address; whether memory answers there is not promised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct PhysAddr(u64);

impl PhysAddr {
    /// Wraps any 64-bit value; nothing is checked.
    pub const fn new(address: u64) -> Self {
        Self(address)
    }

    /// Returns the address as a number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Returns the frame that contains the address.
    pub const fn frame(self) -> Frame {
        Frame::containing(self)
    }

    /// Returns the distance from the start of the frame.
    pub const fn frame_offset(self) -> u64 {
        self.0 & OFFSET_MASK
    }

    /// Returns the address `bytes` further up, or `None` if that wraps around.
    pub const fn checked_add(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// Returns the start of the frame that contains the address.
    pub const fn align_down(self) -> Self {
        Self(self.0 & !OFFSET_MASK)
    }

    /// Returns the first frame start at or above the address, or `None` past the last one.
    pub const fn align_up(self) -> Option<Self> {
        match align_up(self.0) {
            Some(aligned) => Some(Self(aligned)),
            None => None,
        }
    }
}

impl fmt::Debug for PhysAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhysAddr({:#x})", self.0)
    }
}

impl fmt::LowerHex for PhysAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}
