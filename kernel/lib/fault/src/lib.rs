//! The page fault's decisions, apart from everything that carries them out.
//!
//! ```text
//!  what happened?   classify      registers and flags      -> Class
//!  is it legal?     check_access  mapping, access          -> yes or SIGSEGV
//!                   stack_growth  mapping above, limits    -> pages to add or SIGSEGV
//!  what to do?      decide        mapping, entry, access   -> FaultAction
//! ```
//!
//! All of them are total functions of small inputs: they allocate nothing, take no lock and
//! never panic, so a fault may ask again whenever it had to wait (HF-2).
#![no_std]
#![forbid(unsafe_code)]

mod access;
mod classify;
mod decide;
mod error_code;
mod growth;

pub use access::{SegvCode, check_access};
pub use classify::{Class, Context, classify, reported_error};
pub use decide::{Backed, FaultAction, Mapped, decide};
pub use error_code::ErrorCode;
pub use growth::{Growth, Neighbour, stack_growth};
