//! Mappings that move one edge: the stack downwards, the heap's end both ways.
//!
//! Whether they may is decided before (`fault::stack_growth`, the limits of `brk`).

use addr::{Page, PageRange};

use crate::{Backing, VmaSet};

impl<B: Backing> VmaSet<B> {
    /// Extends the mapping that starts at `stack_start` down to `new_start` (SG-6).
    ///
    /// The pages that were there keep what they show: the backing begins as many pages earlier.
    ///
    /// # Panics
    /// If no mapping starts at `stack_start` or a page on the way down is taken.
    pub fn grow_down(&mut self, stack_start: Page, new_start: Page) {
        let added = PageRange::new(new_start, stack_start);
        assert!(self.is_free(added), "a stack grows only into free pages");
        self.assert_start(stack_start);
        let flags = self.tree.update(stack_start, |stack| {
            stack.range.start = new_start;
            stack.backing = stack.backing.retreat(added.len());
            stack.flags
        });
        self.totals.add(added, flags);
        self.join_at(new_start);
    }

    /// Makes the mapping that starts at `start` end at `new_end`, further up or further
    /// down; at `start` itself the mapping is gone.
    ///
    /// # Panics
    /// If no mapping starts at `start` or a page on the way up is taken.
    pub fn resize_end(&mut self, start: Page, new_end: Page) {
        let old = self.assert_start(start);
        assert!(start <= new_end, "a mapping ends above its start");
        if new_end < old.end {
            self.unmap_each(PageRange::new(new_end, old.end), drop);
            return;
        }
        let added = PageRange::new(old.end, new_end);
        assert!(
            self.is_free(added),
            "a mapping is only resized into free pages"
        );
        let flags = self.tree.update(start, |vma| {
            vma.range.end = new_end;
            vma.flags
        });
        self.totals.add(added, flags);
        self.join_at(new_end);
    }

    /// Returns the pages of the mapping that starts at `start`.
    fn assert_start(&self, start: Page) -> PageRange {
        let vma = self.find(start).filter(|vma| vma.range.start == start);
        vma.expect("a mapping starts at the given page").range
    }
}
