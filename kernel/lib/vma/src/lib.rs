//! The mappings of one address space, as a set of disjoint page ranges.
//!
//! A [`Vma`] says what user space was promised for a range of pages; page tables hold what
//! has been delivered so far. [`VmaSet`] keeps the promises, knows nothing of frames and
//! takes no lock: the kernel wraps one per `Mm` in its `mmap_lock`.
//!
//! # Invariants
//!
//! 1. No mapping is empty and no two overlap.
//! 2. Two neighbours that could be one mapping are one mapping (VM-6).
//! 3. The [`Totals`] are the sums over all mappings.
//!
//! Reading order: [`VmFlags`], [`Backing`] and [`Vma`]; `set.rs` for looking up, inserting
//! and removing, on a tree that lives in `tree/`; `pieces.rs` for the two moves everything is made of, cutting and joining;
//! then `protect.rs` and `change.rs` (other rights, other flags), `gap.rs` (where may a new
//! mapping go?), `resize.rs` (stack, brk) and `copy.rs` (fork). `check.rs` tests the invariants.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod area;
mod backing;
mod change;
mod check;
mod commit;
mod copy;
mod flags;
mod gap;
mod pieces;
mod protect;
mod resize;
mod set;
mod totals;
mod tree;

pub use area::Vma;
pub use backing::Backing;
pub use commit::{Overcommit, limit as commit_limit};
pub use flags::VmFlags;
pub use gap::STACK_GUARD_GAP;
pub use protect::{ProtectError, ProtectOutcome};
pub use set::{Overlap, VmaSet};
pub use totals::Totals;
