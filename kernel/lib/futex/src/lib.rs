//! Futexes: what a call asks for, who waits where, what the death of a thread does to a word.
//!
//! [`op`] reads the operation and the arithmetic of `FUTEX_WAKE_OP`; [`queue`] holds those who wait in one bucket;
//! [`pi`] says what becomes of the word of a lock with priority inheritance; [`robust`] decides what becomes of the words on a dead thread's list. Memory, hashing and sleeping are the kernel's.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod op;
pub mod pi;
pub mod queue;
pub mod robust;

pub use op::{BadOp, Command, Op, WakeOp};
pub use queue::Queue;
