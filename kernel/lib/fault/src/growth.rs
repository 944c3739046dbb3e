//! May a stack grow down to this page? (SG-1 to SG-6)

use addr::{MMAP_MIN_ADDR, PAGE_SIZE, Page, PageRange};
use vma::STACK_GUARD_GAP;

use crate::SegvCode;

/// An access below a mapping that grows down, and everything that may forbid the growth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Growth {
    /// The page that was accessed.
    pub addr: Page,
    /// The stack as it is.
    pub vma: PageRange,
    /// The next mapping below.
    pub prev: Option<Neighbour>,
    /// `RLIMIT_STACK` in bytes, as it is now (SG-5).
    pub stack_limit: u64,
    /// How many pages `RLIMIT_AS` leaves.
    pub as_pages_left: u64,
}

/// The mapping below a stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// Its pages.
    pub range: PageRange,
    /// Whether it allows any access. If it does not, it is a guard itself.
    pub accessible: bool,
    /// Whether it grows down, too.
    pub growsdown: bool,
}

/// Returns the pages to add below the stack so that it contains the accessed page; they
/// are none if it does already, because somebody else was faster (SG-2).
///
/// The distance to the stack pointer does not matter (SG-1), and the pages in between are
/// only promised, not brought in (SG-6).
///
/// # Errors
/// Always [`SegvCode::MapErr`], for any of the reasons of SG-3.
pub const fn stack_growth(growth: &Growth) -> Result<PageRange, SegvCode> {
    let start = growth.vma.start;
    if start.number() <= growth.addr.number() {
        return Ok(PageRange::new(start, start));
    }
    let added = PageRange::new(growth.addr, start);
    let refused = growth.addr.number() < MMAP_MIN_ADDR / PAGE_SIZE
        || crowds(growth)
        || exceeds_stack_limit(growth)
        || growth.as_pages_left < added.len();
    if refused {
        Err(SegvCode::MapErr)
    } else {
        Ok(added)
    }
}

/// Says whether the grown stack would come too close to the mapping below.
const fn crowds(growth: &Growth) -> bool {
    match &growth.prev {
        Some(prev) if prev.accessible && !prev.growsdown => {
            let gap = growth.addr.number().saturating_sub(prev.range.end.number());
            gap < STACK_GUARD_GAP
        }
        _ => false,
    }
}

/// Says whether the grown stack would be larger than `RLIMIT_STACK`.
const fn exceeds_stack_limit(growth: &Growth) -> bool {
    let pages = growth.vma.end.number().saturating_sub(growth.addr.number());
    pages > growth.stack_limit / PAGE_SIZE
}
