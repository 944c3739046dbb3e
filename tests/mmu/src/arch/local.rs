//! Which processor this is.

use crate::sim::cpu;

/// Returns the number of the simulated CPU whose turn it is.
pub fn cpu_id() -> u32 {
    cpu::current() as u32
}

/// Returns what names the running task: there is one.
pub fn current() -> *const () {
    core::ptr::null()
}

/// Forbids preemption, of which there is none.
pub fn preempt_disable() {}

/// Allows preemption again.
pub fn preempt_enable_no_resched() {}

/// Returns how many reasons there are not to preempt: the simulator has no others than spin locks.
pub fn preempt_count() -> u32 {
    0
}
