//! The MADT: one entry after the other, each with its kind and its length in front.
//!
//! Kinds that say nothing to a machine without an I/O APIC driver are passed over, as the specification asks of kinds that a
//! kernel does not know.

use crate::table::{MADT, Table};
use crate::{Error, Memory, number, read};

/// Bytes before the first entry: a table's head, the local APICs' address, flags.
const FIRST: u32 = 44;
/// Bytes of the longest entry that is understood.
const LONGEST: usize = 16;

/// The table of interrupt controllers.
#[derive(Clone, Copy, Debug)]
pub struct Madt {
    table: Table,
    /// Where the local APICs' registers lie, unless an entry says otherwise.
    pub local_apic: u64,
    /// Whether the machine has the two old interrupt controllers too.
    pub has_pics: bool,
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A processor (kinds 0 and 9).
    Processor {
        /// The processor's number in the rest of ACPI.
        uid: u32,
        /// Its local APIC's number.
        apic_id: u32,
        /// Bit 0: it can be used; bit 1: it could be switched on.
        flags: u32,
    },
    /// A line of the old controllers that arrives elsewhere (kind 2).
    LineOverride {
        /// The old controllers' line.
        line: u8,
        /// Where it arrives.
        global: u32,
        /// Polarity and trigger.
        flags: u16,
    },
    /// Where a processor gets NMIs (kinds 4 and 10).
    LocalNmi {
        /// Which processor; `None` for all.
        uid: Option<u32>,
        /// Pin 0 or 1 of its local APIC.
        pin: u8,
        /// Polarity and trigger.
        flags: u16,
    },
    /// Where the local APICs' registers really lie (kind 5).
    LocalApicAddress(u64),
    /// Something else.
    Other(u8),
}

impl Madt {
    /// Reads the table's head at `address`.
    ///
    /// # Errors
    /// Those of [`Table::check`].
    pub fn read(memory: &impl Memory, address: u64) -> Result<Self, Error> {
        let table = Table::check(memory, address, MADT)?;
        if table.length < FIRST {
            return Err(Error::BadLength(MADT));
        }
        let fields: [u8; 8] = read(memory, address + 36)?;
        Ok(Self {
            table,
            local_apic: number(&fields, 0, 4),
            has_pics: fields[4] & 1 != 0,
        })
    }

    /// Returns the entries in their order; the first that is malformed is the last.
    pub fn entries<'a, M: Memory>(&self, memory: &'a M) -> Entries<'a, M> {
        Entries {
            memory,
            table: self.table,
            offset: FIRST,
        }
    }
}

/// The entries of a MADT.
pub struct Entries<'a, M> {
    memory: &'a M,
    table: Table,
    offset: u32,
}

impl<M: Memory> Iterator for Entries<'_, M> {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.table.length {
            return None;
        }
        let entry = self.entry();
        match entry {
            Ok((_, length)) => self.offset += length,
            // Where the next one would begin, nobody knows.
            Err(_) => self.offset = self.table.length,
        }
        Some(entry.map(|(entry, _)| entry))
    }
}

impl<M: Memory> Entries<'_, M> {
    /// Reads the entry at the present offset, with its length.
    fn entry(&self) -> Result<(Entry, u32), Error> {
        let bad = Error::BadEntry(self.offset);
        let left = self.table.length - self.offset;
        if left < 2 {
            return Err(bad);
        }
        let address = self.table.address + u64::from(self.offset);
        let [kind, length] = read(self.memory, address)?;
        if length < 2 || u32::from(length) > left {
            return Err(bad);
        }
        let mut bytes = [0; LONGEST];
        let known = &mut bytes[..LONGEST.min(usize::from(length))];
        if !self.memory.read(address, known) {
            return Err(Error::Unreadable(address));
        }
        let entry = decode(kind, known).ok_or(bad)?;
        Ok((entry, u32::from(length)))
    }
}

/// Decodes an entry; `None` if it is too short for its kind. One that is longer has something to say that is not understood.
fn decode(kind: u8, bytes: &[u8]) -> Option<Entry> {
    let field = |at: usize, width: usize| number(bytes, at, width) as u32;
    let (entry, needed) = match kind {
        0 => (processor(field(2, 1), field(3, 1), field(4, 4)), 8),
        9 => (processor(field(12, 4), field(4, 4), field(8, 4)), 16),
        2 => {
            let (line, global, flags) = (field(3, 1) as u8, field(4, 4), field(8, 2) as u16);
            let entry = Entry::LineOverride {
                line,
                global,
                flags,
            };
            (entry, 10)
        }
        4 => (nmi(field(2, 1), 0xff, field(5, 1), field(3, 2)), 6),
        10 => (nmi(field(4, 4), u32::MAX, field(8, 1), field(2, 2)), 12),
        5 => (Entry::LocalApicAddress(number(bytes, 4, 8)), 12),
        other => (Entry::Other(other), 2),
    };
    (bytes.len() >= needed).then_some(entry)
}

fn processor(uid: u32, apic_id: u32, flags: u32) -> Entry {
    Entry::Processor {
        uid,
        apic_id,
        flags,
    }
}

fn nmi(uid: u32, all: u32, pin: u32, flags: u32) -> Entry {
    Entry::LocalNmi {
        uid: Some(uid).filter(|uid| *uid != all),
        pin: pin as u8,
        flags: flags as u16,
    }
}
