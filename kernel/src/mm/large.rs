//! Large pages: one entry of level 2 that maps 2 MiB of anonymous memory.
//!
//! The 512 frames behind it are contiguous, and otherwise frames like any other, with a reference
//! each: splitting puts a table in place of the entry and changes nothing else. Whoever looks at
//! single pages splits; only making one, unmapping a whole one and reading do not. The table for the
//! day of splitting is set aside when the page is made, so that splitting never fails. A fork shares it
//! whole; the first write after it splits, unless nobody shares any of it any more.

use core::sync::atomic::{
    AtomicU8,
    Ordering::{AcqRel, Relaxed, Release},
};

use addr::{Frame, Page, PageRange};
use pte::{Pte, PteFlags};
use vma::{VmFlags, Vma};

use super::backing::MapBacking;
use super::counters::{COW_REUSED, LARGE_MAPPED, LARGE_SPLIT};
use super::fault::leaf;
use super::frame::{self, Owner};
use super::pgtable::{Block, Part, Tables, index};
use super::physmap;
use super::rss::Kind;
use super::table::UserTable;
use super::{Mm, OutOfMemory, tlb};
use crate::arch::mmu;

/// Small pages of a large one.
pub const PAGES: u64 = 512;
/// As an order of the allocator.
pub(super) const ORDER: usize = 9;

/// Which mappings get large pages (`thp=`).
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// None.
    Never,
    /// Those that asked with MADV_HUGEPAGE.
    Advised,
    /// All but those that declined with MADV_NOHUGEPAGE.
    Always,
}

static MODE: AtomicU8 = AtomicU8::new(Mode::Advised as u8);

/// Chooses which mappings get large pages from now on.
pub fn set_mode(mode: Mode) {
    MODE.store(mode as u8, Relaxed);
}

/// Tables set aside, in a list through their first words.
pub(super) struct Spare {
    first: u64,
    /// How many.
    pub(super) count: u64,
}

impl Spare {
    pub(super) const fn new() -> Self {
        Self { first: 0, count: 0 }
    }

    fn push(&mut self, table: Frame) {
        physmap::table(table)[0].store(self.first, Relaxed);
        self.first = table.number();
        self.count += 1;
    }

    /// Takes one out, all zero again.
    fn pop(&mut self) -> Frame {
        assert!(self.count > 0, "every large page has a table set aside");
        let table = Frame::new(self.first);
        self.first = physmap::table(table)[0].swap(0, Relaxed);
        self.count -= 1;
        table
    }
}

/// Mappings with any of these have small pages only.
const NEVER: VmFlags = VmFlags::NOHUGEPAGE
    .union(VmFlags::SHARED)
    .union(VmFlags::GROWSDOWN)
    .union(VmFlags::EXEC);

/// Returns the pages of the large page that `page` would lie in.
pub(super) fn block(page: Page) -> PageRange {
    let start = page.number() / PAGES * PAGES;
    PageRange::new(Page::new(start), Page::new(start + PAGES))
}

/// Whether a first write to `page` of `vma` may bring in a large page.
///
/// Not where programs may fetch: a large page is split while other CPUs remember it ([`Tables::split`]), and there are
/// processors that stop when they find one address in two sizes in the TLB for instructions.
#[inline]
pub(super) fn is_wanted(vma: &Vma<MapBacking>, page: Page) -> bool {
    let mode = MODE.load(Relaxed);
    let asked = vma.flags.contains(VmFlags::HUGEPAGE) || mode == Mode::Always as u8;
    asked
        && mode != Mode::Never as u8
        && !vma.flags.intersects(NEVER)
        && matches!(vma.backing, MapBacking::Anon { .. })
        && vma.range.contains_range(&block(page))
}

/// Whether a write to `page` of `vma` is to bring in a large page, or to make one writable again.
#[inline]
pub(super) fn is_due(mm: &Mm, vma: &Vma<MapBacking>, page: Page) -> bool {
    is_wanted(vma, page) && !mm.tables.has_slot(page)
}

/// Whether any page of `vma` may be a large one.
pub(super) fn fits(vma: &Vma<MapBacking>) -> bool {
    let first = vma.range.start.number().next_multiple_of(PAGES);
    is_wanted(vma, Page::new(first))
}

