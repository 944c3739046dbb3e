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
//! A flush reaches the slot that is in use; all others are compared when they are used again. `init_mm` has no
//! user half and PCID 0, where nothing is ever stale.

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
    };

    /// Finds or takes a slot for `mm`, whose generation was just read, and notes that it is up to date.
    pub fn load(&mut self, mm: MmId, generation: u64) -> Tag {
        if mm == MmId::INIT {
            return Tag {
                pcid: INIT_PCID,
                keep: true,
            };
        }
        let found = self.find(mm);
        let number = found.unwrap_or(usize::from(self.next));
        if found.is_none() {
            self.next = (self.next + 1) % N as u8;
        }
        let slot = &mut self.slots[number];
        let keep = found.is_some() && slot.seen_gen == generation;
        *slot = Slot {
            mm,
            seen_gen: generation,
        };
        Tag {
            pcid: number as u16 + 1,
            keep,
        }
    }

    /// Notes that the slot of `mm`, which is in use, holds nothing older than `generation`.
    pub fn caught_up(&mut self, mm: MmId, generation: u64) {
        if let Some(number) = self.find(mm) {
            self.slots[number].seen_gen = generation;
        }
    }

    fn find(&self, mm: MmId) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| slot.mm == mm && mm != MmId::INIT)
    }
}
