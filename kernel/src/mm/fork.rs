//! `dup_mm`: a copy of an address space that shares its pages until somebody writes (FK-1 … FK-4).
//!
//! Private writable pages become read-only on both sides, and the parent's TLB is flushed before its
//! mmap_lock is released (FK-3). Pages of shared mappings and unmodified file pages are not copied:
//! the child finds them again through their source.

use addr::{Page, PageRange};
use arrayvec::ArrayVec;
use core::sync::atomic::Ordering::Relaxed;
use pte::Pte;
use vma::{VmFlags, Vma};

use super::backing::MapBacking;
use super::gather::Gather;
use super::mm_struct::AddressSpace;
use super::pgtable::Slot;
use super::{Mm, MmUserRef, OutOfMemory, commit, frame};

/// PTEs copied between two turns of taking the page-table locks.
const BATCH: usize = 128;

/// Mappings whose records fit into a frame, roughly; a copy of the set must not run out half-way.
const VMAS_PER_FRAME: u64 = 32;

type Copied = ArrayVec<(Page, Pte), BATCH>;

impl Mm {
    /// Makes a copy of this address space for a new process.
    ///
    /// On failure the parent is as before, though some of its pages may have become read-only for the moment.
    pub fn fork(&self) -> Result<MmUserRef, OutOfMemory> {
        let child = Mm::new()?;
        let map = self.map.write();
        if !frame::can_spare(map.vmas.len() as u64 / VMAS_PER_FRAME) {
            return Err(OutOfMemory);
        }
        let mut gather = Gather::new(self);
        let result = map
            .vmas
            .iter()
            .filter(|vma| copies_entries(vma))
            .try_for_each(|vma| self.copy_entries(vma, &child, &mut gather));
        gather.finish();
        result?;
        let copy = map.for_child(&child);
        commit::charge(copy.vmas.totals().account)?;
        drop(map);
        *child.map.write() = copy;
        Ok(child)
    }

    fn copy_entries(
        &self,
        vma: &Vma<MapBacking>,
        child: &Mm,
        gather: &mut Gather,
    ) -> Result<(), OutOfMemory> {
        let (range, shared) = (vma.range, vma.flags.contains(VmFlags::SHARED));
        let mut next = range.start;
        while next < range.end {
            let mut batch = Copied::new();
            next = self
                .tables
                .lock()
                .visit(PageRange::new(next, range.end), |page, slot| {
                    let pte = slot.load();
                    if pte.is_guard() {
                        batch.push((page, pte));
                    } else if !shared && let Some(pte) = share(page, slot, gather) {
                        batch.push((page, pte));
                    }
                    !batch.is_full()
                });
            child.receive(batch)?;
        }
        Ok(())
    }

    /// Installs a parent's PTEs, whose references are already counted.
    fn receive(&self, batch: Copied) -> Result<(), OutOfMemory> {
        let mut tables = self.tables.lock();
        let mut result = Ok(());
        for (page, pte) in batch {
            match result.and_then(|()| tables.find_or_create(page)) {
                Ok(slot) => {
                    slot.swap(pte);
                    self.rss.fetch_add(i64::from(holds_frame(pte)), Relaxed);
                }
                Err(OutOfMemory) => {
                    result = Err(OutOfMemory);
                    if holds_frame(pte) {
                        frame::put(pte.frame());
                    }
                }
            }
        }
        result
    }
}

impl AddressSpace {
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

fn holds_frame(pte: Pte) -> bool {
    !pte.is_zero_page() && !pte.is_guard()
}

/// Makes a private page fit for two owners and returns the child's PTE for it (FK-2).
fn share(page: Page, slot: Slot, gather: &mut Gather) -> Option<Pte> {
    let pte = slot.load();
    if !pte.is_anon() && !pte.is_zero_page() {
        return None; // A clean file page: refaulted from its source.
    }
    if pte.is_anon() {
        frame::get(pte.frame());
    }
    // Two owners: neither may have it thrown away because the other does not need it.
    let needed = match pte.is_lazy() {
        true => pte.mkneeded(),
        false => pte,
    };
    if pte.is_writable() || pte.is_lazy() {
        slot.swap(needed.wrprotect());
        gather.touch(page);
    }
    Some(needed.wrprotect().mkold())
}
