//! Which processors the firmware knows of, read from ACPI's tables without trusting them.
//!
//! ```text
//!   RSDP ──► XSDT (64-bit addresses) ─┐
//!       └──► RSDT (32-bit addresses) ─┴──► MADT ──► processors, where NMIs arrive, …
//! ```
//!
//! - [`root`]: the RSDP and the list of tables it leads to;
//! - [`table`]: a table's head, its length and its checksum;
//! - [`madt`]: the entries of the table of interrupt controllers;
//! - [`processors`](mod@processors): what they say about processors, in one value.
//!
//! Physical memory is read through [`Memory`], a few bytes at a time and without an allocator, for all this happens
//! before there is one. Whatever the tables hold, the answer is a value or an [`Error`], never a panic or an endless walk.

#![no_std]
#![forbid(unsafe_code)]

pub mod madt;
pub mod processors;
pub mod root;
pub mod table;

use core::fmt;

pub use madt::Entry;
pub use processors::{MAX_PROCESSORS, Processor, Processors, Standing, processors};
pub use table::Signature;

/// Physical memory, as far as it can be read.
pub trait Memory {
    /// Fills `into` from physical address `address` on; returns whether all of it could be read.
    fn read(&self, address: u64, into: &mut [u8]) -> bool;
}

/// What is wrong with the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// There is no memory at this address, or it cannot be read.
    Unreadable(u64),
    /// The RSDP does not begin with its signature, or its bytes do not add up to 0.
    BadRoot,
    /// What should be a table of this kind has another signature.
    BadSignature(Signature),
    /// The table's length cannot be true.
    BadLength(Signature),
    /// The table's bytes do not add up to 0.
    BadChecksum(Signature),
    /// There is no table of interrupt controllers.
    NoMadt,
    /// The entry at this offset of the MADT is longer or shorter than an entry of its kind.
    BadEntry(u32),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(address) => write!(f, "there is no memory at {address:#x}"),
            Self::BadRoot => f.write_str("the RSDP is damaged"),
            Self::BadSignature(table) => write!(f, "{table} has another signature"),
            Self::BadLength(table) => write!(f, "the length of {table} cannot be true"),
            Self::BadChecksum(table) => write!(f, "the checksum of {table} is wrong"),
            Self::NoMadt => f.write_str("there is no MADT"),
            Self::BadEntry(offset) => write!(f, "the MADT's entry at {offset:#x} is malformed"),
        }
    }
}

/// Reads `N` bytes.
fn read<const N: usize>(memory: &impl Memory, address: u64) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let fits = address.checked_add(N as u64).is_some();
    if fits && memory.read(address, &mut bytes) {
        Ok(bytes)
    } else {
        Err(Error::Unreadable(address))
    }
}

/// Returns the little-endian number in the bytes from `at` on, which has `width` bytes (at most 8).
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    let field = bytes.iter().skip(at).take(width);
    field
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
