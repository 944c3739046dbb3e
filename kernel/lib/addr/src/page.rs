//! Virtual page numbers.

use core::fmt;

use crate::{PAGE_SHIFT, VirtAddr};

/// A virtual page, named by its number (address divided by the page size).
///
/// Numbers run from 0 to 2^52 - 1. 2^52 itself is allowed as the end of a range.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Page(u64);

impl Page {
    /// The end of every range that contains the last page of the address space.
    pub const END: Self = Self(1 << (u64::BITS - PAGE_SHIFT));

    /// Names a page by number; it is not checked against [`Page::END`].
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the page that contains `address`.
    pub const fn containing(address: VirtAddr) -> Self {
        Self(address.as_u64() >> PAGE_SHIFT)
    }

    /// Returns the page number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Returns the address of the first byte; for [`Page::END`] that wraps to 0.
    pub const fn start(self) -> VirtAddr {
        VirtAddr::new(self.0 << PAGE_SHIFT)
    }

    /// Returns the page above, which for the last page is [`Page::END`].
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Returns the page `pages` further up, or `None` beyond [`Page::END`].
    pub const fn checked_add(self, pages: u64) -> Option<Self> {
        match self.0.checked_add(pages) {
            Some(number) if number <= Self::END.0 => Some(Self(number)),
            _ => None,
        }
    }

    /// Returns the page `pages` further down, or `None` below page 0.
    pub const fn checked_sub(self, pages: u64) -> Option<Self> {
        match self.0.checked_sub(pages) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({:#x})", u128::from(self.0) << PAGE_SHIFT)
    }
}
