//! Frames on their way out: unhooked from the page tables, not yet free.
//!
//! A [`Gather`] is an obligation: what it holds goes back to the allocator only in
//! [`Gather::finish`], after the TLB flush (I-6). Pages wait in a small array, each with the
//! reference its PTE had; when that is full the caller lets go of the page-table lock and finishes.
//! Tables belong to nobody else, so they wait in a list through their own first word, without bound.

use addr::{Frame, Page, PageRange, PhysAddr};
use arrayvec::ArrayVec;
use core::sync::atomic::Ordering::Relaxed;
use pte::Pte;

use super::{Mm, frame, large, physmap, tlb};

/// Pages that one gather takes before it asks to be finished.
const BATCH: usize = 128;

/// Large pages likewise.
const LARGE_BATCH: usize = 8;

/// Unhooked frames that must not be free before the flush.
#[must_use = "unhooked frames are freed only by `finish`, after the flush"]
pub struct Gather<'mm> {
    mm: &'mm Mm,
    pages: ArrayVec<Frame, BATCH>,
    /// First frames of large pages.
    large: ArrayVec<Frame, LARGE_BATCH>,
    /// First of the list of tables; each names the next by physical address, 0 ends. Until the flush a
    /// CPU may walk into a table and set accessed bits: an address looks absent to it (bit 0).
    tables: u64,
    range: Option<PageRange>,
}

impl<'mm> Gather<'mm> {
    /// Starts with nothing for `mm`.
    pub fn new(mm: &'mm Mm) -> Self {
        Self {
            mm,
            pages: ArrayVec::new(),
            large: ArrayVec::new(),
            tables: 0,
            range: None,
        }
    }

    /// Notes that the translation of `page` was removed or weakened.
    #[inline]
    pub fn touch(&mut self, page: Page) {
        self.touch_range(PageRange {
            start: page,
            end: page.next(),
        });
    }

    /// Notes that translations somewhere in `range` were removed or weakened.
    #[inline]
    pub fn touch_range(&mut self, range: PageRange) {
        match &mut self.range {
            Some(all) => {
                all.start = all.start.min(range.start);
                all.end = all.end.max(range.end);
            }
            None => self.range = Some(range),
        }
    }

    /// Takes over what `page`'s entry held, the reference on its frame with it.
    #[inline]
    pub fn entry(&mut self, page: Page, old: Pte) {
        if old.is_guard() {
            return; // The CPU never caches what is not present.
        }
        self.touch(page);
        if !old.is_zero_page() {
            self.pages.push(old.frame());
        }
    }

    /// Takes over a large page at `page` and the table that was set aside for it.
    pub fn large(&mut self, page: Page, old: Pte, spare: Frame) {
        self.touch_range(PageRange::new(
            page,
            Page::new(page.number() + large::PAGES),
        ));
        self.large.push(old.frame());
        self.table(spare);
    }

    /// Takes over an unhooked page table, which has no entry any more.
    pub fn table(&mut self, table: Frame) {
        physmap::table(table)[0].store(self.tables, Relaxed);
        self.tables = table.start().as_u64();
    }

    /// Whether the next page would not fit.
    pub fn is_full(&self) -> bool {
        self.pages.is_full() || self.large.is_full()
    }

    /// Flushes what was touched, then lets the frames go. No page-table lock is held.
    #[inline]
    pub fn finish(mut self) {
        self.let_go();
    }

    /// Apart, so that nobody copies a kilobyte to hand it over.
    #[inline(never)]
    fn let_go(&mut self) {
        tlb::flush(self.mm, self.range, self.tables != 0);
        for frame in self.pages.drain(..) {
            frame::put(frame);
        }
        for first in self.large.drain(..) {
            large::each(first, frame::put);
        }
        while self.tables != 0 {
            let table = Frame::containing(PhysAddr::new(self.tables));
            self.tables = physmap::table(table)[0].swap(0, Relaxed);
            frame::free_table(table);
        }
    }
}
