//! mprotect: other rights for pages that are there (VM-10).

use addr::{PAGE_SIZE, Page, PageRange, USER_END, VirtAddr};
use pte::Prot;
use vma::VmFlags;

use super::mlock::LOCK;
use super::mm_struct::{AddressSpace, MapGuard, is_data};
use super::{Mm, commit, frame, tlb};

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

/// What one step of a change did.
struct Step {
    /// Where the next one begins.
    next: Page,
    /// Whether private locked memory became writable.
    fills: bool,
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
        let end = len
            .checked_next_multiple_of(PAGE_SIZE)
            .and_then(|len| addr.checked_add(len))
            .ok_or(ProtectError::NoMemory)?;
        if addr >= USER_END {
            return Err(ProtectError::NoMemory);
        }
        // What lies above user space is a hole like any other: the pages before it are changed.
        let all = PageRange::new(
            VirtAddr::new(addr).page(),
            VirtAddr::new(end.min(USER_END)).page(),
        );
        let (result, fills) = self.protect_range(all, prot, from_start);
        if let Some(fills) = fills {
            self.fill_locked(fills);
        }
        match result {
            Ok(()) if end > USER_END => Err(ProtectError::NoMemory),
            result => result,
        }
    }

    /// Says whether anything is mapped at `addr`.
    pub fn is_mapped_at(&self, addr: u64) -> bool {
        let page = PageRange::from_len(VirtAddr::new(addr).page(), 1);
        page.is_some_and(|page| addr < USER_END && self.map.read().covers(page))
    }

    /// [`Mm::protect`] under mmap_lock; also says between which pages locked memory became writable,
    /// which has to be brought in.
    fn protect_range(
        &self,
        mut range: PageRange,
        prot: Prot,
        from_start: bool,
    ) -> (Result<(), ProtectError>, Option<PageRange>) {
        let mut map = self.map.write();
        if from_start {
            match growing_start(&map, range) {
                Ok(start) => range = PageRange::new(start, range.end),
                Err(error) => return (Err(error), None),
            }
        }
        let splits = map.vmas.splits_needed(range);
        if !map.has_room_for(splits) || splits > 0 && !frame::can_spare(1) {
            return (Err(ProtectError::NoMemory), None);
        }
        let mut fills: Option<PageRange> = None;
        let mut at = range.start;
        while at < range.end {
            match self.protect_at(&mut map, at, range.end, prot) {
                Ok(step) => {
                    let piece = PageRange::new(at, step.next);
                    if step.fills {
                        let start = fills.map_or(piece.start, |fills| fills.start);
                        fills = Some(PageRange::new(start, piece.end));
                    }
                    at = step.next;
                }
                Err(error) => return (Err(error), fills),
            }
        }
        (Ok(()), fills)
    }

    /// One step: the mapping at `at`, up to its end or `end`.
    fn protect_at(
        &self,
        map: &mut MapGuard<'_>,
        at: Page,
        end: Page,
        prot: Prot,
    ) -> Result<Step, ProtectError> {
        let (piece, old, mut new) = map.vmas.protection_at(at, end, prot)?;
        let next = piece.end;
        if old == new {
            return Ok(Step { next, fills: false });
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
        if let Some(stale) = self.protect_pages(piece, prot) {
            let shootdown = tlb::begin(self, Some(stale), false);
            if !shootdown.is_done() {
                // Mapping and entries agree again: faults need not wait for other CPUs.
                map.opened(|_| shootdown.finish());
            }
        }
        let at_once = old & LOCK == VmFlags::LOCKED && !old.contains(VmFlags::SHARED);
        let fills = at_once && new.contains(VmFlags::WRITE) && !old.contains(VmFlags::WRITE);
        Ok(Step { next, fills })
    }

    /// Rewrites the PTEs of `range` for `prot`; never grants W, that is the fault's to decide (HF-18). Returns what
    /// is to be flushed.
    fn protect_pages(&self, range: PageRange, prot: Prot) -> Option<PageRange> {
        let mut stale: Option<PageRange> = None;
        self.tables.lock().visit(range, |page, slot| {
            let old = slot.load();
            let new = old.with_prot(prot);
            if old != new {
                // Flushed even if it only gains rights: a stale NX would look like a forbidden
                // fetch, which PF-9 answers with SIGSEGV before the entry is looked at again.
                let had = slot.swap(slot.load().with_prot(prot));
                if had.is_present() {
                    let first = stale.map_or(page, |stale| stale.start);
                    stale = Some(PageRange::new(first, page.next()));
                }
            }
            true
        });
        stale
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
