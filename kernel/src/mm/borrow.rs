//! What a task holds of an mm that it only borrows: one unit of `mm_count`, or nothing at all.
//!
//! Which of the two is the choice of the machine (`lazy=`), behind the trait [`Lifetime`]. With
//! [`Counted`] the last borrower of a dead process' mm frees its PML4. With [`Shot`] a borrower stands on
//! whatever its CPU has loaded, and who frees a PML4 first takes all CPUs off it ([`shoot`], LZ-30).

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use lazytlb::{Counted, Lifetime, MmId, Shot};

use super::counters::{LAZY_GRAB, MM_SHOT};
use super::{Mm, MmRef, MmUserRef, init_mm, switch, tlb};

static SHOT: AtomicBool = AtomicBool::new(false);

/// Chooses, once, before anybody borrows, whether borrowers hold nothing.
pub fn set_shot(shot: bool) {
    SHOT.store(shot, Relaxed);
}

fn lifetime() -> &'static dyn Lifetime {
    match SHOT.load(Relaxed) {
        true => &Shot,
        false => &Counted,
    }
}

/// What a task has that borrows an mm.
pub enum Borrow {
    /// A reference: the mm is there as long as the borrow.
    Counted(MmRef),
    /// Nothing. The task stands on what its CPU has loaded.
    Guest,
}

impl Borrow {
    /// Begins to borrow `mm`, which the CPU stands on.
    #[inline]
    pub fn of(mm: &MmUserRef) -> Self {
        if lifetime().counts() {
            LAZY_GRAB.inc();
            Self::Counted(mm.grab())
        } else {
            Self::Guest
        }
    }

    /// Borrows `init_mm`, as an idle task does from the start (LZ-7).
    pub fn init() -> Self {
        Self::Counted(init_mm().clone())
    }

    /// Returns what is held.
    pub fn mm(&self) -> Option<&MmRef> {
        match self {
            Self::Counted(mm) => Some(mm),
            Self::Guest => None,
        }
    }

    /// Ends the borrow; returns what is to be dropped once the CPU is off the mm and no lock is held (LZ-3).
    pub fn end(self) -> Option<MmRef> {
        match self {
            Self::Counted(mm) => Some(mm),
            Self::Guest => None,
        }
    }

    /// Returns the number of the mm that the running task, which has this, stands on.
    pub fn active(&self) -> MmId {
        self.mm()
            .map_or_else(|| switch::this_cpu().loaded, |mm| mm.id())
    }

    /// Whether this CPU has left the PML4 of what is borrowed: to come back to it costs as much as to any other, and nobody will
    /// interrupt this CPU when the mm dies.
    pub fn is_left(&self) -> bool {
        let is_other = |mm: &MmRef| mm.id() != MmId::INIT;
        self.mm().is_some_and(is_other) && switch::this_cpu().loaded == MmId::INIT
    }
}

/// Before `mm`'s PML4 is freed: takes every CPU off it that still borrows it, if borrowers hold nothing.
pub(super) fn shoot(mm: &Mm) {
    if !lifetime().counts() && switch::is_loaded_or_switching(mm) {
        MM_SHOT.inc();
        tlb::flush(mm, None, true);
    }
}

/// When `mm`'s user memory has gone: takes idle CPUs off its PML4 that hold a reference, for nothing interrupts them and they would
/// keep it as long as they idle (LZ-29). Where tables were freed, the flush has told them already.
pub(super) fn recall(mm: &Mm) {
    if lifetime().counts() && switch::is_loaded_or_switching(mm) {
        tlb::flush(mm, None, true);
    }
}
