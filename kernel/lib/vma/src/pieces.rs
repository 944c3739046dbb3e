//! Cutting a mapping in two and joining two into one.
//!
//! Neither changes what is promised for any page, so both may be done at any page, and
//! every other change is "cut at the edges, change what lies between, join at the edges".

use addr::Page;

use crate::{Backing, VmaSet};

impl<B: Backing> VmaSet<B> {
    /// Makes `page` the edge of a mapping if it lies inside one (VM-7).
    pub(crate) fn cut_at(&mut self, page: Page) {
        if self.cuts(page) {
            let upper = self.tree.update(page, |lower| lower.split_off(page));
            self.tree.insert(upper);
        }
    }

    /// Says whether `page` lies inside a mapping but not at its start.
    pub(crate) fn cuts(&self, page: Page) -> bool {
        self.find(page).is_some_and(|vma| vma.range.start < page)
    }

    /// Joins the mappings that meet at `page`, if there are two and they belong together.
    pub(crate) fn join_at(&mut self, page: Page) {
        let Some(upper) = self.find_from(page) else {
            return;
        };
        let lower = self.prev_of(page);
        if let Some(lower) = lower.filter(|lower| lower.merges_with(upper)) {
            let lower = lower.range.start;
            let upper = self.tree.remove(page);
            self.tree.update(lower, |lower| lower.absorb(&upper));
        }
    }
}
