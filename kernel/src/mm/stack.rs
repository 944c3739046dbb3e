//! The stack's mapping, which grows down to where it is touched (SG).

use addr::{PAGE_SIZE, Page, PageRange};
use fault::{Growth, Neighbour, SegvCode};
use vma::VmFlags;

use super::counters::FAULT_STACK_GROWTH;
use super::fault::FaultError;
use super::mm_struct::AddressSpace;
use super::{Mm, commit};

/// Extends the stack above `page` down to it, unless somebody else did meanwhile (SG-2).
pub(super) fn grow(mm: &Mm, page: Page) -> Result<(), FaultError> {
    let mut map = mm.map.write();
    let Some(vma) = map.vmas.find_from(page) else {
        return Err(FaultError::Segv(SegvCode::MapErr));
    };
    if vma.range.contains(page) || !vma.flags.contains(VmFlags::GROWSDOWN) {
        return Ok(());
    }
    let (range, flags) = (vma.range, vma.flags);
    let added = fault::stack_growth(&growth(&map, page, range)).map_err(FaultError::Segv)?;
    let charge = added.len() * u64::from(flags.contains(VmFlags::ACCOUNT));
    let may_lock = !flags.contains(VmFlags::LOCKED) || map.allows_locked(added.len());
    if !may_lock || commit::charge(charge).is_err() {
        return Err(FaultError::Segv(SegvCode::MapErr));
    }
    map.vmas.grow_down(range.start, added.start);
    FAULT_STACK_GROWTH.add(added.len() as i64);
    Ok(())
}

fn growth(map: &AddressSpace, addr: Page, vma: PageRange) -> Growth {
    let prev = map.vmas.prev_of(vma.start).map(|prev| Neighbour {
        range: prev.range,
        accessible: !prev.flags.prot().is_empty(),
        growsdown: prev.flags.contains(VmFlags::GROWSDOWN),
    });
    Growth {
        addr,
        vma,
        prev,
        stack_limit: map.limits.stack,
        as_pages_left: (map.limits.address_space / PAGE_SIZE)
            .saturating_sub(map.vmas.totals().total),
    }
}
