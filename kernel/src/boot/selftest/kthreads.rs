//! Kernel threads as their owners see them: created, started, parked, stopped (KT-1 … KT-3).

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use ::kthread::ParkRefused;
use log::info;

use crate::locks::WaitQueue;
use crate::percpu::cpu_id;
use crate::sched;
use crate::sched::kthread::{Kthread, kthread_create, kthread_run, serve};
use crate::smp;
use crate::task::kthread::Ended;
use crate::time;

/// How often a thread is stopped or parked while it does all kinds of things.
const ROUNDS: u32 = 200;

/// All of it.
pub(super) fn kthreads() {
    not_before_the_first_wake();
    stopped_before_it_ran();
    result_of_one_that_ended_by_itself();
    parked_and_on();
    park_is_refused();
    sleepers_hear_the_call();
    bound();
    let rounds = storm();
    info!(target: "test", "kthreads ok rounds={rounds}");
}

/// A thread that counts its turns and sleeps in between until somebody pokes it.
struct Counter {
    turns: AtomicU32,
    pokes: AtomicU32,
    more: WaitQueue,
}

impl Counter {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            turns: AtomicU32::new(0),
            pokes: AtomicU32::new(0),
            more: WaitQueue::new(),
        })
    }

    fn turns(&self) -> u32 {
        self.turns.load(SeqCst)
    }

    fn poke(&self) {
        self.pokes.fetch_add(1, SeqCst);
        self.more.wake_all();
    }

    /// Takes turns, one for some pokes, and calls `each` in every turn.
    fn serve(self: &Arc<Self>, each: impl Fn() + Send + 'static) -> impl FnOnce() + Send + 'static {
        let own = self.clone();
        move || {
            serve(|| {
                let poked = own.pokes.load(SeqCst);
                each();
                own.turns.fetch_add(1, SeqCst);
                let again = || own.pokes.load(SeqCst) != poked;
                own.more.wait_until_interruptible(again)
            });
        }
    }
}

fn made<R: crate::sched::kthread::ExitCode>(body: impl FnOnce() -> R + Send + 'static) -> Kthread {
    kthread_create("pupil", body).expect("memory for a test")
}

fn running<R: crate::sched::kthread::ExitCode>(
    body: impl FnOnce() -> R + Send + 'static,
) -> Kthread {
    kthread_run("pupil", body).expect("memory for a test")
}

/// Lets everybody else run who wants to.
fn let_run() {
    (0..10).for_each(|_| sched::yield_now());
}

fn not_before_the_first_wake() {
    let ran = Arc::new(AtomicU32::new(0));
    let seen = ran.clone();
    let thread = made(move || {
        seen.fetch_add(1, SeqCst);
        7
    });
    let_run();
    sched::wake(thread.task());
    let_run();
    assert!(
        ran.load(SeqCst) == 0,
        "a thread does not run before it is started, whoever wakes it (KT-1)"
    );
    thread.start();
    thread.start();
    assert!(thread.stop_after_end() == Ended::Returned(7) && ran.load(SeqCst) == 1);
}

fn stopped_before_it_ran() {
    let ran = Arc::new(AtomicU32::new(0));
    let seen = ran.clone();
    let thread = made(move || seen.fetch_add(1, SeqCst) as i32);
    assert!(
        thread.stop() == Ended::NeverRan && ran.load(SeqCst) == 0,
        "a thread that is stopped before its first wake-up never runs (KT-1)"
    );
    assert!(
        Arc::strong_count(&ran) == 1,
        "what its function owned is free again"
    );
}

fn result_of_one_that_ended_by_itself() {
    let thread = running(|| -5);
    while thread.result().is_none() {
        sched::yield_now();
    }
    let_run(); // The reaper has been there: only this handle is left.
    assert!(
        thread.stop() == Ended::Returned(-5) && thread.stop() == Ended::Returned(-5),
        "a thread that has gone still tells its result"
    );
    assert!(thread.park() == Err(ParkRefused::Ends));
}

