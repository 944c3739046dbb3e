//! Threads that stand still on purpose: each must be told, once, and the machine goes on.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};

use log::info;

use crate::arch::{cpu, local};
use crate::locks::{SpinLock, WaitQueue, rank};
use crate::mm::counters::{Counter, HARD_LOCKUPS, HUNG_TASKS, SOFT_LOCKUPS};
use crate::percpu::cpu_id;
use crate::sched;
use crate::sched::kthread::{kthread_create, kthread_run};
use crate::smp;
use crate::{task, time};

/// How long the watchers are given to see what they must not tell, in ticks.
const QUIET: u64 = 25;

/// Keeps the CPU with preemption off while somebody else wants it.
pub(super) fn soft_lockup() {
    assert_told(&SOFT_LOCKUPS, 0);
    // Long turns that others may interrupt are none.
    spin_until(|| time::now_ns() > QUIET * time::TICK_NS);
    let ran = Arc::new(AtomicBool::new(false));
    let seen = ran.clone();
    local::preempt_disable();
    let rival = kthread_create("rival", move || seen.store(true, SeqCst));
    let rival = rival.expect("memory for a test");
    rival.bind(cpu_id()).expect("it was not started");
    rival.start();
    spin_until(|| SOFT_LOCKUPS.get() > 0);
    let until = time::now_ns() + QUIET * time::TICK_NS;
    spin_until(|| time::now_ns() > until);
    assert!(!ran.load(SeqCst), "preemption is off");
    local::preempt_enable_no_resched();
    while rival.result().is_none() {
        sched::yield_now();
    }
    assert_told(&SOFT_LOCKUPS, 1);
    info!(target: "test", "soft_lockup ok");
}

/// Another CPU keeps its interrupts off, twice, while this one idles and looks now and then.
pub(super) fn hard_lockup() {
    // The timers of this thread ring where it runs: not on the CPU that hears nothing.
    assert!(sched::policy::set_allowed(&task::current_ref(), 1));
    let other = smp::online().without(0).first();
    let other = other.expect("this test needs two CPUs");
    rest(QUIET);
    for times in 1..=2 {
        assert_told(&HARD_LOCKUPS, times - 1);
        let over = Arc::new(AtomicBool::new(false));
        let own_over = over.clone();
        let deaf = kthread_create("deaf", move || hears_nothing(&own_over));
        let deaf = deaf.expect("memory for a test");
        deaf.bind(other).expect("it was not started");
        deaf.start();
        while HARD_LOCKUPS.get() < times {
            rest(1);
        }
        rest(QUIET);
        over.store(true, SeqCst);
        while deaf.result().is_none() {
            rest(1);
        }
        assert_told(&HARD_LOCKUPS, times);
    }
    rest(QUIET);
    assert_told(&HARD_LOCKUPS, 2);
    info!(target: "test", "hard_lockup ok");
}

#[inline(never)]
fn hears_nothing(over: &AtomicBool) {
    cpu::irq_disable();
    while !over.load(SeqCst) {
        // No pause: where instructions are counted, it lets the other CPUs go first, and they have nothing to do.
        (0..100).for_each(|_| core::hint::black_box(()));
    }
    cpu::irq_enable();
}

fn rest(ticks: u64) {
    let later = time::now_ns() + ticks * time::TICK_NS;
    time::sleep_until(later).expect("nobody stops a test");
}

/// Sleeps for what does not come, in a way that nothing interrupts; and in one that is harmless.
pub(super) fn hung_task() {
    let (queue, over) = (Arc::new(WaitQueue::new()), Arc::new(AtomicBool::new(false)));
    let (own_queue, own_over) = (queue.clone(), over.clone());
    let patient = kthread_run("patient", || {
        let nothing = WaitQueue::new();
        let _ = nothing.wait_until_interruptible(|| false);
    });
    let stuck = kthread_run("stuck", move || {
        own_queue.wait_until(|| own_over.load(SeqCst))
    });
    while HUNG_TASKS.get() == 0 {
        let later = time::now_ns() + time::TICK_NS;
        time::sleep_until(later).expect("nobody stops a test");
    }
    let later = time::now_ns() + QUIET * time::TICK_NS;
    time::sleep_until(later).expect("nobody stops a test");
    assert_told(&HUNG_TASKS, 1);
    over.store(true, SeqCst);
    queue.wake_all();
    stuck.expect("memory for a test").stop();
    patient.expect("memory for a test").stop();
    info!(target: "test", "hung_task ok");
}

/// Sleeps with a spin lock held: the checked kernel panics.
pub(super) fn sleep_locked() {
    static LOCK: SpinLock<(), { rank::TREE }> = SpinLock::new(());
    let _guard = LOCK.lock();
    sleep();
}

/// Sleeps with interrupts off.
pub(super) fn sleep_irqs_off() {
    cpu::irq_disable();
    sleep();
}

/// Sleeps with preemption off.
pub(super) fn sleep_preempt_off() {
    local::preempt_disable();
    sleep();
}

fn sleep() {
    let queue = WaitQueue::new();
    let mut looks = 0;
    queue.wait_until(|| {
        looks += 1;
        looks > 2
    });
    panic!("nobody noticed a sleep where none is allowed");
}

fn spin_until(over: impl Fn() -> bool) {
    while !over() {
        core::hint::spin_loop();
    }
}

fn assert_told(counter: &Counter, times: i64) {
    assert!(
        counter.get() == times,
        "told {} times, not {times}",
        counter.get()
    );
}
