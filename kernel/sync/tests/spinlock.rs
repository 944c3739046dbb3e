//! The spin lock: exclusion, interrupts, ranks, and the hand-over across a switch.
#![expect(
    unsafe_code,
    reason = "handing a lock over and busting one are unsafe by contract"
)]

use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use sync::std_hooks::StdHooks;
use sync::{Hooks, SpinLock, rank};

type RunQueueLock<T> = SpinLock<T, { rank::RUNQ }, StdHooks>;

#[test]
fn increments_under_the_lock_are_never_lost() {
    static COUNT: RunQueueLock<u64> = SpinLock::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20_000).for_each(|_| *COUNT.lock() += 1));
        }
    });
    assert_eq!(*COUNT.lock(), 80_000);
}

#[test]
fn interrupts_are_off_while_held_and_as_before_afterwards() {
    let (outer, inner) = (
        RunQueueLock::new(()),
        SpinLock::<(), { rank::FRAME }, StdHooks>::new(()),
    );
    let outer_guard = outer.lock();
    let inner_guard = inner.lock_under(&outer_guard);
    drop(inner_guard);
    assert!(!StdHooks::irqs_on(), "the outer lock is still held");
    drop(outer_guard);
    assert!(StdHooks::irqs_on());
}

#[test]
fn who_knows_that_interrupts_are_on_finds_them_on_again_waited_or_not() {
    let lock = RunQueueLock::new(0);
    let add_one = || {
        let mut guard = lock.lock_irq();
        *guard += 1;
        let off = !StdHooks::irqs_on();
        drop(guard);
        off && StdHooks::irqs_on() && StdHooks::held().is_empty()
    };
    assert!(add_one());
    let guard = lock.lock();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            sender.send(StdHooks::current()).unwrap();
            add_one()
        });
        let spinner = receiver.recv().unwrap();
        let irqs = iter::repeat_with(|| StdHooks::irqs_while_spinning(&spinner));
        assert_eq!(irqs.flatten().next(), Some(true));
        drop(guard);
        assert!(waiter.join().unwrap());
    });
    assert_eq!(*lock.lock(), 2);
}

#[test]
#[should_panic = "who says that interrupts are on knows it"]
fn who_is_wrong_about_interrupts_is_told() {
    let outer = RunQueueLock::new(());
    let inner = SpinLock::<(), { rank::FRAME }, StdHooks>::new(());
    let _outer = outer.lock();
    drop(inner.lock_irq());
}

#[test]
fn a_failed_try_leaves_no_trace() {
    let lock = RunQueueLock::new(());
    let guard = lock.lock();
    let irqs_on_elsewhere = thread::scope(|scope| {
        let other = scope.spawn(|| {
            assert!(lock.try_lock().is_none());
            StdHooks::irqs_on() && StdHooks::held().is_empty()
        });
        other.join().unwrap()
    });
    drop(guard);
    assert!(irqs_on_elsewhere);
    assert!(lock.try_lock().is_some());
}

#[test]
fn tlb_12_a_waiter_spins_with_its_interrupts_on() {
    let lock = RunQueueLock::new(());
    let guard = lock.lock();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            sender.send(StdHooks::current()).unwrap();
            drop(lock.lock());
        });
        let waiter = receiver.recv().unwrap();
        let irqs = iter::repeat_with(|| StdHooks::irqs_while_spinning(&waiter));
        assert_eq!(irqs.flatten().next(), Some(true));
        drop(guard);
    });
}

#[test]
fn taking_an_outer_lock_inside_is_a_message_and_not_a_deadlock() {
    let outer = SpinLock::<(), { rank::PAGE_TABLE }, StdHooks>::new(());
    let inner = RunQueueLock::new(());
    let message = thread::spawn(move || {
        let _inner = inner.lock();
        let attempt = catch_unwind(AssertUnwindSafe(|| drop(outer.lock())));
        *attempt.unwrap_err().downcast::<String>().unwrap()
    });
    let message = message.join().unwrap();
    assert_eq!(
        message,
        "lock order: `()` (rank 40) wanted while `()` (rank 60) is held"
    );
}

#[test]
fn taking_the_same_lock_twice_is_a_message_and_not_a_hang() {
    let lock = RunQueueLock::new(());
    thread::spawn(move || {
        let _guard = lock.lock();
        let attempt = catch_unwind(AssertUnwindSafe(|| drop(lock.lock())));
        assert!(attempt.is_err());
    })
    .join()
    .unwrap();
}

#[test]
fn two_locks_of_one_rank_nest_when_said_so() {
    let (one, two) = (RunQueueLock::new(1), RunQueueLock::new(2));
    let first = one.lock();
    let second = two.lock_nested(&first);
    assert_eq!(*first + *second, 3);
}

#[test]
fn a_handed_over_lock_stays_taken_until_it_is_adopted_and_dropped() {
    let lock = RunQueueLock::new(7);
    let irq = lock.lock().hand_over();
    assert!(lock.is_locked() && !StdHooks::irqs_on());
    // SAFETY: the lock was handed over one line above, by this thread, and adopted by nobody.
    let mut guard = unsafe { lock.adopt(irq) };
    *guard += 1;
    drop(guard);
    assert!(StdHooks::irqs_on() && StdHooks::held().is_empty());
    assert_eq!(*lock.lock(), 8);
}

#[test]
fn a_busted_lock_can_be_taken_again() {
    let lock = RunQueueLock::new(());
    lock.lock().hand_over();
    // SAFETY: nobody uses the guard that was handed over.
    unsafe { lock.bust() };
    assert!(lock.try_lock().is_some());
}

#[test]
fn a_lock_found_taken_is_counted_and_a_free_one_is_not() {
    let lock = RunQueueLock::new(());
    drop(lock.lock());
    assert_eq!(StdHooks::contended().0, 0);
    let guard = lock.lock();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            sender.send(StdHooks::current()).unwrap();
            drop(lock.lock());
            StdHooks::contended().0
        });
        let waiter_is = receiver.recv().unwrap();
        while StdHooks::irqs_while_spinning(&waiter_is).is_none() {
            thread::yield_now();
        }
        drop(guard);
        assert_eq!(waiter.join().unwrap(), 1);
    });
}
