//! mlock and its family: pages that are brought in and stay.
//!
//! Nothing is ever swapped out here, so what a lock keeps is kept anyway; it counts against
//! RLIMIT_MEMLOCK, brings the pages in, and forbids the calls that would throw them away.

use addr::{PAGE_SIZE, Page, PageRange};
use vma::VmFlags;

use super::Mm;
use super::mm_struct::AddressSpace;
use super::place::ALL_USER;
use super::populate::PopulateError;

/// The flags that say how a mapping is locked.
pub(super) const LOCK: VmFlags = VmFlags::LOCKED.union(VmFlags::LOCKONFAULT);

/// Why memory was not, or only partly, locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockError {
    /// Something is not mapped or not accessible, or too much would be locked.
    NoMemory,
    /// The pages could not be brought in for now.
    TryAgain,
}

/// Why msync failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncError {
    /// A part of the range is not mapped.
    NotMapped,
    /// A mapping is locked.
    Busy,
}

impl Mm {
    /// Locks the mappings of `range` and brings their pages in, unless `on_fault`.
    pub fn lock(&self, range: PageRange, on_fault: bool) -> Result<(), LockError> {
        let flags = match on_fault {
            true => LOCK,
            false => VmFlags::LOCKED,
        };
        let mut map = self.map.write();
        let locked = pages_with(&map, range, VmFlags::LOCKED);
        if !map.allows_locked(range.len() - locked) {
            return Err(LockError::NoMemory);
        }
        change(&mut map, range, flags)?;
        drop(map);
        if on_fault {
            return Ok(());
        }
        self.populate_as_locked(range).map_err(|error| match error {
            PopulateError::OutOfMemory | PopulateError::Interrupted => LockError::TryAgain,
            _ => LockError::NoMemory,
        })
    }

    /// Unlocks the mappings of `range`.
    pub fn unlock(&self, range: PageRange) -> Result<(), LockError> {
        change(&mut self.map.write(), range, VmFlags::empty())
    }

    /// Locks everything that is mapped (`now`), and tells how mappings made later are to be locked.
    pub fn lock_all(&self, now: bool, future: bool, on_fault: bool) -> Result<(), LockError> {
        let flags = match on_fault {
            true => LOCK,
            false => VmFlags::LOCKED,
        };
        let mut map = self.map.write();
        if now && !map.allows_locked(map.vmas.totals().total - map.vmas.totals().locked) {
            return Err(LockError::NoMemory);
        }
        map.lock_flags = match future {
            true => flags,
            false => VmFlags::empty(),
        };
        if !now {
            return Ok(());
        }
        let all = ALL_USER;
        map.vmas
            .change_flags(all, |vma| with_lock(vma.flags, flags));
        drop(map);
        if !on_fault {
            self.populate_all();
        }
        Ok(())
    }

    /// Unlocks everything, now and in future.
    pub fn unlock_all(&self) {
        let mut map = self.map.write();
        map.lock_flags = VmFlags::empty();
        map.vmas
            .change_flags(ALL_USER, |vma| with_lock(vma.flags, VmFlags::empty()));
    }

    /// msync: what a shared mapping changes is in the file at once, so only the checks remain. With
    /// `invalidates`, locked memory stands in the way.
    pub fn sync(&self, range: PageRange, invalidates: bool) -> Result<(), SyncError> {
        let map = self.map.read();
        let locked = VmFlags::LOCKED;
        if invalidates
            && map
                .vmas
                .overlapping(range)
                .any(|vma| vma.flags.contains(locked))
        {
            return Err(SyncError::Busy);
        }
        match map.covers(range) {
            true => Ok(()),
            false => Err(SyncError::NotMapped),
        }
    }

    /// Brings in the locked writable mappings between the ends of `span`, as far as that is possible.
    pub(super) fn fill_locked(&self, span: PageRange) {
        let mut rest = span;
        while let Some(part) = self.locked_part(rest) {
            if self.populate_as_locked(part) == Err(PopulateError::Interrupted) {
                return;
            }
            rest = PageRange::new(part.end, span.end);
        }
    }

    fn locked_part(&self, range: PageRange) -> Option<PageRange> {
        let wanted = VmFlags::LOCKED | VmFlags::WRITE;
        let map = self.map.read();
        let found = map
            .vmas
            .overlapping(range)
            .find(|vma| vma.flags & (LOCK | VmFlags::WRITE) == wanted)?;
        found.range.intersection(&range)
    }

    /// Brings in every mapping, as far as that is possible.
    fn populate_all(&self) {
        let mut at = ALL_USER.start;
        while let Some(range) = self.mapping_from(at) {
            if self.populate_as_locked(range) == Err(PopulateError::Interrupted) {
                return;
            }
            at = range.end;
        }
    }

    fn mapping_from(&self, at: Page) -> Option<PageRange> {
        self.map.read().vmas.find_from(at).map(|vma| vma.range)
    }
}

/// Sets how the mappings of `range` are locked, up to the first hole.
fn change(map: &mut AddressSpace, range: PageRange, lock: VmFlags) -> Result<(), LockError> {
    if !map.has_room_for(map.vmas.splits_needed(range)) {
        return Err(LockError::NoMemory);
    }
    let mut at = range.start;
    while at < range.end {
        let vma = map.vmas.find(at).ok_or(LockError::NoMemory)?;
        let piece = PageRange::new(at, range.end.min(vma.range.end));
        let flags = with_lock(vma.flags, lock);
        if flags != vma.flags {
            map.vmas.set_flags(piece, flags);
        }
        at = piece.end;
    }
    Ok(())
}

/// What may be thrown away at any time is never locked.
fn with_lock(flags: VmFlags, lock: VmFlags) -> VmFlags {
    match flags.contains(VmFlags::DROPPABLE) {
        true => flags,
        false => flags.difference(LOCK).union(lock),
    }
}

fn pages_with(map: &AddressSpace, range: PageRange, flag: VmFlags) -> u64 {
    let with_flag = map
        .vmas
        .overlapping(range)
        .filter(|vma| vma.flags.contains(flag));
    with_flag
        .filter_map(|vma| vma.range.intersection(&range))
        .map(|part| part.len())
        .sum()
}

impl AddressSpace {
    /// Whether `pages` more may be locked.
    pub(super) fn allows_locked(&self, pages: u64) -> bool {
        self.limits.locked.is_none_or(|limit| {
            self.vmas.totals().locked.saturating_add(pages) <= limit / PAGE_SIZE
        })
    }

    /// Whether new mappings are locked and brought in at once.
    pub(super) fn locks_pages_at_once(&self) -> bool {
        self.lock_flags == VmFlags::LOCKED
    }
}
