//! Which address spaces a CPU remembers side by side, where it has PCIDs (TLB-6).
//!
//! A CPU has a few slots, each a PCID of the hardware. A slot is recognised by the number of the mm that
//! used it last, which is never used again, and remembers up to which generation its translations are true.
//!
//! | slot | generation | CR3 is written |
//! |---|---|---|
//! | has the mm | as seen | keeping what the slot holds (bit 63) |
//! | has the mm | moved on | dropping it |
//! | another one, taken in turn | | dropping it |
//!
//! A flush reaches the slot that is in use; all others are compared when they are used again. Where the CPU can
//! drop single pages of any slot (INVPCID), one that is asked for the very next generation of a slot out of use
//! follows it, and finds the slot warm when it comes back. `init_mm` has no user half and PCID 0, where nothing is
//! ever stale.

use addr::PageRange;

use crate::flush::{Flush, FlushRequest, plan_flush};
use crate::load::MmId;

/// Slots of a CPU: more cost nothing but are rarely found warm.
pub const SLOTS: usize = 6;

/// The PCID of `init_mm`, and of everybody before there are slots.
pub const INIT_PCID: u16 = 0;

/// Says "keep what the PCID holds" when CR3 is written. Without CR4.PCIDE it is a fault.
pub const KEEP: u64 = 1 << 63;

/// What a CPU remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slots<const N: usize = SLOTS> {
    slots: [Slot; N],
    /// Who is replaced next.
    next: u8,
    /// The PCID in CR3.
    in_use: u16,
}

/// One of them; [`MmId::INIT`] says that it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Slot {
    mm: MmId,
    seen_gen: u64,
}

/// How CR3 is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    /// Bits 0 to 11.
    pub pcid: u16,
    /// Whether what the PCID holds may stay.
    pub keep: bool,
    /// Whether the slot was another mm's.
    pub recycled: bool,
}

impl Tag {
    /// Returns the bits beside the address, of a CPU with PCIDs on.
    pub const fn bits(self) -> u64 {
        self.pcid as u64 | if self.keep { KEEP } else { 0 }
    }
}

impl<const N: usize> Slots<N> {
    /// Remembers nothing: after a start, and whenever everything was flushed or may have been missed (LZ-28).
    pub const EMPTY: Self = Self {
        slots: [Slot {
            mm: MmId::INIT,
            seen_gen: 0,
        }; N],
        next: 0,
        in_use: INIT_PCID,
    };

    /// Finds or takes a slot for `mm`, whose generation was just read, and notes that it is in use and up to date.
    pub fn load(&mut self, mm: MmId, generation: u64) -> Tag {
        if mm == MmId::INIT {
            self.in_use = INIT_PCID;
            return Tag {
                pcid: INIT_PCID,
                keep: true,
                recycled: false,
            };
        }
        let found = self.find(mm);
        let number = found.unwrap_or(usize::from(self.next));
        if found.is_none() {
            self.next = (self.next + 1) % N as u8;
        }
        let slot = &mut self.slots[number];
        let keep = found.is_some() && slot.seen_gen == generation;
        let recycled = found.is_none() && slot.mm != MmId::INIT;
        *slot = Slot {
            mm,
            seen_gen: generation,
        };
        self.in_use = number as u16 + 1;
        Tag {
            pcid: self.in_use,
            keep,
            recycled,
        }
    }

    /// Returns the PCID in CR3.
    pub fn in_use(&self) -> u16 {
        self.in_use
    }

    /// Notes that the slot in use holds nothing older than `generation`.
    pub fn caught_up(&mut self, generation: u64) {
        if let Some(number) = usize::from(self.in_use).checked_sub(1) {
            self.slots[number].seen_gen = generation;
        }
    }

    /// Decides what a CPU that can drop single pages of any slot does about a request for an mm that it has not loaded:
    /// which pages of which PCID it drops. The slot is up to date then; in all other cases its use will find that it is not.
    ///
    /// `current_gen` is the mm's generation now. Where tables are freed, the slot might know more than pages.
    pub fn follow(&mut self, request: &FlushRequest, current_gen: u64) -> Option<(u16, PageRange)> {
        let number = self.find(request.mm)?;
        let slot = &mut self.slots[number];
        let is_next = request.generation == slot.seen_gen + 1 && request.generation == current_gen;
        let is_used = usize::from(self.in_use) == number + 1;
        if !is_next || is_used || request.freed_tables {
            return None;
        }
        match plan_flush(request.range?) {
            Flush::Pages(pages) => {
                slot.seen_gen = request.generation;
                Some((number as u16 + 1, pages))
            }
            _ => None,
        }
    }

    fn find(&self, mm: MmId) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| slot.mm == mm && mm != MmId::INIT)
    }
}
