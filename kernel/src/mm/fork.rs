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
use super::{Mm, MmUserRef, OutOfMemory, frame};

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
            .filter(|vma| copies_pages(vma))
            .try_for_each(|vma| self.copy_pages(vma.range, &child, &mut gather));
        gather.finish();
        result?;
        let copy = map.for_child();
        drop(map);
        *child.map.write() = copy;
        Ok(child)
    }

    fn copy_pages(
        &self,
        range: PageRange,
        child: &Mm,
        gather: &mut Gather,
    ) -> Result<(), OutOfMemory> {
        let mut next = range.start;
        while next < range.end {
            let mut batch = Copied::new();
            next = self
                .tables
                .lock()
                .visit(PageRange::new(next, range.end), |page, slot| {
                    if let Some(pte) = share(page, slot, gather) {
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
                    self.rss.fetch_add(i64::from(!pte.is_zero_page()), Relaxed);
                }
                Err(OutOfMemory) => {
                    result = Err(OutOfMemory);
                    if !pte.is_zero_page() {
                        frame::put(pte.frame());
                    }
                }
            }
        }
        result
    }
}

impl AddressSpace {
    fn for_child(&self) -> Self {
        Self {
            vmas: self.vmas.copy_with(|vma| {
                let copied = !vma.flags.contains(VmFlags::DONTFORK);
                copied.then(|| vma.flags - VmFlags::LOCKED - VmFlags::LOCKONFAULT)
            }),
            brk_start: self.brk_start,
            brk: self.brk,
            limits: self.limits,
        }
    }
}

fn copies_pages(vma: &Vma<MapBacking>) -> bool {
    !vma.flags
        .intersects(VmFlags::SHARED | VmFlags::DONTFORK | VmFlags::WIPEONFORK)
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
    if pte.is_writable() {
        slot.swap(pte.wrprotect());
        gather.touch(page);
    }
    Some(pte.wrprotect().mkold())
}
