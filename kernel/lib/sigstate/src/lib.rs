//! What a process does about signals: dispositions, what is blocked, what waits, which comes next.
//!
//! [`SignalState`] is all of it for one process. Somebody sends ([`SignalState::send`]) or the process itself
//! faults ([`SignalState::force`]); on its way back to the program it asks for the [`Next`] signal
//! ([`SignalState::take_next`]), again and again until there is none. [`restart`] says what becomes of a system call that was
//! interrupted, [`alarm`] when SIGALRM comes.
//!
//! Rules: PF-12, EX-3, FK-6, SF-5, SF-7, SF-8, SY-7.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod alarm;
pub mod queue;
pub mod restart;
pub mod state;
pub mod take;

pub use alarm::{AlarmSetting, AlarmTimer};
pub use queue::Full;
pub use restart::{After, with_handler, without_handler};
pub use state::{Effect, MaskChange, SignalState, Target};
pub use take::{Delivery, Next, Stop};
