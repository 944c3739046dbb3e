//! The reaper: a kernel thread that frees what dead tasks leave, first of all their kernel stacks.
//!
//! A dying task cannot free the stack it runs on (I-10). The switch away from it hands its reference
//! over here; the memory goes when the reaper drops it, on the reaper's own stack.

use alloc::vec::Vec;

use super::TaskRef;
use crate::locks::{Interrupted, SpinLock, WaitQueue, rank};
use crate::mm::counters::TASKS_REAPED;

static DEAD: SpinLock<Vec<TaskRef>, { rank::TIMER }> = SpinLock::new(Vec::new());
static WORK: WaitQueue = WaitQueue::new();

/// Takes over a dead task; the last step of the switch away from it.
pub(crate) fn hand_over(task: TaskRef) {
    DEAD.lock().push(task);
    WORK.wake_one();
}

/// One turn of the reaper: waits for dead tasks and frees what they leave.
pub fn turn() -> Result<(), Interrupted> {
    let batch = WORK.wait_for_interruptible(|| {
        let batch = core::mem::take(&mut *DEAD.lock());
        (!batch.is_empty()).then_some(batch)
    })?;
    for task in batch {
        log::debug!(target: "task", "{task} reaped, kernel stack {} free", task.kstack().slot());
        TASKS_REAPED.inc();
        drop(task);
    }
    Ok(())
}
