//! Which way the registers are reached.
//!
//! xAPIC is memory, and its numbers have 8 bits. x2APIC is model-specific registers, and its numbers have 32. A CPU can be moved
//! from the first to the second at any time; the way back leads through a switched-off APIC, which loses its state, so what
//! the firmware moved stays moved.

/// How registers are reached, on all CPUs alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A page of memory.
    XApic,
    /// Model-specific registers.
    X2Apic,
}

/// The largest number that an xAPIC can have; the next one addresses all of them.
pub const LARGEST_XAPIC_ID: u32 = 0xfe;

/// What is known when the mode is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Whether the firmware left the APIC on at all.
    pub on: bool,
    /// Whether the firmware left it in x2APIC mode.
    pub left_in_x2apic: bool,
    /// Whether the CPU has that mode.
    pub has_x2apic: bool,
    /// Whether that mode is wanted (`nox2apic`).
    pub wanted: bool,
    /// The largest number of an APIC that is to be used.
    pub largest_id: u32,
}

/// Chooses the mode: x2APIC where there is one, for it takes one write to send a message and no mapping. Who does not want it
/// gets it nevertheless if the firmware left it on, or a number needs more bits.
///
/// # Errors
/// Says in words why there is none.
pub fn choose(given: Given) -> Result<Mode, &'static str> {
    let wide = given.largest_id > LARGEST_XAPIC_ID;
    match given {
        Given { on: false, .. } => Err("the firmware turned the local APIC off"),
        Given {
            left_in_x2apic: true,
            ..
        } => Ok(Mode::X2Apic),
        Given {
            has_x2apic: true, ..
        } if wide || given.wanted => Ok(Mode::X2Apic),
        // Those with larger numbers cannot be reached; they are left where they are.
        _ => Ok(Mode::XApic),
    }
}

/// Returns whether an APIC of this number can be sent interrupts.
pub fn reaches(mode: Mode, id: u32) -> bool {
    match mode {
        Mode::XApic => id <= LARGEST_XAPIC_ID,
        Mode::X2Apic => id != u32::MAX,
    }
}
