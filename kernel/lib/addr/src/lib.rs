//! Addresses, pages, frames and half-open ranges of them, as types.
//!
//! A virtual and a physical address are both 64 bits wide and mean nothing to each other;
//! here they cannot be mixed up. Everything is plain arithmetic: no table is walked and no
//! memory is touched. Constructors say whether they check; none of them panics on a value
//! that user space can choose.
//!
//! Reading order: [`VirtAddr`] and [`PhysAddr`], then [`Page`] and [`Frame`] (the same
//! numbers shifted by [`PAGE_SHIFT`]), then [`PageRange`] and [`FrameRange`].
#![no_std]
#![forbid(unsafe_code)]

mod frame;
mod page;
mod phys;
mod range;
mod user;
mod virt;

pub use frame::Frame;
pub use page::Page;
pub use phys::PhysAddr;
pub use range::{FrameRange, FrameRangeIter, PageRange, PageRangeIter};
pub use user::{MMAP_MIN_ADDR, USER_END, user_range};
pub use virt::VirtAddr;

/// Number of address bits below the page number.
pub const PAGE_SHIFT: u32 = 12;

/// Size of a page and of a frame in bytes.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;

/// The bits of an address that lie inside its page.
const OFFSET_MASK: u64 = PAGE_SIZE - 1;

/// Rounds up to a multiple of the page size, or `None` if that is 2^64 or more.
const fn align_up(value: u64) -> Option<u64> {
    match value.checked_add(OFFSET_MASK) {
        Some(sum) => Some(sum & !OFFSET_MASK),
        None => None,
    }
}
