//! What the programs in `bin/` share: system calls without a libc between, memory touched at any address, children, and reports.
//!
//! Every program here is an ordinary static Linux program. It is run on the host's own Linux first, where it must
//! pass, and then in Lodger; what only Lodger offers (`/proc/lodger`, `/proc/self/mm`) is used where it exists.
//!
//! Read [`probe`] first (how a case runs and is reported), then [`sys`], [`mem`] and [`map`].
#![deny(unsafe_code)]

pub mod child;
pub mod crash;
pub mod figures;
pub mod frames;
pub mod fsys;
pub mod lodger;
pub mod map;
pub mod mem;
pub mod probe;
pub mod regs;
pub mod signals;
pub mod sys;
pub mod threads;
pub mod tolerant;
pub mod touch;
pub mod vdso;
pub mod vmas;
