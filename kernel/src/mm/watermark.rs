//! When memory is fetched back in the background: the marks of the crate `watermark`, and who waits at them.
//!
//! Whoever takes a frame for a program and leaves fewer than the low mark wakes the thread that waits here.
//! The thread itself is not mm's; before it starts nobody is woken.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use watermark::Marks;

use super::frame::{self, Owner};
use super::free;
use crate::locks::{Interrupted, WaitQueue};

/// The low mark in free frames; 0 while there is no thread.
static LOW: AtomicU64 = AtomicU64::new(0);
static BELOW: WaitQueue = WaitQueue::new();

/// Returns the marks of this machine.
pub fn marks() -> Marks {
    Marks::above(frame::kept_back())
}

/// From now on somebody waits at the low mark.
pub fn start() {
    LOW.store(marks().low, Relaxed);
}

/// Waits until fewer frames are free than the low mark.
pub fn wait_until_low() -> Result<(), Interrupted> {
    BELOW.wait_until_interruptible(|| is_low(frame::count(Owner::Free)))
}

/// Notes that a program's frame was taken; the caller holds no lock that ranks behind the wait queues.
#[inline]
pub(super) fn note() {
    // Those in the lists are most of them, and quickly asked for.
    if is_low(free::in_lists()) {
        wake_if_low();
    }
}

fn is_low(free: u64) -> bool {
    free < LOW.load(Relaxed)
}

#[cold]
fn wake_if_low() {
    if is_low(frame::count(Owner::Free)) {
        BELOW.wake_one();
    }
}
