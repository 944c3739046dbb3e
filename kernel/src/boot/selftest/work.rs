//! Deferred work: queued, delayed, flushed, cancelled.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use log::info;

use crate::locks::Once;
use crate::sched;
use crate::time;
use crate::workqueue::{
    Work, WorkRef, cancel_work_sync, flush_work, queue_delayed_work, queue_work,
};

const MS: u64 = 1_000_000;
const HOUR: u64 = 3_600_000 * MS;

/// All of it.
pub(super) fn work() {
    queued_and_flushed();
    many_requests_are_one();
    asked_for_while_it_runs();
    delayed();
    cancelled_in_time();
    cancelled_while_it_runs();
    info!(target: "test", "work ok");
}

/// Work that counts how often it was done.
fn counting() -> (WorkRef, Arc<AtomicU32>) {
    let times = Arc::new(AtomicU32::new(0));
    let counted = times.clone();
    let work = Work::new(move || {
        counted.fetch_add(1, SeqCst);
    });
    (work, times)
}

fn queued_and_flushed() {
    let (work, times) = counting();
    assert!(!flush_work(&work), "there is nothing to wait for");
    for done in 1..=20 {
        assert!(queue_work(&work));
        assert!(flush_work(&work) && times.load(SeqCst) == done);
    }
}

/// The worker does not come in between: with one CPU it runs when this thread lets it.
fn many_requests_are_one() {
    let (work, times) = counting();
    let accepted = (0..5).filter(|_| queue_work(&work)).count() as u32;
    flush_work(&work);
    assert!(
        times.load(SeqCst) == accepted && accepted >= 1,
        "each accepted request is a run, and no other is: {accepted}"
    );
}

/// What asks for itself while it runs is run again, after that.
fn asked_for_while_it_runs() {
    static AGAIN: Once<WorkRef> = Once::new();
    static LEFT: AtomicU32 = AtomicU32::new(9);
    static INSIDE: AtomicU32 = AtomicU32::new(0);
    let work = AGAIN.call_once(|| {
        Work::new(|| {
            assert!(
                INSIDE.fetch_add(1, SeqCst) == 0,
                "work never runs beside itself"
            );
            if LEFT.fetch_sub(1, SeqCst) > 1 {
                let own = AGAIN.get().expect("it was queued");
                assert!(queue_work(own));
            }
            sched::yield_now();
            INSIDE.fetch_sub(1, SeqCst);
        })
    });
    assert!(queue_work(work));
    while flush_work(work) {}
    assert!(LEFT.load(SeqCst) == 0);
}

fn delayed() {
    let (work, times) = counting();
    let begin = time::now_ns();
    assert!(queue_delayed_work(&work, 20 * MS));
    assert!(
        !queue_delayed_work(&work, 0) && !queue_work(&work),
        "it waits already"
    );
    assert!(flush_work(&work) && times.load(SeqCst) == 1);
    assert!(time::now_ns() >= begin + 20 * MS, "not before its time");
}

fn cancelled_in_time() {
    let (work, times) = counting();
    assert!(!cancel_work_sync(&work), "there was nothing to cancel");
    assert!(queue_delayed_work(&work, HOUR));
    assert!(cancel_work_sync(&work) && !flush_work(&work));
    // A timer that was taken back does not ring for the next request.
    assert!(queue_delayed_work(&work, MS) && cancel_work_sync(&work));
    assert!(queue_delayed_work(&work, HOUR));
    let later = time::now_ns() + 10 * MS;
    assert!(time::sleep_until(later).is_ok());
    assert!(cancel_work_sync(&work) && times.load(SeqCst) == 0);
}

fn cancelled_while_it_runs() {
    let (inside, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (entered, left) = (inside.clone(), done.clone());
    let work = Work::new(move || {
        entered.store(true, SeqCst);
        (0..20).for_each(|_| sched::yield_now());
        left.store(true, SeqCst);
    });
    assert!(queue_work(&work));
    while !inside.load(SeqCst) {
        sched::yield_now();
    }
    assert!(queue_work(&work), "it runs, and may be asked for again");
    assert!(
        cancel_work_sync(&work) && done.load(SeqCst),
        "who cancels waits for the run"
    );
    done.store(false, SeqCst);
    (0..50).for_each(|_| sched::yield_now());
    assert!(!done.load(SeqCst), "what was cancelled is not run");
}
