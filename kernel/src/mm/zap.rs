//! Taking PTEs away: all of a range, or those that show pages of a file.
//!
//! Unhooked frames and empty tables wait in a [`Gather`] for the flush (I-6). A batch is a table, or what
//! fits into one gather; between two of them the page-table lock is free.

use addr::{Page, PageRange};
use pte::Pte;

use super::gather::Gather;
use super::pgtable::{Block, Part};
use super::rmap::Scope;
use super::rss::Gone;
use super::{Mm, large};

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
    mm.note_rss_peak();
    let mut next = range.start;
    while next < range.end {
        let mut gather = Gather::new(mm);
        next = zap_batch(mm, PageRange::new(next, range.end), &chosen, &mut gather);
        gather.finish();
    }
}

/// Clears PTEs of one table, or until `gather` is full; returns the first page not yet visited.
fn zap_batch(
    mm: &Mm,
    range: PageRange,
    chosen: &impl Fn(Pte) -> bool,
    gather: &mut Gather,
) -> Page {
    let mut tables = mm.tables.lock();
    let mut page = range.start;
    let table = match tables.next_block(&mut page, range.end) {
        None => return range.end,
        Some(Block::Table(table)) => table,
        Some(Block::Large(parent)) => {
            let end = Page::new(page.number() + large::PAGES);
            let is_whole = page.number().is_multiple_of(large::PAGES) && end <= range.end;
            if is_whole && chosen(tables.pte(page)) {
                let (old, spare) = tables.take_large(parent, page);
                gather.large(page, old, spare);
                mm.tables.rss(page).take_back(Gone::large());
                tables.prune_above(page, gather);
                return end;
            }
            tables.split(parent, page)
        }
    };
    let part = Part::new(page, range.end);
    let (mut next, mut cleared, mut gone) = (part.end(), 0, Gone::default());
    table.each_used(part.entries.clone(), |index| {
        if !chosen(table.load(index)) {
            return true;
        }
        let here = part.page(index);
        cleared += 1;
        let old = table.take(index);
        gone.count(old);
        gather.entry(here, old);
        let goes_on = !gather.is_full();
        if !goes_on {
            next = here.next();
        }
        goes_on
    });
    table.emptied(cleared);
    mm.tables.rss(page).take_back(gone);
    if table.is_empty() {
        tables.prune(page, gather);
    }
    next
}

/// Hands what an entry held over to `gather`.
pub(super) fn forget(mm: &Mm, page: Page, old: Pte, gather: &mut Gather) {
    mm.tables.rss(page).uncharge(old);
    gather.entry(page, old);
}
