//! Page tables: finding, creating, clearing and freeing entries at all four levels.
//!
//! A [`Slot`] is one entry of a last-level table. User tables belong to one mm and change only
//! under its page-table lock ([`super::table_lock`]); the walkers take that lock's guard as a proof. Kernel
//! tables are [`super::kernel_map`]'s.
//!
//! Each user table knows how many of its entries are in use, and roughly which ([`super::table`]):
//! walks skip what is empty, and a table whose last entry is cleared is unhooked at once and freed
//! after the flush (I-6).

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use addr::{Frame, PAGE_SIZE, Page, PageRange, VirtAddr};
use pte::{Pte, PteFlags};

use super::frame::{self, Owner};
use super::large::Spare;
use super::layout::KERNEL_SLOT;
use super::physmap::{self, TABLE_ENTRIES};
use super::table::UserTable;
use super::table_lock;
use super::{OutOfMemory, gather::Gather, init_mm_root};

/// What an mm's page-table lock guards: the lower half of its tables, and their number.
pub struct Tables {
    root: Frame,
    /// Tables below the root, for accounting and the check at the end (MM-5).
    pub tables: u64,
    /// Tables set aside for the day a large page is split.
    pub(super) spare: Spare,
}

/// One last-level entry, and the table it lies in.
#[derive(Clone, Copy)]
pub struct Slot {
    table: UserTable,
    index: usize,
}

impl Slot {
    /// Reads the entry.
    pub fn load(self) -> Pte {
        self.table.load(self.index)
    }

    /// Replaces the entry and returns the old one, with any A or D bit the CPU set meanwhile (TLB-10).
    ///
    /// Release: what the new entry points at is complete before the entry is seen (HF-3).
    #[inline]
    pub fn swap(self, new: Pte) -> Pte {
        self.table.swap(self.index, new)
    }

    /// As [`Slot::swap`], for an entry in use that becomes another in use.
    #[inline]
    pub(super) fn exchange(self, new: Pte) -> Pte {
        self.table.exchange(self.index, new)
    }

    /// Fills the entry, which is empty: no CPU writes to it meanwhile.
    ///
    /// Release: what the entry points at is complete before the entry is seen (HF-3).
    #[inline]
    pub fn fill(self, new: Pte) {
        self.table.fill(self.index, new);
    }

    /// Returns the slot of `page`, whose entry lies in the same table.
    pub(super) fn sibling(self, page: Page) -> Self {
        slot_in(self.table, page)
    }
}

/// Allocates a PML4 whose upper half is the kernel's.
pub fn new_root() -> Result<Frame, OutOfMemory> {
    let root = frame::alloc(Owner::PageTable).ok_or(OutOfMemory)?;
    physmap::zero_lower_half(root);
    physmap::copy_upper_half(root, init_mm_root());
    UserTable::init_root(root);
    Ok(root)
}

/// Returns the first upper-half slot in which `root` differs from `init_mm`, A bit aside (I-2).
pub fn upper_half_difference(root: Frame) -> Option<usize> {
    let accessed = PteFlags::ACCESSED.bits();
    let (reference, table) = (physmap::table(init_mm_root()), physmap::table(root));
    (KERNEL_SLOT..TABLE_ENTRIES)
        .find(|&slot| (table[slot].load(Relaxed) ^ reference[slot].load(Relaxed)) & !accessed != 0)
}

/// Counts the upper-half slots of `root` that are filled.
pub fn filled_upper_slots(root: Frame) -> usize {
    physmap::table(root)[KERNEL_SLOT..]
        .iter()
        .filter(|slot| Pte::from_raw(slot.load(Relaxed)).is_present())
        .count()
}

/// One step of a walk, for reports: the level (4 to 1) and the entry found there.
pub type Step = (u8, Pte);

/// Reads the entries that translate `addr` from `root` down, until one is absent or maps a page.
pub fn walk(root: Frame, addr: VirtAddr) -> impl Iterator<Item = Step> {
    let mut next = Some((4_u8, root));
    core::iter::from_fn(move || {
        let (level, table) = next.take()?;
        let entry = Pte::from_raw(physmap::table(table)[index(addr.page(), level)].load(Acquire));
        if level > 1 && entry.is_present() && !entry.is_huge() {
            next = Some((level - 1, entry.frame()));
        }
        Some((level, entry))
    })
}

/// Returns the entry that maps `addr` in `root`, whatever its size, if one is present.
pub fn leaf(root: Frame, addr: VirtAddr) -> Option<Step> {
    let (level, entry) = walk(root, addr).last()?;
    (entry.is_present() && (level == 1 || entry.is_huge())).then_some((level, entry))
}

