//! Looking mappings up, adding them, taking them away.

use alloc::vec::Vec;
use core::fmt;

use addr::{Page, PageRange};

use crate::tree::Tree;
use crate::{Backing, Totals, Vma};

/// The mappings of one address space. See the crate's head for the invariants.
#[derive(Clone, Debug)]
pub struct VmaSet<B> {
    /// The mappings.
    pub(crate) tree: Tree<B>,
    /// Their pages, counted.
    pub(crate) totals: Totals,
}

/// A new mapping would have covered a page of an old one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overlap;

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the range overlaps a mapping")
    }
}

impl core::error::Error for Overlap {}

impl<B> Default for VmaSet<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> VmaSet<B> {
    /// Makes a set without mappings; it allocates nothing.
    pub const fn new() -> Self {
        Self {
            tree: Tree::new(),
            totals: Totals::ZERO,
        }
    }

    /// Returns the number of mappings.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Says whether there is no mapping.
    pub fn is_empty(&self) -> bool {
        self.tree.len() == 0
    }

    /// Returns the number of pages in all mappings, by what they count as.
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Visits all mappings, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = &Vma<B>> {
        self.tree.iter_from(Page::new(0))
    }

    /// Returns the mapping that contains `page`.
    pub fn find(&self, page: Page) -> Option<&Vma<B>> {
        self.find_from(page).filter(|vma| vma.range.start <= page)
    }

    /// Returns the first mapping that ends above `page`: it contains the page, or is the
    /// next one above, which a fault may extend if it is a stack (PF-8).
    pub fn find_from(&self, page: Page) -> Option<&Vma<B>> {
        self.tree.find_from(page)
    }

    /// Returns the last mapping that ends at or below `page`.
    pub fn prev_of(&self, page: Page) -> Option<&Vma<B>> {
        self.tree.prev_of(page)
    }

    /// Says whether no mapping has a page in `range`.
    pub fn is_free(&self, range: PageRange) -> bool {
        self.first_in(range).is_none()
    }

    /// Visits the mappings that have a page in `range`, lowest first.
    pub fn overlapping(&self, range: PageRange) -> impl Iterator<Item = &Vma<B>> {
        self.tree
            .iter_from(range.start)
            .take_while(move |vma| vma.range.overlaps(&range))
    }

    /// Returns the first mapping with a page in `range`.
    pub(crate) fn first_in(&self, range: PageRange) -> Option<&Vma<B>> {
        let first = self.find_from(range.start);
        first.filter(|vma| vma.range.overlaps(&range))
    }
}

impl<B: Backing> VmaSet<B> {
    /// Adds a mapping and joins it with its neighbours where that is possible (VM-6).
    ///
    /// # Errors
    /// [`Overlap`] if one of its pages is taken; then nothing has changed.
    ///
    /// # Panics
    /// If the mapping has no page: the caller refuses a length of zero long before.
    pub fn insert(&mut self, vma: Vma<B>) -> Result<(), Overlap> {
        let PageRange { start, end } = vma.range;
        assert!(start < end, "a mapping has at least one page");
        let next = self.find_from(start);
        if next.is_some_and(|next| next.range.start < end) {
            return Err(Overlap);
        }
        let meets_next = next.is_some_and(|next| vma.merges_with(next));
        let prev = self.prev_of(start).filter(|prev| prev.merges_with(&vma));
        let prev = prev.map(|prev| prev.range.start);
        self.totals.add(vma.range, vma.flags);
        match prev {
            Some(prev) => {
                self.tree.update(prev, |prev| prev.absorb(&vma));
                if meets_next {
                    self.join_at(end);
                }
            }
            None if meets_next => self.tree.update(end, |next| next.absorb_below(vma)),
            None => self.tree.insert(vma),
        }
        Ok(())
    }

    /// Takes the pages of `range` out of all mappings and hands each that was taken to `each`,
    /// lowest first (VM-7, VM-8). Mappings that stick out of the range are cut; holes are fine.
    pub fn unmap_each(&mut self, range: PageRange, mut each: impl FnMut(Vma<B>)) {
        while let Some(vma) = self.first_in(range) {
            let taken = self.take_part(vma.range, range);
            self.totals.remove(taken.range, taken.flags);
            each(taken);
        }
    }

    /// Like [`Self::unmap_each`], but returns a list of what was taken.
    pub fn unmap(&mut self, range: PageRange) -> Vec<Vma<B>> {
        let mut taken = Vec::new();
        self.unmap_each(range, |vma| taken.push(vma));
        taken
    }

    /// Takes what lies in `range` out of the mapping with the pages `vma`, which overlap.
    fn take_part(&mut self, vma: PageRange, range: PageRange) -> Vma<B> {
        let cut_above = range.end < vma.end;
        if vma.start < range.start {
            let mut taken = self
                .tree
                .update(vma.start, |vma| vma.split_off(range.start));
            if cut_above {
                self.tree.insert(taken.split_off(range.end));
            }
            taken
        } else if cut_above {
            self.tree
                .update(vma.start, |vma| vma.split_off_below(range.end))
        } else {
            self.tree.remove(vma.start)
        }
    }

    /// Returns how many mappings have to be cut in two so that `range` begins and ends at
    /// the edge of a mapping: 0, 1 or 2 more mappings.
    ///
    /// [`VmaSet::protect`] adds at most that many. [`VmaSet::unmap`] adds one at most, and
    /// that only if both cuts hit the same mapping.
    pub fn splits_needed(&self, range: PageRange) -> usize {
        if range.is_empty() {
            return 0;
        }
        usize::from(self.cuts(range.start)) + usize::from(self.cuts(range.end))
    }
}
