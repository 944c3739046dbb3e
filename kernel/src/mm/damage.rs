//! Entries that no kernel wrote: with bits set that the CPU reserves.
//!
//! Memory can lie. Whoever walks into such an entry ends (PF-3), and the machine goes on: so the entry
//! must become one again that the end of the address space can take apart.

use addr::{Frame, Page};
use pte::Pte;

use super::frame::{self, Owner};
use super::pgtable;
use super::rss::Kind;
use super::{Mm, tlb};

/// What became of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mended {
    /// Without the bits that cannot be it names a page of a program's again.
    Repaired,
    /// It names nothing, and was taken out; what it named is lost.
    Dropped,
    /// A table above the last is damaged, or nothing is.
    Untouched,
}

impl Mm {
    /// Makes good, as far as that can be, the entry of `page` that the CPU refused to use.
    pub fn mend_entry(&self, page: Page) -> Mended {
        let tables = self.tables.lock();
        let damaged = pgtable::walk(self.root(), page.start())
            .find(|(_, entry)| entry.frame().number() >= frame::table_len());
        let Some((1, entry)) = damaged else {
            return Mended::Untouched;
        };
        let Some(slot) = tables.small_slot(page) else {
            return Mended::Untouched;
        };
        let possible = frame::table_len().next_power_of_two() - 1;
        let meant = Frame::new(entry.frame().number() & possible);
        if is_of_a_program(meant) {
            slot.swap(Pte::new(meant, entry.flags()));
            return Mended::Repaired;
        }
        slot.swap(Pte::EMPTY);
        if entry.is_anon() {
            self.note_rss_peak();
            self.tables.rss(page).add(Kind::Anon, -1);
        }
        Mended::Dropped
    }

    /// Sets a reserved bit in the entry of `page`, if it has one; only `damage` lets programs ask.
    pub fn damage_entry(&self, page: Page) -> bool {
        const RESERVED: u64 = 1 << 51;
        let mut tables = self.tables.lock();
        let Some(slot) = tables.find(page).filter(|slot| slot.load().is_present()) else {
            return false;
        };
        slot.swap(Pte::from_raw(slot.load().raw() | RESERVED));
        tlb::flush_local(self, page);
        true
    }
}

fn is_of_a_program(meant: Frame) -> bool {
    meant.number() < frame::table_len()
        && matches!(frame::info(meant).owner(), Owner::Anon | Owner::PageCache)
        && frame::refs(meant) > 0
}
