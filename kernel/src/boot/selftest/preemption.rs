//! Preemption at the worst moment, made to happen.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use log::info;

use crate::sched::{self, kthread_run};
use crate::time;

/// How often the rival must have run while this thread was on its way to sleep.
const TURNS: u32 = 3;

/// A task that is preempted after it marked itself as blocked, but before a waker could find it,
/// gets the CPU again.
pub(super) fn preempted_sleeper() {
    let (stop, turns) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU32::new(0)),
    );
    let (rival_stop, rival_turns) = (stop.clone(), turns.clone());
    kthread_run("rival", move || {
        while !rival_stop.load(SeqCst) {
            rival_turns.fetch_add(1, SeqCst);
            let until = time::now_ns() + time::TICK_NS;
            while time::now_ns() < until {
                core::hint::spin_loop();
            }
        }
    })
    .expect("memory for a test");
    sched::prepare_to_sleep();
    // Nobody knows of this sleeper: only preemption that keeps it queued brings it back here.
    while turns.load(SeqCst) < TURNS {
        core::hint::spin_loop();
    }
    sched::cancel_sleep();
    stop.store(true, SeqCst);
    info!(target: "test", "preempted_sleeper ok turns={}", turns.load(SeqCst));
}
