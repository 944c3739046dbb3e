//! A CPU's run queue, with what must survive a switch.

use runq::RunQueue;

use crate::locks::{SpinLock, rank};
use crate::mm::MmRef;
use crate::percpu::{MAX_CPUS, PerCpu};
use crate::task::TaskRef;

/// What one CPU's run-queue lock guards.
pub struct Rq {
    /// Runnable tasks that do not run.
    pub queue: RunQueue<TaskRef>,
    /// The task that runs; this reference keeps it alive while it does.
    pub current: Option<TaskRef>,
    /// Runs when nobody else does.
    pub idle: Option<TaskRef>,
    /// The task that was left, until the switch is complete.
    pub prev: Option<TaskRef>,
    /// The mm whose borrow ended with this switch; dropped after it, outside the lock (LZ-3).
    pub lazy_drop: Option<MmRef>,
}

/// A run queue behind its lock.
pub type RqLock = SpinLock<Rq, { rank::RUNQ }>;

static RUN_QUEUES: PerCpu<RqLock> = PerCpu::new(
    [const {
        SpinLock::new(Rq {
            queue: RunQueue::new(),
            current: None,
            idle: None,
            prev: None,
            lazy_drop: None,
        })
    }; MAX_CPUS],
);

/// Returns this CPU's run queue.
pub fn this_rq() -> &'static RqLock {
    RUN_QUEUES.this()
}
