//! Local APICs: which way their registers are reached, and what is written to send an interrupt.
//!
//! - [`mode`]: memory-mapped registers or model-specific ones;
//! - [`command`]: the interrupt command register, in the layout of either.

#![no_std]
#![forbid(unsafe_code)]

pub mod command;
pub mod mode;

pub use command::{Command, Message};
pub use mode::{Mode, choose};
