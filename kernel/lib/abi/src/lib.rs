//! Linux's binary interface as types: errors, call numbers, flags and structures.
//!
//! Numbers come from `linux-raw-sys` (generated from Linux's own headers) and from the
//! `syscalls` crate; what this crate adds is shape: an [`Errno`] type, flag sets, and
//! structures whose every byte is a field, so that they can be copied to and from user
//! memory as bytes without unsafe code. `tests/layout.rs` compares each structure with
//! Linux's.
//!
//! Reading order: [`errno`], [`signal`], [`siginfo`], [`event`], [`socket`], [`file`](mod@file), [`time`], [`process`], [`memory`], [`system`].
#![no_std]
#![forbid(unsafe_code)]

pub mod errno;
pub mod event;
pub mod file;
pub mod memory;
pub mod process;
pub mod siginfo;
pub mod signal;
pub mod socket;
pub mod system;
pub mod time;

pub use errno::Errno;
pub use linux_raw_sys::auxvec;
pub use linux_raw_sys::general as linux;
pub use linux_raw_sys::ioctl;
pub use linux_raw_sys::net;
pub use linux_raw_sys::prctl;
pub use siginfo::SigInfo;
pub use signal::{SigSet, Signal};
pub use syscalls::Sysno;
