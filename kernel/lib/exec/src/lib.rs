//! What execve decides before it touches an address space.
//!
//! [`plan`] reads a program's headers and says which pages to map from which part of the
//! file, which bytes to zero and where to begin; [`stack::build`] lays out the words and
//! strings a new program finds above its stack pointer; [`shebang`] reads a script's first
//! line; [`args`] keeps the budget of an argument list; [`layout`] chooses places. All of it is arithmetic over bytes
//! that somebody else wrote: every sum is checked, and every malformed file is an
//! [`ExecError`].
//!
//! Reading order: `header`, `segment`, `plan`, `stack`, `layout`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod args;
mod error;
mod header;
pub mod layout;
mod plan;
mod segment;
pub mod shebang;
pub mod stack;

pub use error::ExecError;
pub use plan::{Kind, LoadPlan, plan};
pub use segment::Segment;
