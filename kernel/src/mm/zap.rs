//! Taking PTEs away: all of a range, or those that show pages of a file.
//!
//! Unhooked frames and empty tables wait in a [`Gather`] for the flush (I-6). A batch is what fits
//! into one; between two of them the page-table lock is free.

use core::sync::atomic::Ordering::Relaxed;

use addr::{Page, PageRange};
use arrayvec::ArrayVec;
use pte::Pte;

use super::Mm;
use super::gather::Gather;
use super::rmap::Scope;

/// Last-level tables that a batch may leave empty.
const TABLES: usize = 128;

/// Removes the pages of `range` and leaves what is no page, the guard markers, in place.
pub(super) fn discard_pages(mm: &Mm, range: PageRange) {
    zap_if(mm, range, |pte| !pte.is_guard());
}

/// Removes all PTEs of `range`, and the tables that become empty; the caller holds mmap_lock.
pub(super) fn zap_pages(mm: &Mm, range: PageRange) {
    zap_if(mm, range, |_| true);
}

/// Removes those PTEs of `range`, which shows pages of a file, that `scope` tells.
pub(super) fn zap_source(mm: &Mm, range: PageRange, scope: Scope) {
    zap_if(mm, range, |pte| match scope {
        Scope::CopiesToo => !pte.is_guard(),
        Scope::FilePages => !pte.is_guard() && !pte.is_anon() && !pte.is_zero_page(),
    });
}

/// Removes those PTEs of `range` that `chosen` returns true for.
pub(super) fn zap_if(mm: &Mm, range: PageRange, chosen: impl Fn(Pte) -> bool) {
    let mut next = range.start;
    while next < range.end {
        let mut gather = Gather::new(mm);
        next = zap_batch(mm, PageRange::new(next, range.end), &chosen, &mut gather);
        gather.finish();
    }
}

/// Clears PTEs until `gather` is full; returns the first page not yet visited.
fn zap_batch(
    mm: &Mm,
    range: PageRange,
    chosen: &impl Fn(Pte) -> bool,
    gather: &mut Gather,
) -> Page {
    let mut tables = mm.tables.lock();
    let mut emptied = ArrayVec::<Page, TABLES>::new();
    let next = tables.visit(range, |page, slot| {
        if !chosen(slot.load()) {
            return true;
        }
        if emptied
            .last()
            .is_none_or(|last| last.number() >> 9 != page.number() >> 9)
        {
            emptied.push(page);
        }
        forget(mm, page, slot.swap(Pte::EMPTY), gather);
        !gather.is_full() && !emptied.is_full()
    });
    for page in emptied {
        tables.prune(page, gather);
    }
    next
}

/// Hands what an entry held over to `gather`.
pub(super) fn forget(mm: &Mm, page: Page, old: Pte, gather: &mut Gather) {
    if old.is_guard() {
        // The CPU never caches what is not present.
    } else if old.is_zero_page() {
        gather.touch(page);
    } else {
        gather.page(page, old.frame());
        mm.rss.fetch_sub(1, Relaxed);
    }
}
