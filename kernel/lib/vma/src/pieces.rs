//! Cutting a mapping in two and joining two into one.
//!
//! Neither changes what is promised for any page, so both may be done at any page, and
//! every other change is "cut at the edges, change what lies between, join at the edges".

use addr::Page;

use crate::{Backing, Vma, VmaSet};

impl<B: Backing> VmaSet<B> {
    /// Makes `page` the edge of a mapping if it lies inside one (VM-7).
    pub(crate) fn cut_at(&mut self, page: Page) {
        let Some(lower) = self.last_below_mut(page) else {
            return;
        };
        if page < lower.range.end {
            let upper = lower.split_off(page);
            self.by_start.insert(page, upper);
        }
    }

    /// Joins the mappings that meet at `page`, if there are two and they belong together.
    pub(crate) fn join_at(&mut self, page: Page) {
        let upper = self.by_start.get(&page);
        let lower = self.by_start.range(..page).next_back();
        let joins = match (lower, upper) {
            (Some((_, lower)), Some(upper)) => lower.merges_with(upper),
            _ => false,
        };
        if joins
            && let Some(upper) = self.by_start.remove(&page)
            && let Some(lower) = self.last_below_mut(page)
        {
            lower.absorb(&upper);
        }
    }

    /// Returns the last mapping that starts below `page`.
    fn last_below_mut(&mut self, page: Page) -> Option<&mut Vma<B>> {
        self.by_start
            .range_mut(..page)
            .next_back()
            .map(|(_, vma)| vma)
    }
}
