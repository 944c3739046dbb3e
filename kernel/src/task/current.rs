//! The task that runs here.
//!
//! GS holds a pointer to it, set by the switch. A running task cannot be freed: its run queue holds
//! a reference until the switch away from it is complete.
//!
//! Island: turns that pointer into a reference.
#![expect(
    unsafe_code,
    reason = "turns the per-CPU pointer to the running task into a reference"
)]

use alloc::sync::Arc;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use super::{Task, TaskRef};
use crate::arch::fpu::FpuState;
use crate::arch::{cpu, local};
use crate::mm::fault::{self, Fault, FaultError};

/// The running task, for the code that it runs. Cannot be sent to another task.
pub struct Current {
    task: *const Task,
    _not_send: PhantomData<*const ()>,
}

/// Returns the task that runs this code.
pub fn current() -> Current {
    let task = local::current().cast::<Task>();
    debug_assert!(
        !task.is_null(),
        "tasks exist before anybody asks for the current one"
    );
    Current {
        task,
        _not_send: PhantomData,
    }
}

/// Returns whether there are tasks yet; early boot has none.
pub fn exists() -> bool {
    !local::current().is_null()
}

/// Returns the running task's number, or 0 in early boot and for idle tasks.
pub fn current_number() -> u32 {
    match exists() {
        true => current().tid(),
        false => 0,
    }
}

/// Returns a counted reference to the running task.
pub fn current_ref() -> TaskRef {
    let task = current().task;
    // SAFETY: the pointer came from `Arc::as_ptr` in `set_current`, and the run queue's reference
    // keeps the task alive while it runs.
    unsafe { Arc::increment_strong_count(task) };
    // SAFETY: the count was just raised for this reference.
    unsafe { Arc::from_raw(task) }
}

/// Makes `task` the running one; the switch calls it with interrupts off.
pub(crate) fn set_current(task: &TaskRef) {
    local::set_current(Arc::as_ptr(task).cast());
}

impl Deref for Current {
    type Target = Task;

    fn deref(&self) -> &Task {
        // SAFETY: `Current` lives in code that the task itself runs, so the task is running.
        unsafe { &*self.task }
    }
}

impl Current {
    /// Resolves `fault` in the task's own mm, if it has one; counts no user more for it, in a line that all threads share.
    pub fn resolve_fault(&self, fault: &Fault) -> Option<Result<(), FaultError>> {
        let mm = self.own_mm.load(Relaxed);
        // SAFETY: if not null, it is the mm in the task's slot. Only the task itself puts another there, in exec and
        // exit, and a page fault does neither.
        let mm = unsafe { mm.as_ref() }?;
        Some(fault::handle(mm, fault))
    }

    /// Returns whether this is `other`.
    pub fn is(&self, other: &Task) -> bool {
        ptr::eq(self.task, other)
    }

    /// Loads and notes the user FS base: canonical, checked by the caller.
    pub fn set_fs_base(&self, base: u64) {
        self.store_fs_base(base);
        cpu::set_fs_base(base);
    }

    /// Loads and notes the user GS base: canonical, checked by the caller.
    pub fn set_gs_base(&self, base: u64) {
        self.store_gs_base(base);
        cpu::set_user_gs_base(base);
    }

    /// Puts vector registers, segments and their bases into the state in which programs start (ES-1).
    pub fn reset_user_state(&self) {
        if let Some(fpu) = self.fpu() {
            let mut state = fpu.lock();
            *state = FpuState::new();
            state.restore();
        }
        cpu::reset_user_segments();
        self.set_fs_base(0);
        self.set_gs_base(0);
    }
}
