//! mlock and its family: flags, and where bringing the pages in has to stop.

use addr::PageRange;
use vma::VmFlags;

use super::ops::numbers;
use super::{Refusal, Space};

/// The flags that say how memory is locked.
pub const LOCK: VmFlags = VmFlags::LOCKED.union(VmFlags::LOCKONFAULT);

/// Returns the flags that say how memory is locked.
#[must_use]
pub fn lock_flags(on_fault: bool) -> VmFlags {
    if on_fault { LOCK } else { VmFlags::LOCKED }
}

impl Space {
    /// Sets how the pages of a range are locked, up to the first hole.
    ///
    /// # Errors
    /// As mlock, mlock2 and munlock.
    pub fn lock(&mut self, range: PageRange, lock: VmFlags) -> Result<(), Refusal> {
        let mut next = range.start.number();
        while next < range.end.number() {
            let page = self.pages.get_mut(&next).ok_or(Refusal::NoMemory)?;
            page.flags = page.flags.difference(LOCK) | lock;
            next += 1;
        }
        if lock != VmFlags::LOCKED || self.fillable(range) == range.end.number() {
            Ok(())
        } else {
            Err(Refusal::NoMemory)
        }
    }

    /// Sets how everything is locked.
    pub fn lock_all(&mut self, lock: VmFlags) {
        for page in self.pages.values_mut() {
            page.flags = page.flags.difference(LOCK) | lock;
        }
    }

    /// Returns the first page of `range` that cannot be brought in, or the range's end.
    pub fn fillable(&self, range: PageRange) -> u64 {
        let mut next = range.start.number();
        let can_be = |page: &super::space::Page| {
            page.flags.is_accessible() && !page.guard && page.contents().is_some()
        };
        while next < range.end.number() && self.pages.get(&next).is_some_and(can_be) {
            next += 1;
        }
        next
    }

    /// Returns the pages of a range that locks at once and that can be brought in, whatever lies before
    /// them in another mapping.
    pub fn filled_pages(&self, range: PageRange) -> Vec<u64> {
        let pages = self.pages.range(numbers(range));
        let mut found = Vec::new();
        let mut stuck_below = 0;
        for (&number, page) in pages {
            if number < stuck_below || page.flags & LOCK != VmFlags::LOCKED {
                continue;
            }
            let fits = page.flags.is_accessible() && !page.guard && page.contents().is_some();
            if fits {
                found.push(number);
            } else {
                stuck_below = self.run_end(number);
            }
        }
        found
    }
}
