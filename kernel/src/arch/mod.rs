//! The machine: everything that only one processor architecture can say.
//!
//! `crate::arch::cpu`, `crate::arch::mmu` and so on are the modules of the architecture the
//! kernel is built for; the layers above name them without saying which. There is one today,
//! and its map is at the top of `x86_64/mod.rs`.

#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "x86_64")]
pub use x86_64::*;
