//! Where a task left off, and the switch to it.
//!
//! Island: the cell is written by the switch itself, between two tasks.
#![expect(unsafe_code, reason = "wraps the raw stack switch")]

use core::cell::UnsafeCell;

use crate::arch::switch::{self, SwitchContext};
use crate::arch::trapframe::TrapFrame;
use crate::mm::kstack::Kstack;

/// A task's saved stack pointer; meaningful while the task does not run.
pub struct Context(UnsafeCell<SwitchContext>);

// SAFETY: read and written only by `switch`, under the run-queue lock, with interrupts off.
unsafe impl Sync for Context {}
// SAFETY: plain addresses of the task's own stack, which moves with the task.
unsafe impl Send for Context {}

impl Context {
    /// Prepares a fresh stack so that the first switch to it calls `start`.
    pub fn kthread(kstack: &Kstack, start: extern "C" fn(usize) -> !) -> Self {
        // SAFETY: a new kernel stack is mapped, page-aligned and unused.
        Self(UnsafeCell::new(unsafe {
            switch::new_kthread(kstack.top(), start, 0)
        }))
    }

    /// Prepares a fresh stack so that the first switch to it ends in user mode at `frame`.
    pub fn user(kstack: &Kstack, frame: &TrapFrame) -> Self {
        debug_assert!(frame.from_user(), "a user task starts with a user frame");
        // SAFETY: a new kernel stack is mapped, page-aligned and unused; the frame is a user's.
        Self(UnsafeCell::new(unsafe {
            switch::new_user(kstack.top(), frame)
        }))
    }

    /// Describes the flow of control that runs on `kstack` already, to become a task.
    pub fn running_on(kstack: &Kstack) -> Self {
        Self(UnsafeCell::new(SwitchContext::running_on(kstack.top())))
    }

    /// Returns where the frames of a task that does not run begin, for a backtrace.
    ///
    /// Of one that runs meanwhile it is an address somewhere in its stack.
    pub fn frame_pointer(&self) -> u64 {
        // SAFETY: the cell is part of a live task; the switch may write it just now.
        let context = unsafe { self.0.get().read_volatile() };
        context.frame_pointer()
    }
}

/// Leaves the running task as `prev` and goes on as `next`; returns when somebody switches back.
///
/// # Safety
/// 1. Interrupts are off and the run-queue lock is held, to be released by whoever runs next.
/// 2. `prev` belongs to the running task and `next` to one that does not run; the run queue's
///    references keep both alive until the tail of the switch has run.
pub(crate) unsafe fn switch(prev: *const Context, next: *const Context) {
    // SAFETY: the pointers are those of live tasks (2).
    let prev = unsafe { (*prev).0.get() };
    // SAFETY: as above.
    let next = unsafe { (*next).0.get() };
    // SAFETY: interrupts are off (1), and the contexts stay where they are (2).
    unsafe { switch::switch_to(prev, next) };
}
