//! Checks what must never be false: identical upper halves, and frames that all have an owner.
//!
//! Runs at power-off, on panic and on demand; takes no lock that a panicking CPU may hold.

use core::fmt;

use super::frame::{self, OWNERS};
use super::mm_struct::{self, init_mm_root};
use super::{Mm, pgtable};

/// What an audit looked at.
#[derive(Clone, Copy, Debug)]
pub struct AuditReport {
    /// PML4s compared, the reference included.
    pub pml4s: u64,
    /// Upper-half slots compared in each.
    pub slots: usize,
}

/// What an audit found.
#[derive(Clone, Copy, Debug)]
pub enum AuditError {
    /// An mm's upper half differs from `init_mm`'s (I-2).
    UpperHalf {
        /// The mm.
        mm: u64,
        /// The first slot that differs.
        slot: usize,
    },
    /// The allocator and the frame table disagree, or the owners do not add up.
    Frames(&'static str),
}

/// Compares every live PML4's upper half with the reference, and the frame counts with each other.
pub fn audit() -> Result<AuditReport, AuditError> {
    let pml4s = check_upper_halves()?;
    frame::check().map_err(AuditError::Frames)?;
    Ok(AuditReport {
        pml4s,
        slots: filled_slots(),
    })
}

/// Compares every live PML4's upper half with the reference (I-2) and returns how many there are.
pub fn check_upper_halves() -> Result<u64, AuditError> {
    let mut pml4s = 1;
    let mut result = Ok(());
    mm_struct::for_each_live(|mm| {
        pml4s += 1;
        if let Err(error) = check_one(mm) {
            result = Err(error);
        }
    });
    result.map(|()| pml4s)
}

fn check_one(mm: &Mm) -> Result<(), AuditError> {
    match pgtable::upper_half_difference(mm.root()) {
        Some(slot) => Err(AuditError::UpperHalf {
            mm: mm.id().as_u64(),
            slot,
        }),
        None => Ok(()),
    }
}

/// Counts the reference's filled upper slots; all 256 are since boot (KH-2).
fn filled_slots() -> usize {
    pgtable::filled_upper_slots(init_mm_root())
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpperHalf { mm, slot } => {
                write!(f, "mm {mm}: PML4 slot {slot} differs from init_mm's")
            }
            Self::Frames(what) => write!(f, "{what}"),
        }
    }
}

/// Calls `each` with every owner's name and number of frames, and with the machine's total.
pub fn for_each_owner(mut each: impl FnMut(&'static str, u64)) {
    each("frames_total", frame::total());
    for (owner, name) in OWNERS {
        each(name, frame::count(owner));
    }
}

/// Writes all counters and the frames of every owner as lines of `name value`.
pub fn write_counters(out: &mut dyn fmt::Write) -> fmt::Result {
    super::counters::write(out)?;
    let mut result = Ok(());
    for_each_owner(|name, frames| result = result.and_then(|()| writeln!(out, "{name} {frames}")));
    result
}
