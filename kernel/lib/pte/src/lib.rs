//! One page-table entry: what its bits mean and how it may be rewritten.
//!
//! An entry is a value here; nothing is read from or written to a table. The rules this
//! crate keeps:
//!
//! - An entry has three states and a bit that is not "present" is not "absent": a page under
//!   `PROT_NONE` keeps its frame (HF-17). See [`PteState`].
//! - Changing a protection never makes an entry writable ([`Pte::with_prot`], HF-18): only
//!   the fault path, which knows who else uses the frame, does that ([`Pte::mkwrite`]).
//!
//! Reading order: [`Prot`] and [`Access`], [`PteFlags`], [`Pte`], then `protect.rs` for
//! `mprotect` and `permits.rs` for the question whether an access would succeed.
#![no_std]
#![forbid(unsafe_code)]

mod access;
mod entry;
mod flags;
mod permits;
mod protect;

pub use access::{Access, Prot};
pub use entry::{Pte, PteState};
pub use flags::PteFlags;
