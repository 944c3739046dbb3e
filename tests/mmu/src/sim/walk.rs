//! Reading page tables as the hardware does, without the kernel's help.

use std::sync::atomic::Ordering::SeqCst;

use addr::{Frame, Page};
use pte::{Pte, PteFlags};

use super::tlb::{Entry, Size, Tlb};
use crate::mm::frame::{self, Owner};
use crate::mm::physmap;

/// Where a walk ended.
pub enum Walked {
    /// At a present leaf of this size; A is set, D not necessarily.
    Leaf(Size, Entry),
    /// At an entry that is not present.
    Absent,
    /// At a frame that is no page table, or an entry that no leaf of its level may have.
    Broken(String),
}

fn index(page: Page, level: u8) -> usize {
    (page.number() >> (9 * (level - 1))) as usize & 511
}

/// What a walk does besides reading.
pub enum Effect<'a> {
    /// Nothing: a look at what the tables say.
    Look,
    /// As the processor: begins at the lowest table remembered, remembers those it passes, sets A,
    /// and D where it is to write and may.
    Use(&'a mut Tlb, bool),
}

/// Walks to `page` from `root`.
pub fn walk(root: Frame, page: Page, mut effect: Effect<'_>) -> Walked {
    let (mut level, mut table) = (4, root);
    if let Effect::Use(tlb, _) = &effect
        && let Some(found) = tlb.table(page)
    {
        (level, table) = found;
    }
    let (mut write, mut user, mut fetch) = (true, true, true);
    loop {
        if frame::info(table).owner() != Owner::PageTable {
            return Walked::Broken(format!(
                "the walk to {page:?} comes through {table:?}, which is no page table"
            ));
        }
        let cell = &physmap::table(table)[index(page, level)];
        let entry = Pte::from_raw(cell.load(SeqCst));
        if !entry.is_present() {
            return Walked::Absent;
        }
        write &= entry.is_writable();
        user &= entry.is_user();
        fetch &= entry.executable();
        let leaf = level == 1 || entry.is_huge();
        if leaf && level > 2 {
            return Walked::Broken(format!("a leaf at level {level} on the way to {page:?}"));
        }
        let mut bits = PteFlags::ACCESSED;
        if let Effect::Use(_, true) = effect
            && leaf
            && write
            && user
        {
            bits |= PteFlags::DIRTY;
        }
        if let Effect::Use(tlb, _) = &mut effect {
            cell.fetch_or(bits.bits(), SeqCst);
            if !leaf {
                tlb.insert_table(page, level - 1, entry.frame());
            }
        }
        if leaf {
            let size = if level == 1 { Size::Small } else { Size::Large };
            let dirty = entry.is_dirty() || bits.contains(PteFlags::DIRTY);
            return Walked::Leaf(
                size,
                Entry {
                    frame: entry.frame(),
                    write,
                    user,
                    fetch,
                    dirty,
                },
            );
        }
        (level, table) = (level - 1, entry.frame());
    }
}

/// Calls `each` for every non-empty last entry of the lower half: its first page, size and value.
pub fn each_leaf(root: Frame, each: &mut impl FnMut(Page, Size, Pte)) {
    below(root, 4, 0, each);
}

fn below(table: Frame, level: u8, base: u64, each: &mut impl FnMut(Page, Size, Pte)) {
    let half = if level == 4 { 256 } else { 512 };
    for (at, cell) in physmap::table(table)[..half].iter().enumerate() {
        let raw = cell.load(SeqCst);
        if raw == 0 {
            continue;
        }
        let entry = Pte::from_raw(raw);
        let page = base + ((at as u64) << (9 * (level - 1)));
        match level {
            1 => each(Page::new(page), Size::Small, entry),
            2 if entry.is_huge() => each(Page::new(page), Size::Large, entry),
            _ => below(entry.frame(), level - 1, page, each),
        }
    }
}

/// Calls `each` for every table below `root`: its level, frame and number of non-empty entries.
pub fn each_table(root: Frame, each: &mut impl FnMut(u8, Frame, u32)) {
    tables_below(root, 4, each);
}

fn tables_below(table: Frame, level: u8, each: &mut impl FnMut(u8, Frame, u32)) {
    let half = if level == 4 { 256 } else { 512 };
    let entries = || {
        physmap::table(table)[..half]
            .iter()
            .map(|cell| Pte::from_raw(cell.load(SeqCst)))
            .filter(|entry| !entry.is_none())
    };
    each(level, table, entries().count() as u32);
    if level > 1 {
        entries()
            .filter(|entry| entry.is_present() && !entry.is_huge())
            .for_each(|entry| tables_below(entry.frame(), level - 1, each));
    }
}
