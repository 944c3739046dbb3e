//! mprotect: other rights for pages that are there (VM-10).

use addr::{PAGE_SIZE, Page, PageRange, VirtAddr};
use pte::Prot;
use vma::VmFlags;

use super::gather::Gather;
use super::mm_struct::{AddressSpace, is_data};
use super::place::user_pages;
use super::{Mm, commit, frame};

/// Why a protection was not, or only partly, changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProtectError {
    /// Unaligned, or it should reach down to the start of a mapping that does not grow down.
    Invalid,
    /// Something in the range is not mapped, or the change cannot be paid for; what lies before it
    /// is changed.
    NoMemory,
    /// A mapping must not get these rights.
    Access,
}

impl Mm {
    /// Changes the protection of `len` bytes from `addr` on, as far as they are mapped. With
    /// `from_start` (PROT_GROWSDOWN) it begins where the mapping that contains `addr` does.
    pub fn protect(
        &self,
        addr: u64,
        len: u64,
        prot: Prot,
        from_start: bool,
    ) -> Result<(), ProtectError> {
        if !addr.is_multiple_of(PAGE_SIZE) {
            return Err(ProtectError::Invalid);
        }
        if len == 0 {
            return Ok(());
        }
        let mut range = user_pages(addr, len).ok_or(ProtectError::NoMemory)?;
        if range.is_empty() {
            return Err(ProtectError::NoMemory);
        }
        let mut map = self.map.write();
        if from_start {
            range = PageRange::new(growing_start(&map, range)?, range.end);
        }
        let splits = map.vmas.splits_needed(range);
        if !map.has_room_for(splits) || splits > 0 && !frame::can_spare(1) {
            return Err(ProtectError::NoMemory);
        }
        let mut at = range.start;
        while at < range.end {
            at = self.protect_at(&mut map, at, range.end, prot)?;
        }
        Ok(())
    }

    /// One step: the mapping at `at`, up to its end or `end`. Returns where the next begins.
    fn protect_at(
        &self,
        map: &mut AddressSpace,
        at: Page,
        end: Page,
        prot: Prot,
    ) -> Result<Page, ProtectError> {
        let (piece, old, mut new) = map.vmas.protection_at(at, end, prot)?;
        if old == new {
            return Ok(piece.end);
        }
        if is_data(new) && !is_data(old) && !map.allows_data(piece.len()) {
            return Err(ProtectError::NoMemory);
        }
        // Writable private memory is charged from the first time on, and stays so.
        if commit::is_charged(new) && !old.intersects(VmFlags::ACCOUNT | VmFlags::WRITE) {
            commit::charge(piece.len()).map_err(|_| ProtectError::NoMemory)?;
            new |= VmFlags::ACCOUNT;
        }
        map.vmas.set_flags(piece, new);
        self.protect_pages(piece, prot);
        Ok(piece.end)
    }

    /// Rewrites the PTEs of `range` for `prot`; never grants W, that is the fault's to decide (HF-18).
    fn protect_pages(&self, range: PageRange, prot: Prot) {
        let mut gather = Gather::new(self);
        self.tables.lock().visit(range, |page, slot| {
            let old = slot.load();
            let new = old.with_prot(prot);
            if old != new {
                // Flushed even if it only gains rights: a stale NX would look like a forbidden
                // fetch, which PF-9 answers with SIGSEGV before the entry is looked at again.
                let had = slot.swap(slot.load().with_prot(prot));
                if had.is_present() {
                    gather.touch(page);
                }
            }
            true
        });
        gather.finish();
    }
}

fn growing_start(map: &AddressSpace, range: PageRange) -> Result<Page, ProtectError> {
    let vma = map
        .vmas
        .find_from(range.start)
        .filter(|vma| vma.range.start < range.end)
        .ok_or(ProtectError::NoMemory)?;
    if !vma.flags.contains(VmFlags::GROWSDOWN) {
        return Err(ProtectError::Invalid);
    }
    Ok(vma
        .range
        .start
        .min(VirtAddr::new(range.start.start().as_u64()).page()))
}

impl From<vma::ProtectError> for ProtectError {
    fn from(error: vma::ProtectError) -> Self {
        match error {
            vma::ProtectError::Hole => Self::NoMemory,
            vma::ProtectError::Denied => Self::Access,
        }
    }
}