/// Index of `page`'s entry in a table of `level` (4 is the PML4).
pub(super) fn index(page: Page, level: u8) -> usize {
    (page.number() >> (9 * (level - 1))) as usize % TABLE_ENTRIES
}

/// Pages that one entry of a table of `level` covers.
const fn span(level: u8) -> u64 {
    1 << (9 * (level - 1))
}

impl Tables {
    /// Describes the empty lower half below `root`.
    pub fn new(root: Frame) -> Self {
        Self {
            root,
            tables: 0,
            spare: Spare::new(),
        }
    }

    fn root(&self) -> UserTable {
        UserTable::new(self.root)
    }

    /// Finds the slot of `page`, if its last-level table exists.
    pub fn find(&mut self, page: Page) -> Option<Slot> {
        let mut table = self.root();
        for level in [4, 3, 2] {
            let entry = table.load(index(page, level));
            if !entry.is_present() {
                return None;
            }
            table = match entry.is_huge() {
                true => self.split(table, page),
                false => UserTable::new(entry.frame()),
            };
        }
        Some(slot_in(table, page))
    }

    /// Finds the slot of `page`, if its last-level table exists; that of a large page does not.
    pub fn small_slot(&self, page: Page) -> Option<Slot> {
        table_lock::small_slot(self.root, page)
    }

    /// Reads the entry of `page`, as it would be if no page were large; changes nothing.
    pub fn pte(&self, page: Page) -> Pte {
        table_lock::pte(self.root, page)
    }

    /// Finds the slot of `page`, creating the tables on the way (HF-21).
    pub fn find_or_create(&mut self, page: Page) -> Result<Slot, OutOfMemory> {
        Ok(slot_in(self.last_table(page)?, page))
    }

    /// Finds the last-level table of `page`, creating what is missing on the way.
    pub(super) fn last_table(&mut self, page: Page) -> Result<UserTable, OutOfMemory> {
        let mut table = self.middle_table(page)?;
        let entry = table.load(index(page, 2));
        table = match () {
            () if entry.is_huge() => self.split(table, page),
            () if entry.is_present() => UserTable::new(entry.frame()),
            () => self.add_table(table, index(page, 2))?,
        };
        Ok(table)
    }

    /// Finds the table of level 2 above `page`, creating what is missing on the way.
    pub(super) fn middle_table(&mut self, page: Page) -> Result<UserTable, OutOfMemory> {
        let mut table = self.root();
        for level in [4, 3] {
            let entry = table.load(index(page, level));
            table = match entry.is_present() {
                true => UserTable::new(entry.frame()),
                false => self.add_table(table, index(page, level))?,
            };
        }
        Ok(table)
    }

    fn add_table(&mut self, parent: UserTable, index: usize) -> Result<UserTable, OutOfMemory> {
        let new = frame::alloc_table().ok_or(OutOfMemory)?;
        let table = UserTable::init(new);
        parent.entry(index).store(Pte::table(new).raw(), Release);
        parent.filled(index);
        self.tables += 1;
        Ok(table)
    }

    /// Calls `each` for every non-empty entry in `range`, lowest first, skipping absent tables.
    ///
    /// `each` returns whether to go on. Returns the page after the last one visited. Large pages are
    /// split on the way.
    pub fn visit(&mut self, range: PageRange, mut each: impl FnMut(Page, Slot) -> bool) -> Page {
        let mut page = range.start;
        while page < range.end {
            let Some(table) = self.next_table(&mut page, range.end) else {
                return range.end;
            };
            let part = Part::new(page, range.end);
            let mut stopped = None;
            table.each_used(part.entries.clone(), |index| {
                let here = part.page(index);
                let goes_on = each(here, Slot { table, index });
                if !goes_on {
                    stopped = Some(here.next());
                }
                goes_on
            });
            if let Some(next) = stopped {
                return next;
            }
            page = part.end();
        }
        range.end
    }

    /// Moves `page` up to the next page below `end` whose last-level table exists; a large page on the
    /// way is split.
    pub(super) fn next_table(&mut self, page: &mut Page, end: Page) -> Option<UserTable> {
        match self.next_block(page, end)? {
            Block::Table(table) => Some(table),
            Block::Large(parent) => Some(self.split(parent, *page)),
        }
    }

