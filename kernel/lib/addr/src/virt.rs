//! Virtual addresses.
//!
//! A [`VirtAddr`] is any 64-bit value: a faulting instruction, a system-call argument or a
//! corrupt pointer can hold whatever it likes, so "is it canonical?" is a question, not an
//! invariant of the type.

use core::fmt;

use crate::{OFFSET_MASK, Page, USER_END, align_up};

/// Bits a 4-level page walk translates; the bits above repeat the highest of them.
const TRANSLATED_BITS: u32 = 48;

/// Bits that one level of the page-table tree consumes.
const INDEX_BITS: u32 = 9;

/// Any 64-bit virtual address, canonical or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct VirtAddr(u64);

impl VirtAddr {
    /// Wraps any 64-bit value; nothing is checked.
    pub const fn new(address: u64) -> Self {
        Self(address)
    }

    /// Returns the address as a number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Says whether a 4-level CPU accepts the address: bits 48 to 63 repeat bit 47.
    pub const fn is_canonical(self) -> bool {
        let unused = u64::BITS - TRANSLATED_BITS;
        ((self.0 << unused) as i64 >> unused) as u64 == self.0
    }

    /// Says whether user space may ever have something mapped here.
    pub const fn is_user(self) -> bool {
        self.0 < USER_END
    }

    /// Says whether the address has its highest bit set.
    pub const fn is_kernel_half(self) -> bool {
        self.0 >> 63 == 1
    }

    /// Returns the page that contains the address.
    pub const fn page(self) -> Page {
        Page::containing(self)
    }

    /// Returns the distance from the start of the page.
    pub const fn page_offset(self) -> u64 {
        self.0 & OFFSET_MASK
    }

    /// Returns the address `bytes` further up, or `None` if that wraps around.
    pub const fn checked_add(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// Returns the address `bytes` further down, or `None` if that wraps around.
    pub const fn checked_sub(self, bytes: u64) -> Option<Self> {
        match self.0.checked_sub(bytes) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// Returns the start of the page that contains the address.
    pub const fn align_down(self) -> Self {
        Self(self.0 & !OFFSET_MASK)
    }

    /// Returns the first page start at or above the address, or `None` past the last page.
    pub const fn align_up(self) -> Option<Self> {
        match align_up(self.0) {
            Some(aligned) => Some(Self(aligned)),
            None => None,
        }
    }

    /// Returns the slot that translates the address in the PML4.
    pub const fn pml4_index(self) -> usize {
        self.index(3)
    }

    /// Returns the slot that translates the address in its page-directory-pointer table.
    pub const fn pdpt_index(self) -> usize {
        self.index(2)
    }

    /// Returns the slot that translates the address in its page directory.
    pub const fn pd_index(self) -> usize {
        self.index(1)
    }

    /// Returns the slot that translates the address in its page table.
    pub const fn pt_index(self) -> usize {
        self.index(0)
    }

    /// Returns the slot at `level`, counted from 0 for the page table.
    const fn index(self, level: u32) -> usize {
        let shifted = self.0 >> (crate::PAGE_SHIFT + INDEX_BITS * level);
        (shifted & ((1 << INDEX_BITS) - 1)) as usize
    }
}

impl fmt::Debug for VirtAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtAddr({:#x})", self.0)
    }
}

impl fmt::LowerHex for VirtAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}
