//! The wait queue: no wake-up is lost, none is wasted, order is first come first served.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use sync::std_hooks::StdHooks;
use sync::{Hooks, Interrupted, SpinLock, WaitQueue, rank};

/// Takes one of `tokens` if there is one.
fn take(tokens: &AtomicUsize) -> bool {
    let less = |count: usize| count.checked_sub(1);
    tokens
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        .is_ok()
}

fn spin_until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

#[test]
fn a_condition_that_holds_already_needs_no_sleep() {
    WaitQueue::<StdHooks>::new().wait_until(|| true);
}

#[test]
fn nobody_is_woken_on_an_empty_queue() {
    let queue = WaitQueue::<StdHooks>::new();
    assert!(!queue.wake_one());
    queue.wake_all();
}

#[test]
fn every_token_finds_a_taker_when_one_is_woken_per_token() {
    const TAKERS: usize = 6;
    const EACH: usize = 3_000;
    static QUEUE: WaitQueue<StdHooks> = WaitQueue::new();
    static TOKENS: AtomicUsize = AtomicUsize::new(0);
    let takers: Vec<_> = (0..TAKERS)
        .map(|_| thread::spawn(|| (0..EACH).for_each(|_| QUEUE.wait_until(|| take(&TOKENS)))))
        .collect();
    for _ in 0..TAKERS * EACH {
        TOKENS.fetch_add(1, Ordering::SeqCst);
        QUEUE.wake_one();
    }
    takers.into_iter().for_each(|taker| taker.join().unwrap());
    assert_eq!(TOKENS.load(Ordering::SeqCst), 0);
    assert!(QUEUE.is_empty());
}

#[test]
fn two_threads_that_wake_each_other_never_miss_one() {
    static QUEUES: [WaitQueue<StdHooks>; 2] = [WaitQueue::new(), WaitQueue::new()];
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let play = |me: usize| {
        move || {
            for _ in 0..20_000 {
                QUEUES[me].wait_until(|| TURN.load(Ordering::SeqCst) == me);
                TURN.store(1 - me, Ordering::SeqCst);
                QUEUES[1 - me].wake_one();
            }
        }
    };
    let players = [0, 1].map(|me| thread::spawn(play(me)));
    players
        .into_iter()
        .for_each(|player| player.join().unwrap());
}

#[test]
fn sleepers_are_woken_first_come_first_served() {
    static QUEUE: WaitQueue<StdHooks> = WaitQueue::new();
    static TOKENS: AtomicUsize = AtomicUsize::new(0);
    static ENQUEUED: AtomicUsize = AtomicUsize::new(0);
    let (sender, order) = mpsc::channel();
    for name in 0..5 {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut polls = 0;
            QUEUE.wait_until(|| {
                polls += 1;
                // The second poll comes after enqueueing.
                if polls == 2 {
                    ENQUEUED.fetch_add(1, Ordering::SeqCst);
                }
                take(&TOKENS)
            });
            sender.send(name).unwrap();
        });
        spin_until(|| ENQUEUED.load(Ordering::SeqCst) == name + 1);
    }
    for expected in 0..5 {
        TOKENS.fetch_add(1, Ordering::SeqCst);
        assert!(QUEUE.wake_one());
        assert_eq!(order.recv().unwrap(), expected);
    }
}

