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
    /// A new mapping usually ends where the previous one began. The search visits a few nodes,
    /// not all mappings above the gap.
    pub fn find_gap(&self, pages: u64, floor: Page, ceiling: Page) -> Option<Page> {
        self.tree.find_gap(pages, floor, ceiling)
    }

    /// Says whether a mapping of `range` would be placed where the caller hinted: the range
    /// is free and keeps the gap of the stack above it (VM-4).
    pub fn hint_ok(&self, range: PageRange) -> bool {
        let next = self.find_from(range.start);
        next.is_none_or(|vma| range.end <= vma.start_with_gap())
    }
}
