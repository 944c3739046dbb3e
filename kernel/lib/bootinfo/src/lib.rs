//! What the kernel is told at boot, read without trusting it.
//!
//! - [`command_line`]: the kernel command line, as keys, values and init's arguments;
//! - [`memory`]: the firmware's memory map, made page-aligned and disjoint;
//! - [`cpio`]: the initramfs, an archive in the `newc` format.
//!
//! All three take any input whatever: what is wrong is reported, never a panic.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod command_line;
pub mod cpio;
pub mod memory;

pub use command_line::{Borrowing, CommandLine, LargePages};
pub use memory::MemoryMap;
