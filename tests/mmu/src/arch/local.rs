//! Which processor this is.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use crate::sim::cpu::{self, CPUS};

/// Returns the number of the simulated CPU whose turn it is.
pub fn cpu_id() -> u32 {
    cpu::current() as u32
}

/// How many numbers each CPU has for itself.
pub const WORDS: usize = 256;

static WORD: [[AtomicI64; WORDS]; CPUS] = [const { [const { AtomicI64::new(0) }; WORDS] }; CPUS];

/// Adds to a number of the simulated CPU whose turn it is.
pub fn add_word(index: usize, n: i64) {
    WORD[cpu::current()][index].fetch_add(n, Relaxed);
}

/// Adds one to such a number.
pub fn inc_word(index: usize) {
    add_word(index, 1);
}

/// Returns a number of any CPU.
pub fn word(cpu: usize, index: usize) -> i64 {
    WORD.get(cpu).map_or(0, |words| words[index].load(Relaxed))
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
