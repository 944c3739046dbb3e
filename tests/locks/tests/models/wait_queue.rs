//! The wait queue.

use std::sync::Arc;

use locks::base::{Defect, introduce};
use locks::wait_queue::WaitQueue;
use locks::world::{World, explore, interrupt};
use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
use loom::thread;

use crate::spawn_known;

/// Tokens, and a queue of those who want one. All accesses are relaxed: the queue itself must order them.
struct Shop {
    queue: WaitQueue<World>,
    tokens: AtomicU32,
}

impl Shop {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: WaitQueue::new(),
            tokens: AtomicU32::new(0),
        })
    }

    fn take(&self) -> bool {
        let less = |count: u32| count.checked_sub(1);
        self.tokens.fetch_update(Relaxed, Relaxed, less).is_ok()
    }

    fn put(&self) {
        self.tokens.fetch_add(1, Relaxed);
        self.queue.wake_one();
    }
}

fn one_sleeper_one_waker(preemptions: usize) {
    explore(preemptions, || {
        let shop = Shop::new();
        let sleeper = {
            let shop = Arc::clone(&shop);
            thread::spawn(move || shop.queue.wait_until(|| shop.take()))
        };
        shop.put();
        sleeper.join().unwrap();
        assert!(shop.queue.is_empty());
    });
}

/// Found wrong when the sleeper enqueues after it has tested its condition for the last time.
#[test]
fn no_wake_up_is_lost() {
    one_sleeper_one_waker(5);
}

/// Found wrong when `wake_one` wakes the last sleeper without taking it out of the queue.
#[test]
fn a_wake_for_each_token_serves_all_sleepers() {
    explore(1, || {
        let shop = Shop::new();
        let sleepers = [(); 2].map(|()| {
            let shop = Arc::clone(&shop);
            thread::spawn(move || shop.queue.wait_until(|| shop.take()))
        });
        shop.put();
        shop.put();
        sleepers.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// Found wrong when `wake_all` wakes one.
#[test]
fn wake_all_wakes_all() {
    explore(1, || {
        let shop = Shop::new();
        let sleepers = [(); 2].map(|()| {
            let shop = Arc::clone(&shop);
            thread::spawn(move || shop.queue.wait_until(|| shop.tokens.load(Relaxed) == 1))
        });
        shop.tokens.store(1, Relaxed);
        shop.queue.wake_all();
        sleepers.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn an_interrupt_ends_a_wait_and_leaves_the_queue_empty() {
    explore(3, || {
        let shop = Shop::new();
        let (sleeper, waiter) = {
            let shop = Arc::clone(&shop);
            spawn_known(move || {
                let end = shop.queue.wait_until_interruptible(|| shop.take());
                assert!(end.is_err());
            })
        };
        interrupt(&waiter);
        sleeper.join().unwrap();
        assert!(shop.queue.is_empty());
    });
}

/// One may be woken for the token and interrupted at the same moment: then the other must get the wake.
///
/// Found wrong when a task that was woken and does not need it passes nothing on.
#[test]
fn a_wake_that_meets_an_interrupt_goes_to_the_next() {
    explore(1, || {
        let shop = Shop::new();
        let (hasty, waiter) = {
            let shop = Arc::clone(&shop);
            spawn_known(move || {
                if shop.queue.wait_until_interruptible(|| shop.take()).is_ok() {
                    shop.put();
                }
            })
        };
        let steady = {
            let shop = Arc::clone(&shop);
            thread::spawn(move || shop.queue.wait_until(|| shop.take()))
        };
        shop.put();
        interrupt(&waiter);
        hasty.join().unwrap();
        steady.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_wake_up_is_lost_without_fences() {
    introduce(Defect::NoFences);
    one_sleeper_one_waker(3);
}
