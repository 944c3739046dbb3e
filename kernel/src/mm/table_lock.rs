//! The page-table lock of one mm, in two ways: whole, or for the entries of one region of 2 MiB.
//!
//! | held | by | may |
//! |---|---|---|
//! | whole | whoever maps, unmaps, protects, forks, checks | everything |
//! | a region | page faults | change entries of last-level tables that are there |
//!
//! So faults in different regions run at the same time, unless two of them share one of the few region locks.
//! A fault that needs a table which is not there takes the whole lock. A region is held for some hundred
//! instructions, with interrupts off, and its holder waits for nothing: for no lock that ranks before
//! memory's own, and for no answer from another CPU.

use addr::{Frame, Page};
use pte::Pte;

use super::OutOfMemory;
use super::pgtable::{Slot, Tables, index, slot_in};
use super::rss::Row;
use super::table::UserTable;
use crate::locks::{KernelHooks, rank};

/// Pages of a region: those of one last-level table.
const PAGES: u64 = 512;

/// All of an mm's page tables.
pub(super) type WholeGuard<'a> =
    sync::split::WholeGuard<'a, Tables, { rank::PAGE_TABLE }, KernelHooks>;
type RegionGuard<'a> = sync::split::PartGuard<'a, { rank::REGION }, KernelHooks>;

/// The page tables of one mm, and their lock.
pub(super) struct TableLock {
    root: Frame,
    lock: sync::SplitLock<Tables, Row, { rank::PAGE_TABLE }, { rank::REGION }, KernelHooks>,
}

/// The entries of the region around a page.
#[must_use = "the lock is given back as soon as its guard is dropped"]
pub(super) struct EntryGuard<'a> {
    root: Frame,
    _held: Held<'a>,
}

enum Held<'a> {
    Region(#[expect(dead_code, reason = "held")] RegionGuard<'a>),
    Whole(#[expect(dead_code, reason = "held")] WholeGuard<'a>),
}

impl TableLock {
    /// Makes the lock of the empty tables below `root`.
    pub(super) fn new(root: Frame) -> Self {
        Self {
            root,
            lock: sync::SplitLock::new(Tables::new(root)),
        }
    }

    /// Takes all of the tables.
    pub(super) fn lock(&self) -> WholeGuard<'_> {
        self.lock.lock()
    }

    /// Takes all of the tables if nobody has anything of them now.
    pub(super) fn try_lock(&self) -> Option<WholeGuard<'_>> {
        self.lock.try_lock()
    }

    /// Takes the entries of the region around `page`; those of a table that is not there are nobody's.
    #[inline]
    pub(super) fn entries(&self, page: Page) -> EntryGuard<'_> {
        let held = match self.lock.part(part_of(page)) {
            Some(region) => Held::Region(region),
            None => Held::Whole(self.lock()),
        };
        EntryGuard {
            root: self.root,
            _held: held,
        }
    }

    /// Takes the entries of the region around `page`, and finds the slot of `page` there; tables that are missing
    /// are made.
    #[inline]
    pub(super) fn slot(&self, page: Page) -> Result<(EntryGuard<'_>, Slot), OutOfMemory> {
        let entries = self.entries(page);
        if let Some(slot) = entries.small_slot(page) {
            return Ok((entries, slot));
        }
        drop(entries);
        self.new_slot(page)
    }

    /// Returns the counts of the region around `page`; they change under its lock or that of the whole.
    #[inline]
    pub(super) fn rss(&self, page: Page) -> &Row {
        self.lock.value(part_of(page))
    }

    /// Returns the counts of all regions.
    pub(super) fn rss_rows(&self) -> impl Iterator<Item = &Row> {
        self.lock.values()
    }

    /// Returns whether `page` has a slot: not where it lies in a large page, or nothing was mapped near it.
    pub(super) fn has_slot(&self, page: Page) -> bool {
        let entries = self.entries(page);
        entries.small_slot(page).is_some()
    }

    #[cold]
    fn new_slot(&self, page: Page) -> Result<(EntryGuard<'_>, Slot), OutOfMemory> {
        let mut whole = self.lock();
        let slot = whole.find_or_create(page)?;
        let entries = EntryGuard {
            root: self.root,
            _held: Held::Whole(whole),
        };
        Ok((entries, slot))
    }
}

/// Which part of the lock a page's region is. Two threads that walk through memory 16 MiB apart, or 128, do not meet
/// in each part.
#[inline]
fn part_of(page: Page) -> usize {
    let region = (page.number() / PAGES) as usize;
    region ^ region >> 3 ^ region >> 6
}

impl EntryGuard<'_> {
    /// Finds the slot of `page`, if its last-level table exists; that of a large page does not.
    #[inline]
    pub(super) fn small_slot(&self, page: Page) -> Option<Slot> {
        small_slot(self.root, page)
    }

    /// Reads the entry of `page`, as it would be if no page were large.
    pub(super) fn pte(&self, page: Page) -> Pte {
        pte(self.root, page)
    }
}

/// [`Tables::small_slot`] below `root`, for who holds a part of them.
#[inline]
pub(super) fn small_slot(root: Frame, page: Page) -> Option<Slot> {
    let mut table = UserTable::new(root);
    for level in [4, 3, 2] {
        let entry = table.load(index(page, level));
        if !entry.is_present() || entry.is_huge() {
            return None;
        }
        table = UserTable::new(entry.frame());
    }
    Some(slot_in(table, page))
}

/// [`Tables::pte`] below `root`, likewise.
pub(super) fn pte(root: Frame, page: Page) -> Pte {
    let mut table = UserTable::new(root);
    for level in [4, 3, 2] {
        let entry = table.load(index(page, level));
        if entry.is_huge() {
            return entry.small(index(page, 1) as u64);
        }
        if !entry.is_present() {
            return Pte::EMPTY;
        }
        table = UserTable::new(entry.frame());
    }
    table.load(index(page, 1))
}
