//! What files that are only about events decide.
//!
//! [`interest`]: which files an epoll watches, and which of them it tells of next. [`interval`]: how often a timer has
//! expired that nobody has asked. [`counter`]: whether an eventfd can be read or written.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod counter;
pub mod interest;
pub mod interval;

pub use counter::Counter;
pub use interest::{Interests, Presence};
pub use interval::IntervalTimer;
