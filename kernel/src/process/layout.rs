//! Where a new program finds its stack, mappings and heap: at random, unless somebody says otherwise.
//!
//! The places are chosen by [`exec::layout`]; here are the two switches. `norandmaps` on the command line is
//! for all programs, `ADDR_NO_RANDOMIZE` of `personality` for a process and its descendants.

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use abi::process::Persona;
use exec::layout::Layout;

use super::Process;
use crate::fs::dev::random_bytes;

static RANDOM: AtomicBool = AtomicBool::new(true);

/// Sets whether programs get random places unless they ask otherwise.
pub fn set_random(random: bool) {
    RANDOM.store(random, Relaxed);
}

/// Chooses the places of a program that a process with this persona starts.
pub fn choose(persona: Persona) -> Layout {
    if persona.contains(Persona::ADDR_NO_RANDOMIZE) || !RANDOM.load(Relaxed) {
        return Layout::PLAIN;
    }
    Layout::random([(); 4].map(|()| u64::from_le_bytes(random_bytes())))
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
