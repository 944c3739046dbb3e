//! What the tables say about processors.

use arrayvec::ArrayVec;

use crate::madt::{Entry, Madt};
use crate::root::Root;
use crate::table::MADT;
use crate::{Error, Memory};

/// How many processors are listed; more are counted only.
pub const MAX_PROCESSORS: usize = 128;

/// The number that addresses all local APICs, so that none has it: of the first kind, and of the second.
const BROADCAST: [u32; 2] = [0xff, u32::MAX];

/// Whether a processor can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there and can be started.
    Enabled,
    /// Its place is empty; one may be plugged in while the machine runs.
    OnlineCapable,
    /// It is not to be used.
    Disabled,
}

/// One processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Its local APIC's number.
    pub apic_id: u32,
    /// Whether it can be used.
    pub standing: Standing,
}

/// All processors, in the order of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processors {
    /// Where the local APICs' registers lie.
    pub local_apic: u64,
    /// Each number once.
    pub list: ArrayVec<Processor, MAX_PROCESSORS>,
    /// How many are not listed for want of room.
    pub left_out: u32,
}

/// Reads the tables that the RSDP at `rsdp` leads to.
///
/// # Errors
/// Says what is wrong with the first table that is.
pub fn processors(memory: &impl Memory, rsdp: u64) -> Result<Processors, Error> {
    let root = Root::read(memory, rsdp)?;
    let address = root.find(memory, MADT)?.ok_or(Error::NoMadt)?;
    let madt = Madt::read(memory, address)?;
    let mut found = Processors {
        local_apic: madt.local_apic,
        ..Processors::default()
    };
    for entry in madt.entries(memory) {
        match entry? {
            Entry::Processor { apic_id, flags, .. } => found.add(apic_id, flags),
            Entry::LocalApicAddress(address) => found.local_apic = address,
            Entry::LineOverride { .. } | Entry::LocalNmi { .. } | Entry::Other(_) => {}
        }
    }
    Ok(found)
}

impl Processors {
    /// Returns the APIC numbers of those that can be started besides the one that runs already.
    pub fn others(&self, running: u32) -> impl Iterator<Item = u32> {
        let ready = self
            .list
            .iter()
            .filter(|processor| processor.standing == Standing::Enabled);
        ready
            .map(|processor| processor.apic_id)
            .filter(move |id| *id != running)
    }

    /// A number listed twice (a processor may have an entry of each kind) counts once: the first time.
    fn add(&mut self, apic_id: u32, flags: u32) {
        const ENABLED: u32 = 1;
        const ONLINE_CAPABLE: u32 = 2;
        let known = self.list.iter().any(|known| known.apic_id == apic_id);
        if known || BROADCAST.contains(&apic_id) {
            return;
        }
        let standing = match flags {
            flags if flags & ENABLED != 0 => Standing::Enabled,
            flags if flags & ONLINE_CAPABLE != 0 => Standing::OnlineCapable,
            _ => Standing::Disabled,
        };
        let processor = Processor { apic_id, standing };
        if self.list.try_push(processor).is_err() {
            self.left_out += 1;
        }
    }
}
