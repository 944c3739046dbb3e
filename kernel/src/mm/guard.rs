//! Guard markers: entries that hold no page and make every access fail, without a VMA of their own.

use addr::{Page, PageRange};
use pte::Pte;

use super::gather::Gather;
use super::{Mm, OutOfMemory, zap};

/// Puts a marker into every page of `range`; what was there is discarded. mmap_lock is held.
pub(super) fn install(mm: &Mm, range: PageRange) -> Result<(), OutOfMemory> {
    mm.note_rss_peak();
    let mut at = range.start;
    while at < range.end {
        let mut gather = Gather::new(mm);
        let result = install_batch(mm, PageRange::new(at, range.end), &mut gather);
        gather.finish();
        at = result?;
    }
    Ok(())
}

/// Goes on until `gather` is full; returns the next page.
fn install_batch(mm: &Mm, range: PageRange, gather: &mut Gather) -> Result<Page, OutOfMemory> {
    let mut tables = mm.tables.lock();
    for page in range {
        if gather.is_full() {
            return Ok(page);
        }
        let old = tables.find_or_create(page)?.swap(Pte::GUARD);
        if !old.is_none() {
            zap::forget(mm, page, old, gather);
        }
        if page.number() % 512 == 511 {
            return Ok(page.next());
        }
    }
    Ok(range.end)
}

/// Takes the markers out of `range`; pages stay.
pub(super) fn remove(mm: &Mm, range: PageRange) {
    zap::zap_if(mm, range, Pte::is_guard);
}
