//! Looking mappings up, adding them, taking them away.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use addr::{Page, PageRange};

use crate::{Backing, Totals, Vma};

/// The mappings of one address space. See the crate's head for the invariants.
#[derive(Clone, Debug)]
pub struct VmaSet<B> {
    /// Every mapping under its first page.
    pub(crate) by_start: BTreeMap<Page, Vma<B>>,
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
            by_start: BTreeMap::new(),
            totals: Totals::ZERO,
        }
    }

    /// Returns the number of mappings.
    pub fn len(&self) -> usize {
        self.by_start.len()
    }

    /// Says whether there is no mapping.
    pub fn is_empty(&self) -> bool {
        self.by_start.is_empty()
    }

    /// Returns the number of pages in all mappings, by what they count as.
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Visits all mappings, lowest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Vma<B>> {
        self.by_start.values()
    }

    /// Returns the mapping that contains `page`.
    pub fn find(&self, page: Page) -> Option<&Vma<B>> {
        self.last_from(page).filter(|vma| page < vma.range.end)
    }

    /// Returns the first mapping that ends above `page`: it contains the page, or is the
    /// next one above, which a fault may extend if it is a stack (PF-8).
    pub fn find_from(&self, page: Page) -> Option<&Vma<B>> {
        self.find(page)
            .or_else(|| self.by_start.range(page..).next().map(|(_, vma)| vma))
    }

    /// Returns the last mapping that ends at or below `page`.
    pub fn prev_of(&self, page: Page) -> Option<&Vma<B>> {
        let below = self.by_start.range(..page).rev().map(|(_, vma)| vma);
        below.take(2).find(|vma| vma.range.end <= page)
    }

    /// Says whether no mapping has a page in `range`.
    pub fn is_free(&self, range: PageRange) -> bool {
        self.overlapping(range).next().is_none()
    }

    /// Visits the mappings that have a page in `range`, lowest first.
    pub fn overlapping(&self, range: PageRange) -> impl Iterator<Item = &Vma<B>> {
        let first = self
            .find(range.start)
            .map_or(range.start, |vma| vma.range.start);
        self.by_start
            .range(first..)
            .map(|(_, vma)| vma)
            .take_while(move |vma| vma.range.overlaps(&range))
    }

    /// Takes all mappings away and returns them, lowest first.
    pub fn clear(&mut self) -> Vec<Vma<B>> {
        self.totals = Totals::ZERO;
        core::mem::take(&mut self.by_start).into_values().collect()
    }

    /// Returns the last mapping that starts at or below `page`.
    fn last_from(&self, page: Page) -> Option<&Vma<B>> {
        self.by_start.range(..=page).next_back().map(|(_, vma)| vma)
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
        assert!(!vma.range.is_empty(), "a mapping has at least one page");
        if !self.is_free(vma.range) {
            return Err(Overlap);
        }
        let PageRange { start, end } = vma.range;
        self.totals.add(vma.range, vma.flags);
        self.by_start.insert(start, vma);
        self.join_at(start);
        self.join_at(end);
        Ok(())
    }

    /// Takes the pages of `range` out of all mappings and hands each that was taken to `each`,
    /// lowest first (VM-7, VM-8). Mappings that stick out of the range are cut; holes are fine.
    pub fn unmap_each(&mut self, range: PageRange, mut each: impl FnMut(Vma<B>)) {
        if range.is_empty() {
            return;
        }
        self.cut_at(range.start);
        self.cut_at(range.end);
        while let Some(start) = self.first_in(range) {
            each(self.take(start));
        }
    }

    /// Like [`Self::unmap_each`], but returns a list of what was taken.
    pub fn unmap(&mut self, range: PageRange) -> Vec<Vma<B>> {
        let mut taken = Vec::new();
        self.unmap_each(range, |vma| taken.push(vma));
        taken
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

    /// Says whether `page` lies inside a mapping but not at its start.
    fn cuts(&self, page: Page) -> bool {
        self.find(page).is_some_and(|vma| vma.range.start < page)
    }

    /// Returns where the first mapping with a page in `range` starts.
    fn first_in(&self, range: PageRange) -> Option<Page> {
        self.overlapping(range).next().map(|vma| vma.range.start)
    }

    /// Takes out the mapping that starts at `start`.
    pub(crate) fn take(&mut self, start: Page) -> Vma<B> {
        let vma = self
            .by_start
            .remove(&start)
            .expect("a mapping starts at the given page");
        self.totals.remove(vma.range, vma.flags);
        vma
    }
}
