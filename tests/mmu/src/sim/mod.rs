//! The machine that is not there.
//!
//! - [`memory`]: physical memory and what boot does with it.
//! - [`cpu`]: the processors and whose turn it is; what they do unasked.
//! - [`tlb`]: what a processor remembers of page tables.
//! - [`mmu`]: translating an address, and forgetting; it looks for what must not happen.
//! - [`walk`]: reading page tables without the kernel's help.

pub mod cpu;
pub mod memory;
pub mod mmu;
pub mod tlb;
pub mod walk;
