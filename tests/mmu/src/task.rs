//! The running task, as the locks ask for it: there is one, and it never waits.

use std::cell::RefCell;

use sync::{HeldRanks, Order};

use crate::sim::cpu::speculate;

/// The only task.
#[derive(Clone, PartialEq)]
pub struct TaskRef;

std::thread_local! {
    static HELD: RefCell<HeldRanks> = const { RefCell::new(HeldRanks::new()) };
}

/// Returns the running task.
pub fn current_ref() -> TaskRef {
    TaskRef
}

/// Returns the running task.
pub fn current() -> TaskRef {
    TaskRef
}

/// Returns the running task's number.
pub fn current_number() -> u32 {
    1
}

/// Notes that the task waits for a lock: it never does.
pub fn waits_for_lock(_: u8, _: u32) {}

/// Notes that it waits no longer.
pub fn has_lock() {}

impl TaskRef {
    /// Returns the signal that is to end the task: never one.
    pub fn fatal_signal(&self) -> Option<u8> {
        None
    }

    /// Says whether the task has user memory: here programs are no more than their mms.
    pub fn has_mm(&self) -> bool {
        true
    }

    /// Notes a wait that nothing interrupts: there is none.
    pub fn set_deaf_since(&self, _: Option<u64>) {}

    /// Says whether a signal waits, or somebody calls: never.
    pub fn is_interrupted(&self) -> bool {
        false
    }
}

/// Checks the lock order, as the kernel does; then processors speculate.
///
/// # Panics
/// If the order is broken.
pub fn lock_acquired(rank: u8, name: &'static str, order: Order) {
    HELD.with_borrow_mut(|held| held.acquire(rank, name, order))
        .unwrap_or_else(|violation| panic!("{violation}"));
    speculate();
}

/// Records that a lock was given back; then processors speculate.
///
/// # Panics
/// If it was not held.
pub fn lock_released(rank: u8) {
    HELD.with_borrow_mut(|held| held.release(rank))
        .unwrap_or_else(|violation| panic!("{violation}"));
    speculate();
}