fn parked_and_on() {
    let counter = Counter::new();
    let thread = running(counter.serve(|| ()));
    while counter.turns() == 0 {
        sched::yield_now();
    }
    assert!(thread.park().is_ok());
    let parked_at = counter.turns();
    for _ in 0..10 {
        // Neither a queue nor anybody who knows the task wakes a parked thread.
        counter.poke();
        sched::wake(thread.task());
        assert!(
            !thread.task().is_runnable(),
            "nobody but its owner wakes a parked thread (KT-3)"
        );
        let_run();
    }
    assert!(
        counter.turns() == parked_at,
        "a parked thread stays parked, whoever wakes it (KT-3)"
    );
    thread.unpark();
    while counter.turns() == parked_at {
        sched::yield_now();
    }
    assert!(thread.park().is_ok());
    assert!(
        thread.stop() == Ended::Returned(0),
        "stop ends a parked thread"
    );
}

fn park_is_refused() {
    let counter = Counter::new();
    // Parked before it ran: its first turn comes after that.
    let thread = made(counter.serve(|| ()));
    assert!(thread.park().is_ok() && counter.turns() == 0);
    assert!(
        thread.park() == Err(ParkRefused::Busy),
        "who parks a parked thread is told (KT-3)"
    );
    thread.unpark();
    thread.unpark();
    assert!(thread.stop() == Ended::Returned(0));
    assert!(thread.park() == Err(ParkRefused::Ends));
}

/// A call ends a sleep that a timer would end in an hour, whether it has begun or is about to.
fn sleepers_hear_the_call() {
    const HOUR: u64 = 3_600_000_000_000;
    for rested in 0..6 {
        let began = Arc::new(AtomicU32::new(0));
        let begins = began.clone();
        let thread = running(move || {
            begins.store(1, SeqCst);
            let woken = time::sleep_until(time::now_ns() + HOUR);
            i32::from(woken.is_err())
        });
        while began.load(SeqCst) == 0 {
            sched::yield_now();
        }
        (0..rested).for_each(|_| sched::yield_now());
        assert!(
            thread.stop() == Ended::Returned(1),
            "a thread that sleeps hears that it is to stop (KT-2)"
        );
    }
}

/// A thread runs where it was bound while it stood still, on each CPU in turn.
fn bound() {
    let (seen, turns) = (Arc::new(AtomicU32::new(0)), Counter::new());
    let saw = seen.clone();
    let thread = made(turns.serve(move || saw.store(cpu_id() as u32, SeqCst)));
    for cpu in smp::online() {
        assert!(thread.bind(cpu).is_ok());
        let before = turns.turns();
        thread.start();
        thread.unpark();
        for round in 1..20 {
            while turns.turns() < before + round {
                turns.poke();
                sched::yield_now();
            }
            assert!(
                seen.load(SeqCst) as usize == cpu,
                "a bound thread runs on its CPU and no other"
            );
        }
        assert!(thread.bind(cpu).is_err(), "it does not stand still");
        assert!(thread.park().is_ok());
    }
    thread.stop();
}

/// Starts, parks and stops at moments that shift against each other: each must come to an end.
fn storm() -> u32 {
    let mut rounds = 0;
    for round in 0..ROUNDS {
        let counter = Counter::new();
        let thread = made(counter.serve(|| ()));
        let second = thread.clone();
        let rival = running(move || {
            (0..round % 7).for_each(|_| sched::yield_now());
            match round % 3 {
                0 => second.unpark(),
                1 => {
                    let _ = second.park();
                }
                _ => {
                    second.stop();
                }
            }
        });
        (0..round % 5).for_each(|_| sched::yield_now());
        if !round.is_multiple_of(4) {
            thread.start();
        }
        (0..round % 3).for_each(|_| counter.poke());
        let _ = thread.park();
        thread.unpark();
        let ended = thread.stop();
        assert!(ended == Ended::NeverRan || ended == Ended::Returned(0));
        rival.stop_after_end();
        rounds += 1;
    }
    rounds
}

impl Kthread {
    /// Waits for a thread that ends by itself, and only then asks for its result.
    fn stop_after_end(&self) -> Ended {
        while self.result().is_none() {
            sched::yield_now();
        }
        self.stop()
    }
}
