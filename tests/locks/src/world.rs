//! Loom's threads as the tasks of the locks.

use std::cell::Cell;
use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, Ordering, fence};
use loom::sync::{Condvar, Mutex};
use loom::thread;

use crate::hooks::{Hooks, Order};

const NEVER: u32 = u32::MAX;

/// The world of the models.
pub struct World;

/// A thread as a wait queue remembers it.
#[derive(Clone)]
pub struct Waiter(Arc<State>);

struct State {
    number: u32,
    /// Whether the thread is blocked; the lock takes the place of the run queue's.
    blocked: Mutex<bool>,
    woken: Condvar,
    interrupted: AtomicBool,
    /// How many writers had come in when this thread last began to wait for a lock. Only observes.
    writers_at_wait: std::sync::atomic::AtomicU32,
}

loom::thread_local! {
    static ME: Waiter = Waiter(Arc::new(State {
        number: NUMBER.replace(NUMBER.get() + 1),
        blocked: Mutex::new(false),
        woken: Condvar::new(),
        interrupted: AtomicBool::new(false),
        writers_at_wait: NEVER.into(),
    }));
}

// What only observes is not part of a model: all its threads are run by one.
std::thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(1) };
    static WRITERS: Cell<u32> = const { Cell::new(0) };
}

/// Runs `model` in every way that takes the CPU from a thread at most `preemptions` times.
pub fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(move || {
        NUMBER.set(1);
        WRITERS.set(0);
        model();
    });
}

/// Makes a thread give up its interruptible waits.
pub fn interrupt(waiter: &Waiter) {
    waiter.0.interrupted.store(true, Ordering::SeqCst);
    // Pairs with the one between a sleeper's marking itself blocked and its last look.
    fence(Ordering::SeqCst);
    World::wake(waiter);
}

/// Counts a writer that is inside.
pub fn count_writer() {
    WRITERS.set(WRITERS.get() + 1);
}

/// Returns how many writers came in since this thread last began to wait for a sleeping lock, if it ever did.
pub fn writers_since_wait() -> Option<u32> {
    let then = ME.with(|me| me.0.writers_at_wait.load(Ordering::Relaxed));
    (then != NEVER).then(|| WRITERS.get() - then)
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Hooks for World {
    type Irq = ();
    type Waiter = Waiter;

    fn pin() {}

    fn unpin() {}

    fn irq_save() {}

    const IRQ_ON: () = ();

    fn irq_off() {}

    fn irq_restore((): ()) {}

    fn acquired(_: u8, _: &'static str, _: Order) {}

    fn released(_: u8) {}

    fn relax() {
        thread::yield_now();
    }

    fn current() -> Waiter {
        ME.with(Waiter::clone)
    }

    fn prepare_to_sleep() {
        ME.with(|me| *me.0.blocked.lock().unwrap() = true);
    }

    fn cancel_sleep() {
        ME.with(|me| *me.0.blocked.lock().unwrap() = false);
    }

    fn sleep() {
        let me = Self::current();
        let mut blocked = me.0.blocked.lock().unwrap();
        while *blocked {
            blocked = me.0.woken.wait(blocked).unwrap();
        }
    }

    fn wake(waiter: &Waiter) {
        *waiter.0.blocked.lock().unwrap() = false;
        waiter.0.woken.notify_one();
    }

    fn interrupted() -> bool {
        ME.with(|me| me.0.interrupted.load(Ordering::SeqCst))
    }

    fn killed() -> bool {
        false
    }

    fn task_id() -> u32 {
        ME.with(|me| me.0.number)
    }

    fn slot() -> usize {
        Self::task_id() as usize
    }

    fn now() -> u64 {
        0
    }

    fn spun(_: u8, _: u32) {}

    fn waits(_: u8, _: u32) {
        ME.with(|me| me.0.writers_at_wait.store(WRITERS.get(), Ordering::Relaxed));
    }

    fn waited(_: u8, _: u64) {}

    fn assert_may_sleep() {}
}
