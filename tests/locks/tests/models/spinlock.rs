//! The spin lock.

use std::sync::Arc;

use locks::base::{Defect, introduce};
use locks::rank::RUNQ;
use locks::spinlock::SpinLock;
use locks::world::{World, explore};
use loom::thread;

type Lock = SpinLock<u32, RUNQ, World>;

/// Two threads take the lock so many times each, and add one.
fn increments(times: u32, preemptions: usize) {
    explore(preemptions, move || {
        let lock = Arc::new(Lock::new(0));
        let add = move |lock: &Lock| (0..times).for_each(|_| *lock.lock() += 1);
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || add(&lock))
        };
        add(&lock);
        other.join().unwrap();
        assert_eq!(*lock.lock(), 2 * times);
        assert!(!lock.is_locked());
    });
}

#[test]
fn two_threads_exclude_each_other() {
    increments(1, 5);
}

/// Patience ends while the lock is taken, and who comes again gives way to the impatient.
///
/// Without the line that takes an impatient waiter out of the count, the last lock of the model is
/// never taken at once; with a count that nobody but the impatient passes, it spins for ever.
#[test]
fn who_comes_again_gives_way_and_nobody_waits_for_ever() {
    increments(2, 3);
}

#[test]
fn a_try_gets_the_lock_or_leaves_it() {
    explore(4, || {
        let lock = Arc::new(Lock::new(0));
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.try_lock().map(|mut count| *count += 1).is_some())
        };
        *lock.lock() += 1;
        let came = u32::from(other.join().unwrap());
        assert_eq!(*lock.lock(), 1 + came);
    });
}

#[test]
#[should_panic]
fn relaxed_orderings_are_found_wrong() {
    introduce(Defect::Relaxed);
    increments(1, 3);
}
