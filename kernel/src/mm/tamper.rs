//! Breaks what [`fsck`](super::fsck) must notice, one thing at a time; only the self test calls it.
//!
//! Each function returns what is needed to make good again.

use core::sync::atomic::Ordering::AcqRel;

use addr::{Frame, Page};
use pte::Pte;

use super::rss::Kind;
use super::{Mm, pgtable, physmap};

/// Replaces the entry of `page` in its table of `level`, behind the back of every count.
///
/// Nothing may use the page meanwhile: no translation is flushed.
pub fn entry(mm: &Mm, page: Page, level: u8, new: Pte) -> Pte {
    let _tables = mm.tables.lock();
    let slot = &physmap::table(table_of(mm, page, level))[pgtable::index(page, level)];
    Pte::from_raw(slot.swap(new.raw(), AcqRel))
}

/// Returns the table of `level` on the way to `page`, which exists.
pub fn table_of(mm: &Mm, page: Page, level: u8) -> Frame {
    let steps = pgtable::walk(mm.root(), page.start());
    let above = steps.take_while(|step| step.0 > level).last();
    above.map_or(mm.root(), |(_, entry)| entry.frame())
}

/// Adds `n` to the pages that `mm` is said to have.
pub fn rss(mm: &Mm, n: i64) {
    let _tables = mm.tables.lock();
    mm.tables.rss(Page::new(0)).add(Kind::Anon, n);
}

/// Adds one to the tables that `mm` is said to have, or takes it away again.
pub fn tables(mm: &Mm, more: bool) {
    let mut tables = mm.tables.lock();
    tables.tables = if more {
        tables.tables + 1
    } else {
        tables.tables - 1
    };
}
