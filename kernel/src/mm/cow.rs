//! A private copy takes the place of a page that is shared: on all CPUs, before anybody writes to it.
//!
//! Another CPU may still remember the old page, read-only. If a write to the new one could come first, a
//! program's threads would see it and then, on that CPU, not (TLB-8). So the entry goes over in three
//! steps, with the page-table lock free while other CPUs are waited for:
//!
//! | entry | other CPUs remember | a read | a write |
//! |---|---|---|---|
//! | the old page | the old page | succeeds | faults, copies |
//! | the copy, *settling*: read-only | either; the contents are the same | succeeds | faults, waits |
//! | the copy, writable | nothing | succeeds | succeeds |
//!
//! The entry is never empty, so that nobody takes the page for one that was never touched. Where no other
//! CPU has the mm loaded all three steps are one, under the lock.

use addr::{Page, PageRange};
use pte::{Pte, PteFlags};

use super::pgtable::Slot;
use super::tlb::{self, Shootdown};
use super::{Mm, frame};
use crate::arch::local;

/// A copy that is in its place, but not writable before all CPUs have forgotten the old page.
#[must_use = "the program waits for `finish`"]
pub(super) struct Settling<'mm> {
    mm: &'mm Mm,
    page: Page,
    old: Pte,
    /// As it is to be; until then its frame has one reference more.
    new: Pte,
    shootdown: Shootdown<'mm>,
}

/// Puts `new`, which is charged, into `slot`, which holds the zero page or a shared page. The page-table lock is held.
///
/// Returns what is to be finished when the lock is free, if anything; until then the task is not preempted,
/// since others may wait for it.
pub(super) fn replace(mm: &Mm, page: Page, slot: Slot, new: Pte) -> Option<Settling<'_>> {
    let old = slot.exchange(new.mksettling());
    if !old.is_zero_page() {
        mm.tables.rss(page).uncharge(old);
    }
    let range = PageRange {
        start: page,
        end: page.next(),
    };
    let shootdown = tlb::begin(mm, Some(range), false);
    if shootdown.is_done() {
        slot.exchange(new);
        put(old);
        return None;
    }
    // Somebody may take the page away again meanwhile; the same frame must not come back here.
    frame::get(new.frame());
    local::preempt_disable();
    Some(Settling {
        mm,
        page,
        old,
        new,
        shootdown,
    })
}

impl Settling<'_> {
    /// Waits for the other CPUs, then allows writes, if the copy is still there. No spin lock is held.
    #[inline(never)]
    pub(super) fn finish(self) {
        self.shootdown.finish();
        let tables = self.mm.tables.entries(self.page);
        let slot = tables.small_slot(self.page);
        if let Some(slot) = slot.filter(|slot| same(slot.load(), self.new.mksettling())) {
            slot.swap(self.new);
        }
        drop(tables);
        local::preempt_enable_no_resched();
        put(self.old);
        frame::put(self.new.frame());
    }
}

fn put(old: Pte) {
    if !old.is_zero_page() {
        frame::put(old.frame());
    }
}

/// Whether two readings of a PTE differ at most in what the CPU sets by itself.
pub(super) fn same(a: Pte, b: Pte) -> bool {
    let cpu_sets = (PteFlags::ACCESSED | PteFlags::DIRTY).bits();
    (a.raw() ^ b.raw()) & !cpu_sets == 0
}
