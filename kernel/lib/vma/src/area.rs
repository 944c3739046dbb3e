//! One mapping.

use addr::{Page, PageRange};

use crate::{Backing, VmFlags};

/// A range of pages with the same properties, backed by one source without a jump in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vma<B> {
    /// The pages.
    pub range: PageRange,
    /// What is allowed.
    pub flags: VmFlags,
    /// Where the contents of the first page and of those after it come from.
    pub backing: B,
}

impl<B> Vma<B> {
    /// Returns the number of pages.
    pub const fn pages(&self) -> u64 {
        self.range.len()
    }

    /// Returns the lowest page a new mapping must leave free below this one (SG-4).
    pub(crate) const fn start_with_gap(&self) -> Page {
        if self.flags.contains(VmFlags::GROWSDOWN) {
            let start = self.range.start.number();
            Page::new(start.saturating_sub(crate::STACK_GUARD_GAP))
        } else {
            self.range.start
        }
    }
}

impl<B: Backing> Vma<B> {
    /// Cuts off and returns everything from `page` on, which must lie inside.
    pub(crate) fn split_off(&mut self, page: Page) -> Self {
        let upper = Self {
            range: PageRange::new(page, self.range.end),
            flags: self.flags,
            backing: self
                .backing
                .advance(page.number() - self.range.start.number()),
        };
        self.range.end = page;
        upper
    }

    /// Cuts off and returns everything below `page`, which must lie inside.
    pub(crate) fn split_off_below(&mut self, page: Page) -> Self {
        let upper = self.split_off(page);
        core::mem::replace(self, upper)
    }

    /// Says whether `next` could be the rest of this mapping (VM-6).
    pub(crate) fn merges_with(&self, next: &Self) -> bool {
        self.range.end == next.range.start
            && self.flags.joins(next.flags)
            && next.backing.continues(&self.backing, self.pages())
    }

    /// Takes over the pages of `next`, which [`Self::merges_with`] found fit.
    pub(crate) fn absorb(&mut self, next: &Self) {
        self.range.end = next.range.end;
        self.flags |= next.flags;
    }

    /// Takes over the pages of `prev`, whose `merges_with` found this one fit.
    pub(crate) fn absorb_below(&mut self, mut prev: Self) {
        prev.absorb(self);
        *self = prev;
    }
}
