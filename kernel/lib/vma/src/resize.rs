//! Mappings that move one edge: the stack downwards, the heap's end both ways.
//!
//! Whether they may is decided before (`fault::stack_growth`, the limits of `brk`).

use addr::{Page, PageRange};

use crate::{Backing, VmaSet};

impl<B: Backing> VmaSet<B> {
    /// Extends the mapping that starts at `stack_start` down to `new_start` (SG-6).
    ///
    /// The backing stays: only anonymous memory grows down, where every page is alike.
    ///
    /// # Panics
    /// If no mapping starts at `stack_start` or a page on the way down is taken.
    pub fn grow_down(&mut self, stack_start: Page, new_start: Page) {
        let added = PageRange::new(new_start, stack_start);
        assert!(self.is_free(added), "a stack grows only into free pages");
        let mut stack = self.take(stack_start);
        stack.range.start = new_start;
        self.put_back(stack);
    }

    /// Makes the mapping that starts at `start` end at `new_end`, further up or further
    /// down; at `start` itself the mapping is gone.
    ///
    /// # Panics
    /// If no mapping starts at `start` or a page on the way up is taken.
    pub fn resize_end(&mut self, start: Page, new_end: Page) {
        let mut vma = self.take(start);
        vma.range = PageRange::new(start, new_end);
        if !vma.range.is_empty() {
            self.put_back(vma);
        }
    }

    /// Inserts a mapping that was taken out to be changed.
    fn put_back(&mut self, vma: crate::Vma<B>) {
        self.insert(vma)
            .expect("a mapping is only resized into free pages");
    }
}
