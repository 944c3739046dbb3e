//! What a process does about signals: dispositions, what is blocked, what waits, which comes next.
//!
//! [`SignalState`] is all of it for one process and its threads, [`Signals`] one thread's view of it. Somebody sends
//! ([`SignalState::send`]) or a thread faults ([`Signals::force`]); on its way back to the program a thread asks for the [`Next`]
//! signal ([`Signals::take_next`]), again and again until there is none. [`stop`] says how threads stop together, [`restart`]
//! what becomes of a system call that was interrupted, [`alarm`] when SIGALRM comes.
//!
//! Rules: PF-12, EX-3, FK-6, SF-5, SF-7, SF-8, SY-7.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod alarm;
pub mod queue;
pub mod restart;
pub mod state;
pub mod stop;
pub mod take;
pub mod thread;

pub use alarm::{AlarmSetting, AlarmTimer};
pub use queue::Full;
pub use restart::{After, with_handler, without_handler};
pub use state::{Effect, NoRoom, SignalState, Target};
pub use take::{Delivery, Next, Stop};
pub use thread::{MaskChange, Signals};