    /// Moves `page` up to the next page below `end` that has an entry of level 2, and says which kind.
    pub(super) fn next_block(&self, page: &mut Page, end: Page) -> Option<Block> {
        'restart: while *page < end {
            let mut table = self.root();
            for level in [4, 3, 2] {
                let here = index(*page, level);
                let mut entry = table.load(here);
                if !entry.is_present() {
                    let Some(used) = table.next_used(here) else {
                        *page = next_boundary(*page, level + 1);
                        continue 'restart;
                    };
                    let skipped = (used - here) as u64 * span(level);
                    *page = Page::new(page.number() / span(level) * span(level) + skipped);
                    entry = table.load(used);
                }
                if entry.is_huge() {
                    return (*page < end).then_some(Block::Large(table));
                }
                table = UserTable::new(entry.frame());
            }
            return (*page < end).then_some(Block::Table(table));
        }
        None
    }

    /// Unhooks the tables on the way to `page` that have become empty, lowest first.
    ///
    /// They go into `gather`, to be freed after the flush.
    pub fn prune(&mut self, page: Page, gather: &mut Gather) {
        self.prune_from(1, page, gather);
    }

    /// As [`Self::prune`] where a large page was: its table is of level 2.
    pub(super) fn prune_above(&mut self, page: Page, gather: &mut Gather) {
        self.prune_from(2, page, gather);
    }

    fn prune_from(&mut self, lowest: u8, page: Page, gather: &mut Gather) {
        let mut path = [self.root(); 4];
        for level in (lowest + 1..=4).rev() {
            let entry = path[usize::from(level) - 1].load(index(page, level));
            if !entry.is_present() || entry.is_huge() {
                return;
            }
            path[usize::from(level) - 2] = UserTable::new(entry.frame());
        }
        for level in usize::from(lowest)..=3 {
            if !path[level - 1].is_empty() {
                return;
            }
            let parent = path[level];
            parent.entry(index(page, level as u8 + 1)).store(0, Release);
            parent.emptied(1);
            self.tables -= 1;
            gather.table(path[level - 1].frame());
        }
    }

    /// Unhooks the tables that have become empty on the way to any page of `range`.
    pub fn prune_range(&mut self, range: PageRange, gather: &mut Gather) {
        let mut page = range.start;
        while page < range.end && self.next_table(&mut page, range.end).is_some() {
            self.prune(page, gather);
            page = next_boundary(page, 2);
        }
    }

    /// Unhooks every table of the lower half into `gather`; for the end of an mm, when no page is left.
    pub fn unhook_all(&mut self, gather: &mut Gather) {
        let root = self.root();
        root.each_used(0..KERNEL_SLOT, |index| {
            let entry = Pte::from_raw(root.entry(index).swap(0, AcqRel));
            root.emptied(1);
            self.unhook_below(UserTable::new(entry.frame()), 3, gather);
            true
        });
    }

    fn unhook_below(&mut self, table: UserTable, level: u8, gather: &mut Gather) {
        if level > 1 {
            table.each_used(0..TABLE_ENTRIES, |index| {
                let below = UserTable::new(table.take(index).frame());
                self.unhook_below(below, level - 1, gather);
                true
            });
        }
        self.tables -= 1;
        gather.table(table.frame());
    }
}

/// What an entry of level 2 is.
pub(super) enum Block {
    /// It links this table.
    Table(UserTable),
    /// It is a large page, in this table of level 2.
    Large(UserTable),
}

/// The entries of one last-level table that a range of pages reaches.
pub(super) struct Part {
    /// Page number of entry 0.
    base: u64,
    /// The entries.
    pub(super) entries: core::ops::Range<usize>,
}

impl Part {
    /// The entries from that of `page` up to the table's end or to `end`.
    pub(super) fn new(page: Page, end: Page) -> Self {
        let first = index(page, 1);
        let base = page.number() - first as u64;
        let end = (end.number() - base).min(TABLE_ENTRIES as u64) as usize;
        Self {
            base,
            entries: first..end,
        }
    }

    /// Returns the page of entry `index`.
    #[inline]
    pub(super) fn page(&self, index: usize) -> Page {
        Page::new(self.base + index as u64)
    }

    /// Returns the page after the last entry.
    pub(super) fn end(&self) -> Page {
        self.page(self.entries.end)
    }

    /// Returns the pages.
    pub(super) fn pages(&self) -> PageRange {
        PageRange::new(self.page(self.entries.start), self.end())
    }
}

/// The first page above `page` where an entry of a table of `level` begins.
fn next_boundary(page: Page, level: u8) -> Page {
    Page::new((page.number() / span(level) + 1) * span(level))
}

pub(super) fn slot_in(table: UserTable, page: Page) -> Slot {
    Slot {
        table,
        index: index(page, 1),
    }
}

const _: () = assert!(PAGE_SIZE as usize == TABLE_ENTRIES * size_of::<u64>());
