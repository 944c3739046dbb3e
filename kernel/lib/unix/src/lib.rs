//! What sockets of the `AF_UNIX` family decide.
//!
//! [`address`]: what a `sockaddr_un` says. [`mod@garbage`]: which sockets that are on their way in messages nobody can ever receive.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod address;
pub mod garbage;

pub use address::{Address, Given};
pub use garbage::{Node, garbage};
