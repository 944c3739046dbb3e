//! Where a new mapping may go.

use addr::{Page, PageRange};

use crate::VmaSet;

/// Pages that stay free below a mapping that grows down, so that a stack which runs over
/// faults instead of writing into its neighbour (SG-4).
pub const STACK_GUARD_GAP: u64 = 256;

impl<B> VmaSet<B> {
    /// Returns the highest place for `pages` pages that begins at or above `floor`, ends at
    /// or below `ceiling`, is free and keeps the gap of the stack above it (VM-4, SG-4).
    ///
    /// The walk goes down from `ceiling` and takes the first gap that is wide enough, so
    /// a new mapping usually ends where the previous one began.
    pub fn find_gap(&self, pages: u64, floor: Page, ceiling: Page) -> Option<Page> {
        let above = self.find_from(ceiling).map(|vma| vma.start_with_gap());
        let mut top = above.map_or(ceiling, |start| start.min(ceiling));
        for (_, below) in self.by_start.range(..ceiling).rev() {
            if let Some(start) = highest_start(pages, floor.max(below.range.end), top) {
                return Some(start);
            }
            if below.range.start <= floor {
                return None;
            }
            top = below.start_with_gap();
        }
        highest_start(pages, floor, top)
    }

    /// Says whether a mapping of `range` would be placed where the caller hinted: the range
    /// is free and keeps the gap of the stack above it (VM-4).
    pub fn hint_ok(&self, range: PageRange) -> bool {
        let next = self.find_from(range.start);
        next.is_none_or(|vma| range.end <= vma.start_with_gap())
    }
}

/// Returns where `pages` pages that end at `top` begin, or `None` below `floor`.
fn highest_start(pages: u64, floor: Page, top: Page) -> Option<Page> {
    top.checked_sub(pages).filter(|start| floor <= *start)
}
