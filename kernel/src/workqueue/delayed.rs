//! Work that waits for its time.
//!
//! A timer knows a number, and the number leads to the work. Each request has a number of its own, so that a
//! timer that rings late finds nothing, not the next request.

use alloc::collections::BTreeMap;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{WorkRef, pool};
use crate::locks::{SpinLock, rank};
use crate::time::{self, TimerGuard};

static WAITING: SpinLock<BTreeMap<u32, WorkRef>, { rank::WORK_LIST }> =
    SpinLock::new(BTreeMap::new());
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A request that waits for its timer; dropping it takes the timer back.
pub(super) struct Armed {
    number: u32,
    _timer: TimerGuard,
}

/// Sets the timer of a request.
pub(super) fn arm(work: WorkRef, delay: u64) -> Armed {
    let number = NEXT.fetch_add(1, Relaxed);
    WAITING.lock().insert(number, work);
    let deadline = time::now_ns().saturating_add(delay);
    Armed {
        number,
        _timer: time::call_at(deadline, ring, number),
    }
}

/// In the timer interrupt.
fn ring(number: u32) {
    let Some(work) = WAITING.lock().remove(&number) else {
        return;
    };
    let (answer, timer) = {
        let mut status = work.status.lock();
        if status
            .timer
            .as_ref()
            .is_none_or(|timer| timer.number != number)
        {
            return;
        }
        (status.item.ring(), status.timer.take())
    };
    drop(timer);
    if let Some(answer) = answer {
        pool::enter(&work, answer);
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        let work = WAITING.lock().remove(&self.number);
        drop(work);
    }
}
