//! Where a new program finds its stack, mappings and heap: at random, unless somebody says otherwise.
//!
//! The places are chosen by [`exec::layout`]; here are the switches. `norandmaps` on the command line and
//! `/proc/sys/kernel/randomize_va_space` are for all programs, `ADDR_NO_RANDOMIZE` of `personality` for a process
//! and its descendants.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use abi::process::Persona;
use exec::layout::Layout;

use super::Process;
use crate::fs::dev::random_bytes;
use crate::fs::procfs::parse_number;
use crate::fs::procfs::registry::{Refused, What, register};

/// What is random for programs that do not ask otherwise: nothing (0), all but the heap (1), all (2).
static RANDOM: AtomicU8 = AtomicU8::new(2);

/// Sets whether programs get random places unless they ask otherwise.
pub fn set_random(random: bool) {
    RANDOM.store(if random { 2 } else { 0 }, Relaxed);
}

/// Adds the switch to `/proc/sys`.
pub(super) fn init() {
    register("kernel/randomize_va_space", What::Setting(show, set));
}

fn show(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", RANDOM.load(Relaxed))
}

fn set(text: &str) -> Result<(), Refused> {
    let level = parse_number(text)?;
    // Linux takes any number, and means by a large one what it means by 2.
    RANDOM.store(level.min(2) as u8, Relaxed);
    Ok(())
}

/// Chooses the places of a program that a process with this persona starts.
pub fn choose(persona: Persona) -> Layout {
    let level = RANDOM.load(Relaxed);
    if persona.contains(Persona::ADDR_NO_RANDOMIZE) || level == 0 {
        return Layout::PLAIN;
    }
    let [stack, mappings, program, heap] = [(); 4].map(|()| u64::from_le_bytes(random_bytes()));
    Layout::random([stack, mappings, program, if level > 1 { heap } else { 0 }])
}

impl Process {
    /// Returns the persona.
    pub fn persona(&self) -> Persona {
        Persona::from_bits_retain(self.persona.load(Relaxed))
    }

    /// Sets the persona; programs that are started from now on see it.
    pub fn set_persona(&self, persona: Persona) {
        self.persona.store(persona.bits(), Relaxed);
    }
}
