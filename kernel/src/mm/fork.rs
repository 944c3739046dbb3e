//! `dup_mm`: a copy of an address space that shares its pages until somebody writes (FK-1 … FK-4).
//!
//! Private writable pages become read-only on both sides, and the parent's TLB is flushed before its
//! mmap_lock is released (FK-3). Pages of shared mappings and unmodified file pages are not copied:
//! the child finds them again through their source.

use vma::{VmFlags, Vma};

use super::backing::MapBacking;
use super::gather::Gather;
use super::mm_struct::AddressSpace;
use super::pgtable::{Block, Part, Tables};
use super::rss::Kind;
use super::table::UserTable;
use super::{Mm, MmUserRef, OutOfMemory, commit, frame, large};

/// Mappings whose records fit into a frame, roughly; a copy of the set must not run out half-way.
const VMAS_PER_FRAME: u64 = 32;

impl Mm {
    /// Makes a copy of this address space for a new process.
    ///
    /// On failure the parent is as before, though some of its pages may have become read-only for the moment.
    pub fn fork(&self) -> Result<MmUserRef, OutOfMemory> {
        let child = Mm::new()?;
        let map = self.map.write();
        // Whoever looks for the pages of a source waits here for the child's mappings, and so does a
        // check, as long as there are entries without mappings.
        let mut into = child.map.write_nested(&map);
        if !frame::can_spare(map.vmas.len() as u64 / VMAS_PER_FRAME) {
            return Err(OutOfMemory);
        }
        let account = map.account_of_child();
        commit::charge(account)?;
        // Nobody else knows the child yet: its tables need no lock while they are filled.
        let mut copy = Copy {
            tables: Tables::new(child.root()),
            frames: 0,
        };
        let mut gather = Gather::new(self);
        let result = map
            .vmas
            .iter()
            .filter(|vma| copies_entries(vma))
            .try_for_each(|vma| self.copy_entries(vma, &mut copy, &mut gather));
        gather.finish();
        let rss = child.tables.rss(addr::Page::new(0));
        rss.add(Kind::Anon, copy.frames);
        *child.tables.lock() = copy.tables;
        if result.is_err() {
            commit::uncharge(account);
            return Err(OutOfMemory);
        }
        *into = map.for_child(&child);
        drop(into);
        drop(map);
        Ok(child)
    }

    /// Copies the entries of `vma`, a table at a time; between two of them the lock is free.
    fn copy_entries(
        &self,
        vma: &Vma<MapBacking>,
        copy: &mut Copy,
        gather: &mut Gather,
    ) -> Result<(), OutOfMemory> {
        let only_guards = vma.flags.contains(VmFlags::SHARED);
        let mut page = vma.range.start;
        loop {
            let mut tables = self.tables.lock();
            let table = match tables.next_block(&mut page, vma.range.end) {
                None => return Ok(()),
                Some(Block::Table(table)) => table,
                Some(Block::Large(parent)) => {
                    let block = large::block(page);
                    if vma.range.contains_range(&block) {
                        if tables.share_large(parent, page, &mut copy.tables)? {
                            gather.touch_range(block);
                        }
                        copy.frames += large::PAGES as i64;
                        page = block.end;
                        continue;
                    }
                    // A part of it belongs to a mapping that may not come along.
                    tables.split(parent, page)
                }
            };
            let mut part = Part::new(page, vma.range.end);
            if let Some(first) = first_copied(table, &part, only_guards) {
                part.entries.start = first;
                let target = copy.tables.last_table(page)?;
                copy.frames += copy_table(table, target, &part, only_guards, gather);
            }
            page = part.end();
        }
    }
}

/// What the child has so far.
struct Copy {
    tables: Tables,
    /// Entries that hold a frame, all of private memory.
    frames: i64,
}

/// The first entry that the child gets: where there is none, it gets no table either.
fn first_copied(table: UserTable, part: &Part, only_guards: bool) -> Option<usize> {
    let mut first = None;
    table.each_used(part.entries.clone(), |index| {
        let pte = table.load(index);
        let is_copied = pte.is_guard() || !only_guards && (pte.is_anon() || pte.is_zero_page());
        first = is_copied.then_some(index);
        first.is_none()
    });
    first
}

/// Copies some entries of one table to the table of the child, and returns how many hold a frame.
fn copy_table(
    table: UserTable,
    target: UserTable,
    part: &Part,
    only_guards: bool,
    gather: &mut Gather,
) -> i64 {
    let (mut frames, mut weakened) = (0, false);
    table.each_used(part.entries.clone(), |index| {
        let pte = table.load(index);
        if pte.is_guard() {
            target.put(index, pte);
        } else if pte.is_anon() && !only_guards {
            frame::get(pte.frame());
            frames += 1;
            let shared = pte.wrprotect().mkneeded_if_lazy();
            if pte.is_writable() || pte.is_lazy() {
                table.replace(index, shared);
                weakened = true;
            }
            target.put(index, shared.mkold());
        } else if pte.is_zero_page() && !only_guards {
            target.put(index, pte.mkold());
        }
        // Anything else is a clean page of a file, found again through its source (FK-2).
        true
    });
    if weakened {
        gather.touch_range(part.pages());
    }
    frames
}

impl AddressSpace {
    /// What a child's mappings are charged for.
    fn account_of_child(&self) -> u64 {
        let stays = |vma: &&Vma<MapBacking>| {
            vma.flags & (VmFlags::ACCOUNT | VmFlags::DONTFORK)
                == VmFlags::ACCOUNT | VmFlags::DONTFORK
        };
        let stay_behind: u64 = self.vmas.iter().filter(stays).map(Vma::pages).sum();
        self.vmas.totals().account - stay_behind
    }

    /// The child's mappings: locks are not inherited, and sources learn of the child.
    fn for_child(&self, child: &Mm) -> Self {
        let vmas = self.vmas.copy_with(|vma| {
            if vma.flags.contains(VmFlags::DONTFORK) {
                return None;
            }
            if let Some(source) = vma.backing.source() {
                source.mappings().add(child);
            }
            Some(vma.flags - (VmFlags::LOCKED | VmFlags::LOCKONFAULT))
        });
        Self {
            vmas,
            lock_flags: VmFlags::empty(),
            ..*self
        }
    }
}

/// Shared pages are found again through their source; guard markers nowhere but in the tables.
fn copies_entries(vma: &Vma<MapBacking>) -> bool {
    let comes_along = !vma
        .flags
        .intersects(VmFlags::DONTFORK | VmFlags::WIPEONFORK);
    comes_along && (!vma.flags.contains(VmFlags::SHARED) || vma.flags.contains(VmFlags::GUARDED))
}