/// Maps a large page of zeros around `page`, if nothing is mapped there and there is memory for it;
/// returns whether it did.
pub(super) fn map(mm: &Mm, vma: &Vma<MapBacking>, page: Page) -> bool {
    let block = block(page);
    let is_free = |tables: &Tables| {
        let mut first = block.start;
        tables.next_block(&mut first, block.end).is_none()
    };
    if !is_free(&mm.tables.lock()) {
        return false;
    }
    let Some(frames) = frame::alloc_singles(Owner::Anon, ORDER) else {
        return false;
    };
    let Some(table) = frame::alloc_table() else {
        each(frames, frame::put);
        return false;
    };
    each(frames, physmap::zero);
    let mut tables = mm.tables.lock();
    let middle = match tables.middle_table(page) {
        Ok(middle) if is_free(&tables) => middle,
        Ok(_) | Err(OutOfMemory) => {
            drop(tables);
            frame::free_table(table);
            each(frames, frame::put);
            return false;
        }
    };
    tables.spare.push(table);
    let entry = leaf(frames, vma, PteFlags::ANON, true).large();
    middle.swap(index(page, 2), entry);
    mm.tables.rss(page).add(Kind::Anon, PAGES as i64);
    LARGE_MAPPED.inc();
    true
}

/// Makes the large page around `page` writable again, if it is one and nobody shares any of it any more;
/// returns whether it did. The mapping permits writes.
pub(super) fn reuse(mm: &Mm, page: Page) -> bool {
    let block = block(page);
    let tables = mm.tables.lock();
    let mut first = block.start;
    let Some(Block::Large(parent)) = tables.next_block(&mut first, block.end) else {
        return false;
    };
    let entry = parent.load(index(page, 2));
    let mut is_ours = !entry.is_writable();
    each(entry.frame(), |frame| is_ours &= frame::refs(frame) == 1);
    if is_ours {
        parent.replace(index(page, 2), entry.mkwrite().mkdirty().mkyoung());
        // It gained rights only: what other CPUs remember faults once (TLB-8).
        tlb::flush_local(mm, page);
        COW_REUSED.inc();
    }
    is_ours
}

/// Calls `each` with every frame of the large page that begins with `first`.
pub(super) fn each(first: Frame, each: impl FnMut(Frame)) {
    (0..PAGES)
        .map(|number| Frame::new(first.number() + number))
        .for_each(each);
}

impl Tables {
    /// Calls `each` for every entry in use in `range`, and for each page of large ones as if it had an
    /// entry of its own; tells which. Nothing is split.
    pub(super) fn read(&self, range: PageRange, mut each: impl FnMut(Page, Pte, bool)) {
        let mut page = range.start;
        while let Some(block) = self.next_block(&mut page, range.end) {
            let part = Part::new(page, range.end);
            match block {
                Block::Table(table) => table.each_used(part.entries.clone(), |index| {
                    each(part.page(index), table.load(index), false);
                    true
                }),
                Block::Large(_) => {
                    let pages = part.pages().iter();
                    pages.for_each(|page| each(page, self.pte(page), true));
                }
            }
            page = part.end();
        }
    }

    /// Puts a table in place of the large page around `page`, an entry of `parent`.
    ///
    /// What other CPUs remember of the large page stays true: it gives the same frames with the same
    /// rights. Whoever changes one of the small entries flushes that page, and with it any large one around it.
    /// Until then they may know it in both sizes, for data only: nothing is fetched from a large page.
    pub(super) fn split(&mut self, parent: UserTable, page: Page) -> UserTable {
        let slot = index(page, 2);
        // Gone first, with all that this CPU has noted in it.
        let entry = Pte::from_raw(parent.entry(slot).swap(0, AcqRel));
        mmu::flush_page(page.start());
        let table = UserTable::init(self.spare.pop());
        for number in 0..PAGES {
            table.put(number as usize, entry.small(number));
        }
        parent
            .entry(slot)
            .store(Pte::table(table.frame()).raw(), Release);
        self.tables += 1;
        LARGE_SPLIT.inc();
        table
    }

    /// Lets `child` map the large page around `page` as well, until one of the two writes; returns
    /// whether the entry here lost its right to.
    pub(super) fn share_large(
        &self,
        parent: UserTable,
        page: Page,
        child: &mut Self,
    ) -> Result<bool, OutOfMemory> {
        let middle = child.middle_table(page)?;
        let spare = frame::alloc_table().ok_or(OutOfMemory)?;
        child.spare.push(spare);
        let slot = index(page, 2);
        let old = parent.load(slot);
        let shared = old.wrprotect();
        if old.is_writable() {
            parent.replace(slot, shared);
        }
        each(old.frame(), frame::get);
        middle.put(slot, shared.mkold());
        Ok(old.is_writable())
    }

    /// Takes the large page around `page` out, and the table that was set aside for it.
    pub(super) fn take_large(&mut self, parent: UserTable, page: Page) -> (Pte, Frame) {
        let old = Pte::from_raw(parent.entry(index(page, 2)).swap(0, AcqRel));
        parent.emptied(1);
        (old, self.spare.pop())
    }
}
