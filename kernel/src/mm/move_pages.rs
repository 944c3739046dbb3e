//! Moving PTEs from one range to another in the same address space, for mremap.
//!
//! An entry is out of its old place, and every TLB has forgotten it there, before it is in the new
//! one: there is no moment at which both addresses reach the page (VM-11).

use addr::{Page, PageRange};
use arrayvec::ArrayVec;
use pte::Pte;

use super::gather::Gather;
use super::pgtable::Tables;
use super::{Mm, OutOfMemory};

/// Entries moved between two turns of taking the page-table lock.
const BATCH: usize = 128;

type Moving = ArrayVec<(Page, Pte), BATCH>;

/// Moves what `from` holds to the pages from `to` on, which hold nothing. mmap_lock is held for
/// writing. On failure everything is where it was.
pub(super) fn move_pages(mm: &Mm, from: PageRange, to: Page) -> Result<(), OutOfMemory> {
    let mut at = from.start;
    while at < from.end {
        match move_batch(mm, PageRange::new(at, from.end), from.start, to) {
            Ok(next) => at = next,
            Err(OutOfMemory) => {
                let moved = PageRange::from_len(to, at.number() - from.start.number())
                    .expect("the new place is a range");
                move_pages(mm, moved, from.start).expect("the tables of the old place are there");
                return Err(OutOfMemory);
            }
        }
    }
    let mut gather = Gather::new(mm);
    mm.tables.lock().prune_range(from, &mut gather);
    gather.finish();
    Ok(())
}

/// Moves some entries of `rest`, a part of what begins at `base`; returns where to go on.
fn move_batch(mm: &Mm, rest: PageRange, base: Page, to: Page) -> Result<Page, OutOfMemory> {
    let target = |page: Page| Page::new(page.number() - base.number() + to.number());
    let mut tables = mm.tables.lock();
    let (pages, next) = occupied(&mut tables, rest);
    for page in &pages {
        tables.find_or_create(target(*page))?;
    }
    let mut gather = Gather::new(mm);
    let mut moving = Moving::new();
    for page in pages {
        let slot = tables.find(page).expect("an occupied entry has a table");
        moving.push((page, slot.swap(Pte::EMPTY)));
        gather.touch(page);
    }
    drop(tables);
    gather.finish();
    let mut tables = mm.tables.lock();
    for (page, pte) in moving {
        let slot = tables
            .find(target(page))
            .expect("nobody removes tables while mmap_lock is held");
        slot.swap(pte);
    }
    Ok(next)
}

/// The first pages of `range` that hold something, and where the search ended.
fn occupied(tables: &mut Tables, range: PageRange) -> (ArrayVec<Page, BATCH>, Page) {
    let mut pages = ArrayVec::new();
    let next = tables.visit(range, |page, _| {
        pages.push(page);
        !pages.is_full()
    });
    (pages, next)
}
