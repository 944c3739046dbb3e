//! Getting frames back that can be filled anew: clean pages of files.
//!
//! Who keeps such pages registers a [`Shrinker`]. Pages that nobody has mapped go first. If those are too
//! few, every address space forgets the file pages that it shows but has not used since the last time,
//! and then all of them; a program that still needs one faults and gets it from its file again. Private
//! pages that a program has given up (MADV_FREE) and not written to since go with them, and those of
//! mappings that may lose theirs (MAP_DROPPABLE). What is locked stays. It may sleep: the caller holds
//! no lock that a fault takes.
//!
//! Less than a [`BATCH`] is no success. Programs need some pages of their files to get on at all: where
//! these are the last that can be had, taking them is no way to find memory, and everybody would fault
//! for ever.

use addr::{Page, PageRange};
use arrayvec::ArrayVec;
use pte::Pte;
use vma::VmFlags;

use super::counters::{RECLAIM_RUNS, RECLAIMED};
use super::gather::Gather;
use super::pgtable::Block;
use super::rss::{self, Kind};
use super::{Mm, frame, large, mm_struct, zap};
use crate::locks::{SpinLock, rank};

/// Gives at most so many clean pages that nobody has mapped back to the allocator; returns how many.
pub type Shrinker = fn(u64) -> u64;

/// How many frames are asked for at a time: enough that a fault does not come back for each, and more
/// than any one instruction needs.
pub const BATCH: u64 = 32;

static SHRINKERS: SpinLock<ArrayVec<Shrinker, 4>, { rank::MM_LIST }> =
    SpinLock::new(ArrayVec::new_const());

/// Adds somebody who has pages to give back.
pub fn register(shrinker: Shrinker) {
    SHRINKERS.lock().push(shrinker);
}

/// How much an address space gives up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// What it has not used since the last walk.
    Idle,
    /// All that can be had again.
    All,
}

/// What decides about the entries of a mapping.
#[derive(Clone, Copy)]
struct Policy {
    effort: Effort,
    /// Private pages may be lost whenever memory is short (MAP_DROPPABLE).
    droppable: bool,
}

/// What becomes of one entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It stays.
    Kept,
    /// It stays, and goes next time unless it is used.
    Aged,
    /// It goes; its page is in a file.
    Forgotten,
    /// It goes, and its page with it.
    Freed,
}

/// Frees at least `wanted` frames if there are so many to be had, and returns how many it freed.
pub fn reclaim(wanted: u64) -> u64 {
    RECLAIM_RUNS.inc();
    let mut freed = shrink(wanted);
    for effort in [Effort::Idle, Effort::All] {
        if freed < wanted {
            mm_struct::for_each_live(|mm| freed += mm.forget_pages(effort));
            freed += shrink(wanted.saturating_sub(freed));
        }
    }
    RECLAIMED.add(freed as i64);
    freed
}

/// Frees at most about `wanted` frames that nobody uses just now, and returns how many.
///
/// For the background: what programs touch again and again stays.
pub fn reclaim_idle(wanted: u64) -> u64 {
    let mut freed = shrink(wanted);
    if freed < wanted {
        mm_struct::for_each_live(|mm| freed += mm.forget_pages(Effort::Idle));
        freed += shrink(wanted.saturating_sub(freed));
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
    /// Removes PTEs whose pages can be had again, unless somebody is changing the mappings just now.
    /// Returns how many frames that freed; those of files are still in their caches.
    fn forget_pages(&self, effort: Effort) -> u64 {
        let Some(map) = self.map.try_read() else {
            return 0;
        };
        self.note_rss_peak();
        let unlocked = map
            .vmas
            .iter()
            .filter(|vma| !vma.flags.contains(VmFlags::LOCKED));
        let freed = unlocked.map(|vma| {
            let droppable = vma.flags.contains(VmFlags::DROPPABLE);
            self.forget_in(vma.range, Policy { effort, droppable })
        });
        freed.sum()
    }

    fn forget_in(&self, range: PageRange, policy: Policy) -> u64 {
        let (mut at, mut freed) = (range.start, 0);
        while at < range.end {
            let mut gather = Gather::new(self);
            at = self.forget_batch(
                PageRange::new(at, range.end),
                policy,
                &mut freed,
                &mut gather,
            );
            gather.finish();
        }
        freed
    }

    /// Goes on to the end of a table, or until `gather` is full; returns the next page.
    fn forget_batch(
        &self,
        range: PageRange,
        policy: Policy,
        freed: &mut u64,
        gather: &mut Gather,
    ) -> Page {
        let mut tables = self.tables.lock();
        let mut page = range.start;
        let block = match tables.next_block(&mut page, range.end) {
            None => return range.end,
            // Private, and never given up: that splits.
            Some(Block::Large(_)) if !policy.droppable => return large::block(page).end,
            Some(_) => large::block(page),
        };
        let range = PageRange::new(page, block.end.min(range.end));
        let next = tables.visit(range, |page, slot| {
            match policy.fate(slot.load()) {
                Fate::Kept => {}
                Fate::Aged => {
                    slot.swap(slot.load().mkold());
                    gather.touch(page);
                }
                gone => {
                    let old = slot.swap(Pte::EMPTY);
                    // Written to a moment ago: needed after all.
                    if gone == Fate::Freed && !policy.may_free(old) {
                        slot.swap(old);
                    } else {
                        *freed += u64::from(gone == Fate::Freed);
                        zap::forget(self, page, old, gather);
                    }
                }
            }
            !gather.is_full()
        });
        tables.prune_range(PageRange::new(range.start, next), gather);
        next
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

impl Policy {
    fn fate(self, pte: Pte) -> Fate {
        match rss::kind(pte) {
            Some(Kind::Anon) if self.may_free(pte) => Fate::Freed,
            Some(Kind::File) if self.effort == Effort::Idle && pte.is_accessed() => Fate::Aged,
            Some(Kind::File) => Fate::Forgotten,
            _ => Fate::Kept,
        }
    }

    /// Whether a private page may be lost: nobody else has it, and nobody wants it.
    fn may_free(self, pte: Pte) -> bool {
        let is_given_up = pte.is_lazy() && !pte.is_dirty();
        (is_given_up || self.droppable) && frame::refs(pte.frame()) == 1
    }
}
