//! A CPU's run queue, with what must survive a switch.
//!
//! A task belongs to the run queue of the CPU that it runs on, waits for or ran on last
//! ([`Task::cpu`]); what that lock guards of a task changes under the lock of *its* run queue. A task that is
//! not running has left its CPU completely once that lock can be taken: the switch away from it holds it to the
//! end. So whoever holds it may send the task to another CPU.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use runq::RunQueue;

use crate::locks::{KernelHooks, SpinLock, rank};
use crate::mm::MmRef;
use crate::percpu::{MAX_CPUS, PerCpu};
use crate::task::{Task, TaskRef};

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

/// A run queue, taken.
pub type RqGuard = sync::SpinGuard<'static, Rq, { rank::RUNQ }, KernelHooks>;

/// How many tasks each CPU has that run or wait to run, its idle task aside. For guesses: read without the lock.
static LOADS: PerCpu<AtomicU32> = PerCpu::new([const { AtomicU32::new(0) }; MAX_CPUS]);

/// Returns this CPU's run queue; the caller cannot migrate.
pub fn this_rq() -> &'static RqLock {
    RUN_QUEUES.this()
}

/// Returns CPU `cpu`'s run queue.
pub fn rq_of(cpu: usize) -> &'static RqLock {
    RUN_QUEUES.of(cpu)
}

/// Takes the run queue of the CPU this runs on, wherever that is by then.
pub fn lock_this_rq() -> RqGuard {
    loop {
        let lock = this_rq();
        let rq = lock.lock();
        if core::ptr::eq(lock, this_rq()) {
            return rq;
        }
    }
}

/// Takes the run queue that `task` belongs to, wherever it is by then.
pub fn lock_rq_of(task: &Task) -> RqGuard {
    loop {
        let cpu = task.cpu();
        let rq = rq_of(cpu).lock();
        if task.cpu() == cpu {
            return rq;
        }
    }
}

/// Returns how many tasks CPU `cpu` has to run, as of a moment ago.
pub fn load_of(cpu: usize) -> u32 {
    LOADS.of(cpu).load(Relaxed)
}

impl Rq {
    /// Notes how many tasks this queue's CPU has to run, now that `running` runs there.
    pub fn publish_load(&self, cpu: usize, running: &Task) {
        let load = self.queue.len() as u32 + u32::from(!running.is_idle());
        LOADS.of(cpu).store(load, Relaxed);
    }
}
