//! The mutex.

use std::sync::Arc;

use locks::base::{Defect, introduce};
use locks::mutex::Mutex;
use locks::rank::TREE;
use locks::world::{World, explore};
use loom::thread;

type Lock = Mutex<u32, TREE, World>;

fn increments(threads: u32, preemptions: usize) {
    explore(preemptions, move || {
        let lock = Arc::new(Lock::new(0));
        let others: Vec<_> = (1..threads)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || *lock.lock() += 1)
            })
            .collect();
        *lock.lock() += 1;
        others.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(*lock.lock(), threads);
        assert_eq!(lock.owner(), None);
    });
}

/// Without the wake in the guard's `drop`, or with it before the lock is free, loom finds the sleeper that
/// nobody wakes.
#[test]
fn two_threads_exclude_each_other_and_both_come_in() {
    increments(2, 3);
}

#[test]
fn three_threads_exclude_each_other_and_all_come_in() {
    increments(3, 1);
}

#[test]
fn who_is_inside_is_the_owner() {
    explore(2, || {
        let lock = Arc::new(Lock::new(0));
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                let _guard = lock.lock();
                assert_eq!(
                    lock.owner(),
                    Some(<World as locks::hooks::Hooks>::task_id())
                );
            })
        };
        let guard = lock.lock();
        assert_eq!(
            lock.owner(),
            Some(<World as locks::hooks::Hooks>::task_id())
        );
        drop(guard);
        other.join().unwrap();
    });
}

#[test]
#[should_panic]
fn relaxed_orderings_are_found_wrong() {
    introduce(Defect::Relaxed);
    increments(2, 2);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_wake_up_is_lost_without_fences() {
    introduce(Defect::NoFences);
    increments(2, 3);
}
