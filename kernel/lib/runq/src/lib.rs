//! Who runs next, for how long, and on which CPU.
//!
//! Pure bookkeeping over any kind of task that carries an [`Entity`]; the kernel keeps one
//! [`RunQueue`] for each CPU under that CPU's run-queue lock. Time is a number that the caller brings.
//!
//! - [`params`]: what a task asks for: its policy, its nice level, its priority.
//! - [`weight`]: what a nice level is worth. [`entity`]: what the scheduler knows of a task.
//! - [`queue`]: real-time before fair, and whose turn is over; `moving`: how a task leaves a queue for another. [`heap`]: how those who wait are
//!   ordered. [`throttle`]: what real-time tasks leave to the others.
//! - [`place`](mod@place): where a task runs that wakes up. [`balance`]: what moves from one CPU to another, so that
//!   each gets its share of all of them.
//!
//! # The fair policy
//!
//! Each fair task has a virtual run time: the time it ran, divided by its weight. The task with the smallest
//! one runs next; it is preempted when it has run for [`SLICE_NS`] and somebody is behind it, or when somebody
//! wakes up who is behind it by more than [`GRANULARITY_NS`]. A sleeper comes back at most
//! [`CREDIT_NS`] behind those who ran meanwhile, so that sleeping is no way to save up for a monopoly, and a
//! new task begins one slice ahead, so that neither is forking.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod balance;
pub mod entity;
pub mod heap;
mod moving;
pub mod params;
pub mod place;
pub mod queue;
pub mod throttle;
pub mod weight;

pub use balance::{Frames, LEAD_NS, Load, Pull};
pub use entity::{Entity, Schedulable};
pub use params::{Params, Policy};
pub use place::{Wakeup, place};
pub use queue::{CREDIT_NS, GRANULARITY_NS, Leave, RR_SLICE_NS, RunQueue, SLICE_NS};

/// The largest number of CPUs: a mask of them is a `u64`.
pub const MAX_CPUS: usize = 64;
