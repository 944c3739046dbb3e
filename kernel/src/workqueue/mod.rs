//! Deferred work: functions that kernel threads call soon, or after a time.
//!
//! ```text
//! queue_work ─────────► this CPU's list ──► its worker ──► the function
//! queue_delayed_work ──► timer ──┘
//! ```
//!
//! Any code may queue, interrupts too: nothing here sleeps but [`flush_work`] and [`cancel_work_sync`].
//! The function runs in a kernel thread and may sleep; meanwhile what waits in the same list waits on.
//! What becomes of a piece of work is decided by the crate `workq`: it runs once for all requests that wait,
//! and never twice at the same time.
//!
//! - This file: what callers do. [`pool`]: lists and workers. [`delayed`]: timers.

mod delayed;
mod pool;

use alloc::boxed::Box;
use alloc::sync::Arc;

use workq::{Item, Request};

use crate::locks::{SpinLock, WaitQueue, rank};
use crate::mm::counters::WORK_RUNS;

pub use pool::start_workers;

/// A counted reference to a piece of work.
pub type WorkRef = Arc<Work>;

/// A piece of work: a function, and whether it is asked for.
pub struct Work {
    function: Box<dyn Fn() + Send + Sync>,
    status: SpinLock<Status, { rank::WORK }>,
    /// Wakes those who flush or cancel.
    changed: WaitQueue,
}

/// What a piece of work's lock guards.
struct Status {
    item: Item,
    /// The timer it waits for.
    timer: Option<delayed::Armed>,
}

impl Work {
    /// Makes a piece of work that nobody has asked for.
    pub fn new(function: impl Fn() + Send + Sync + 'static) -> WorkRef {
        Arc::new(Self {
            function: Box::new(function),
            status: SpinLock::new(Status {
                item: Item::new(),
                timer: None,
            }),
            changed: WaitQueue::new(),
        })
    }

    /// Runs the work unless the entry that led here is no longer true.
    fn run(&self, pool: u32) {
        if !self.status.lock().item.take(pool) {
            return;
        }
        (self.function)();
        WORK_RUNS.inc();
        self.status.lock().item.done();
        self.changed.wake_all();
    }
}

/// Asks for `work` to be done soon; returns false if it waits already, or is being cancelled.
pub fn queue_work(work: &WorkRef) -> bool {
    let answer = work.status.lock().item.queue();
    pool::enter(work, answer)
}

/// Asks for `work` to be done in `delay` ns; returns false if it waits already, or is being cancelled.
pub fn queue_delayed_work(work: &WorkRef, delay: u64) -> bool {
    let mut status = work.status.lock();
    let answer = status.item.delay();
    if answer == Request::SetTimer {
        // Under the lock, so that whoever cancels finds either no request or its timer.
        status.timer = Some(delayed::arm(work.clone(), delay));
    }
    answer == Request::SetTimer
}

/// Waits until what was asked for so far is done, or cancelled; returns whether there was anything.
///
/// Not from the work itself, nor from other work of the same list: it would wait for its own worker.
pub fn flush_work(work: &Work) -> bool {
    let Some(target) = work.status.lock().item.flush() else {
        return false;
    };
    work.changed
        .wait_until(|| work.status.lock().item.is_over(target));
    true
}

/// Takes a request back and waits until the work does not run; returns whether a request waited.
///
/// Not from the work itself.
pub fn cancel_work_sync(work: &Work) -> bool {
    let (waited, timer) = {
        let mut status = work.status.lock();
        (status.item.cancel_begin(), status.timer.take())
    };
    drop(timer);
    work.changed.wake_all();
    work.changed
        .wait_until(|| !work.status.lock().item.is_running());
    work.status.lock().item.cancel_end();
    waited
}
