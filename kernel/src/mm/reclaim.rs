//! Getting frames back that can be filled anew: clean pages of files.
//!
//! Who keeps such pages registers a [`Shrinker`]. Pages that nobody has mapped go first. If those are too
//! few, every address space forgets the file pages it shows; a program that still needs one faults and
//! gets it from its file again. What is locked stays. It may sleep: the caller holds no lock that a
//! fault takes.

use arrayvec::ArrayVec;
use vma::VmFlags;

use super::counters::{RECLAIM_RUNS, RECLAIMED};
use super::frame::{self, Owner};
use super::rmap::Scope;
use super::{Mm, mm_struct, zap};
use crate::locks::{SpinLock, rank};

/// Gives at most so many clean pages that nobody has mapped back to the allocator; returns how many.
pub type Shrinker = fn(u64) -> u64;

/// How many frames are asked for at a time: enough that a fault does not come back for each.
pub const BATCH: u64 = 32;

static SHRINKERS: SpinLock<ArrayVec<Shrinker, 4>, { rank::MM_LIST }> =
    SpinLock::new(ArrayVec::new_const());

/// Adds somebody who has pages to give back.
pub fn register(shrinker: Shrinker) {
    SHRINKERS.lock().push(shrinker);
}

/// Frees at least `wanted` frames if there are so many to be had, and returns how many it freed.
pub fn reclaim(wanted: u64) -> u64 {
    RECLAIM_RUNS.inc();
    let mut freed = shrink(wanted);
    if freed < wanted && frame::count(Owner::PageCache) > 0 {
        mm_struct::for_each_live(|mm| mm.forget_file_pages());
        freed += shrink(wanted - freed);
    }
    RECLAIMED.add(freed as i64);
    freed
}

/// Frees some frames if few are left; to be called before a program makes the kernel take many.
pub fn if_low() {
    if !frame::has_room(BATCH) {
        reclaim(BATCH);
    }
}

fn shrink(wanted: u64) -> u64 {
    let shrinkers = SHRINKERS.lock().clone();
    let mut freed = 0;
    for shrinker in shrinkers {
        if freed < wanted {
            freed += shrinker(wanted - freed);
        }
    }
    freed
}

impl Mm {
    /// Removes the PTEs that show pages of files, unless somebody is changing the mappings just now.
    fn forget_file_pages(&self) {
        let Some(map) = self.map.try_read() else {
            return;
        };
        let shown = map.vmas.iter().filter(|vma| vma.backing.source().is_some());
        for vma in shown.filter(|vma| !vma.flags.contains(VmFlags::LOCKED)) {
            zap::zap_source(self, vma.range, Scope::FilePages);
        }
    }

    /// Takes the private memory away from a program that is ending, whoever else still sleeps in it.
    ///
    /// From here on its faults fail: what it had is no longer there. Returns how many pages went.
    pub fn reap(&self) -> u64 {
        let Some(map) = self.map.try_read() else {
            return 0;
        };
        let before = self.rss_pages();
        self.mark_reaped();
        for vma in map.vmas.iter() {
            if !vma.flags.contains(VmFlags::SHARED) {
                zap::zap_pages(self, vma.range);
            }
        }
        before.saturating_sub(self.rss_pages())
    }
}
