//! Waits for sleeping locks: the waiter knows the owner, and is counted.

use alloc::sync::Arc;

use log::info;

use crate::locks::{Mutex, stats};
use crate::sched::{kthread_run, yield_now};
use crate::task;

/// The rank of the test's lock, under which nobody else waits here.
const RANK: u8 = 14;
const NAME: &str = "pipe";

/// One thread holds a lock until another sleeps for it.
pub(super) fn waits() {
    let (sleeps, ns) = counted();
    let lock = Arc::new(Mutex::<u32, RANK>::new(0));
    let guard = lock.lock();
    let me = task::current().tid();
    assert_eq!(lock.owner(), Some(me), "the owner is who has the lock");
    let other = lock.clone();
    let waiter = kthread_run("waiter", move || {
        *other.lock() += 1;
        assert_eq!(other.owner(), None, "the lock is free again");
    })
    .expect("memory for a test");
    while !lock.has_waiters() {
        yield_now();
    }
    let told = waiter.task().lock_wait();
    assert_eq!(told, Some((RANK, me)), "the waiter tells what it waits for");
    drop(guard);
    while waiter.result().is_none() {
        yield_now();
    }
    assert_eq!(waiter.task().lock_wait(), None, "it waits no longer");
    assert_eq!(*lock.lock(), 1, "it had the lock");
    let (sleeps, ns) = (counted().0 - sleeps, counted().1 - ns);
    assert!(
        sleeps == 1 && ns > 0,
        "{sleeps} waits of {ns} ns were counted"
    );
    info!(target: "test", "one wait was counted");
}

/// Returns the waits for locks of the rank, and how long they took together.
fn counted() -> (u64, u64) {
    let (mut sleeps, mut ns) = (0, 0);
    stats::for_each(|name, what, count| match (name, what) {
        (NAME, "sleeps") => sleeps = count,
        (NAME, "wait_ns") => ns = count,
        _ => {}
    });
    (sleeps, ns)
}