#[test]
fn wake_all_wakes_everybody() {
    static QUEUE: WaitQueue<StdHooks> = WaitQueue::new();
    static GO: AtomicBool = AtomicBool::new(false);
    let sleepers: Vec<_> = (0..8)
        .map(|_| thread::spawn(|| QUEUE.wait_until(|| GO.load(Ordering::SeqCst))))
        .collect();
    GO.store(true, Ordering::SeqCst);
    QUEUE.wake_all();
    sleepers.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn a_wake_between_the_condition_and_the_sleep_makes_the_sleep_return() {
    let queue = WaitQueue::<StdHooks>::new();
    let mut polls = 0;
    queue.wait_until(|| {
        polls += 1;
        if polls == 2 {
            // Enqueued and not asleep yet: the waker comes now, after the test.
            assert!(queue.wake_one());
        }
        polls > 2
    });
    assert_eq!(polls, 3);
}

#[test]
fn a_wake_that_is_not_needed_is_passed_on() {
    static QUEUE: WaitQueue<StdHooks> = WaitQueue::new();
    static OTHER_MAY_GO: AtomicBool = AtomicBool::new(false);
    static OTHER_POLLS: AtomicUsize = AtomicUsize::new(0);
    let wait = || {
        QUEUE.wait_until(|| {
            let may_go = OTHER_MAY_GO.load(Ordering::SeqCst);
            OTHER_POLLS.fetch_add(1, Ordering::SeqCst);
            may_go
        });
    };
    let mut polls = 0;
    let mut other = None;
    QUEUE.wait_until(|| {
        polls += 1;
        if polls == 2 {
            // This thread is the first in the queue, and another one comes behind it: after its
            // second poll it is in the queue and bound to sleep. The only wake takes this thread
            // out, which finds its condition true by itself.
            other = Some(thread::spawn(wait));
            spin_until(|| OTHER_POLLS.load(Ordering::SeqCst) == 2);
            OTHER_MAY_GO.store(true, Ordering::SeqCst);
            assert!(QUEUE.wake_one());
        }
        polls == 2
    });
    other.unwrap().join().unwrap();
}

#[test]
fn an_interrupted_wait_gives_up_and_leaves_the_queue() {
    static QUEUE: WaitQueue<StdHooks> = WaitQueue::new();
    let (sender, receiver) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        sender.send(StdHooks::current()).unwrap();
        QUEUE.wait_until_interruptible(|| false)
    });
    StdHooks::interrupt(&receiver.recv().unwrap());
    assert_eq!(sleeper.join().unwrap(), Err(Interrupted));
    assert!(QUEUE.is_empty());
}

#[test]
fn an_uninterruptible_wait_outlasts_an_interrupt() {
    static QUEUE: WaitQueue<StdHooks> = WaitQueue::new();
    static GO: AtomicBool = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        sender.send(StdHooks::current()).unwrap();
        QUEUE.wait_until(|| GO.load(Ordering::SeqCst));
        GO.load(Ordering::SeqCst)
    });
    StdHooks::interrupt(&receiver.recv().unwrap());
    GO.store(true, Ordering::SeqCst);
    QUEUE.wake_all();
    assert!(sleeper.join().unwrap());
}

#[test]
fn no_token_is_lost_among_interrupts() {
    const TOKENS: usize = 4_000;
    static QUEUE: WaitQueue<StdHooks> = WaitQueue::new();
    static LEFT: AtomicUsize = AtomicUsize::new(0);
    static WAITERS: Mutex<Vec<sync::std_hooks::StdWaiter>> = Mutex::new(Vec::new());
    let steady = thread::spawn(|| (0..TOKENS).for_each(|_| QUEUE.wait_until(|| take(&LEFT))));
    let producer = thread::spawn(|| {
        for _ in 0..TOKENS {
            LEFT.fetch_add(1, Ordering::SeqCst);
            QUEUE.wake_one();
            // Interruptible waiters come and go around the steady one; what one of them takes
            // it puts back and announces again.
            thread::spawn(|| {
                WAITERS.lock().unwrap().push(StdHooks::current());
                if QUEUE.wait_until_interruptible(|| take(&LEFT)).is_ok() {
                    LEFT.fetch_add(1, Ordering::SeqCst);
                    QUEUE.wake_one();
                }
            });
            let waiter = WAITERS.lock().unwrap().pop();
            waiter.iter().for_each(StdHooks::interrupt);
        }
    });
    producer.join().unwrap();
    while !steady.is_finished() {
        let waiter = WAITERS.lock().unwrap().pop();
        waiter.iter().for_each(StdHooks::interrupt);
        thread::yield_now();
    }
    steady.join().unwrap();
    assert_eq!(LEFT.load(Ordering::SeqCst), 0);
}

#[test]
#[should_panic(expected = "sleeping with interrupts off")]
fn waiting_under_a_spin_lock_is_caught_even_when_there_is_nothing_to_wait_for() {
    let lock = SpinLock::<(), { rank::MMAP }, StdHooks>::new(());
    let _guard = lock.lock();
    WaitQueue::<StdHooks>::new().wait_until(|| true);
}
