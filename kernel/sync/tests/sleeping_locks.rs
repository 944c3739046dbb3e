//! The mutex and the reader-writer semaphore: exclusion, fairness, ranks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use sync::std_hooks::StdHooks;
use sync::{Hooks, Mutex, RwSem, SpinLock, rank};

type Tree<T> = Mutex<T, { rank::TREE }, StdHooks>;
type Mmap<T> = RwSem<T, { rank::MMAP }, StdHooks>;

#[test]
fn increments_under_a_mutex_are_never_lost() {
    static COUNT: Tree<u64> = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| (0..10_000).for_each(|_| *COUNT.lock() += 1));
        }
    });
    assert_eq!(*COUNT.lock(), 60_000);
}

#[test]
fn a_mutex_is_free_after_its_guard_and_not_before() {
    let mutex = Tree::new(1);
    let guard = mutex.lock();
    thread::scope(|scope| {
        scope.spawn(|| assert!(mutex.try_lock().is_none()));
    });
    drop(guard);
    assert!(mutex.try_lock().is_some());
    assert!(StdHooks::held().is_empty());
}

#[test]
fn two_semaphores_of_one_rank_nest_when_said_so() {
    let (one, two) = (Mmap::new(1), Mmap::new(2));
    let first = one.write();
    let second = two.write_nested(&first);
    assert_eq!(*first + *second, 3);
    drop(second);
    let unsaid = catch_unwind(AssertUnwindSafe(|| drop(two.write())));
    assert!(unsaid.is_err());
}

#[test]
fn readers_and_writers_never_meet() {
    static SEM: Mmap<()> = RwSem::new(());
    /// Readers inside, or -1 with a writer.
    static INSIDE: AtomicI32 = AtomicI32::new(0);
    let read = || {
        let _guard = SEM.read();
        assert!(INSIDE.fetch_add(1, Ordering::SeqCst) >= 0);
        thread::yield_now();
        assert!(INSIDE.fetch_sub(1, Ordering::SeqCst) > 0);
    };
    let write = || {
        let _guard = SEM.write();
        assert_eq!(INSIDE.swap(-1, Ordering::SeqCst), 0);
        thread::yield_now();
        assert_eq!(INSIDE.swap(0, Ordering::SeqCst), -1);
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || (0..3_000).for_each(|_| read()));
        }
        for _ in 0..3 {
            scope.spawn(move || (0..3_000).for_each(|_| write()));
        }
    });
}

#[test]
fn what_a_writer_wrote_every_later_reader_sees() {
    static PAIR: Mmap<(u64, u64)> = RwSem::new((0, 0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let pair = PAIR.read();
                    assert_eq!(pair.0, pair.1);
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let mut pair = PAIR.write();
                    pair.0 += 1;
                    pair.1 += 1;
                }
            });
        }
    });
    assert_eq!(*PAIR.read(), (10_000, 10_000));
}

#[test]
fn readers_are_inside_together() {
    static SEM: Mmap<()> = RwSem::new(());
    let all_inside = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let _guard = SEM.read();
                all_inside.wait();
            });
        }
    });
}

#[test]
fn readers_that_never_stop_coming_cannot_keep_a_writer_out() {
    static SEM: Mmap<()> = RwSem::new(());
    static WRITTEN: AtomicBool = AtomicBool::new(false);
    let overlap = &Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || {
                overlap.wait();
                while !WRITTEN.load(Ordering::SeqCst) {
                    let _guard = SEM.read();
                    thread::yield_now();
                }
            });
        }
        scope.spawn(|| {
            drop(SEM.write());
            WRITTEN.store(true, Ordering::SeqCst);
        });
    });
}

#[test]
fn a_waiting_writer_goes_before_readers_that_come_later() {
    static SEM: Mmap<()> = RwSem::new(());
    let reader = SEM.read();
    thread::scope(|scope| {
        scope.spawn(|| drop(SEM.write()));
        let refused = || thread::scope(|s| s.spawn(|| SEM.try_read().is_none()).join().unwrap());
        while !refused() {
            thread::yield_now();
        }
        drop(reader);
    });
    assert!(SEM.try_read().is_some());
}

#[test]
fn a_downgraded_writer_shares_with_readers() {
    static SEM: Mmap<u32> = RwSem::new(0);
    let mut writer = SEM.write();
    *writer = 5;
    let reader = writer.downgrade();
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(*SEM.read(), 5));
    });
    assert_eq!(*reader, 5);
    drop(reader);
    assert!(StdHooks::held().is_empty());
    drop(SEM.write());
}

#[test]
fn sleeping_locks_keep_interrupts_on_and_nest_by_rank() {
    let (tree, mmap) = (Tree::new(()), Mmap::new(()));
    let page_table = SpinLock::<(), { rank::PAGE_TABLE }, StdHooks>::new(());
    let outer = tree.lock();
    let middle = mmap.read_under(&outer);
    assert!(StdHooks::irqs_on());
    let inner = page_table.lock_under(&middle);
    let ranks: Vec<u8> = StdHooks::held().iter().map(|lock| lock.rank).collect();
    assert_eq!(ranks, [10, 20, 40]);
    drop((inner, middle, outer));
}

#[test]
fn read_locking_twice_is_caught_before_it_can_deadlock() {
    let sem = Mmap::new(());
    let _guard = sem.read();
    let again = catch_unwind(AssertUnwindSafe(|| drop(sem.read())));
    assert!(again.is_err());
}

#[test]
fn sleeping_for_a_lock_under_a_spin_lock_is_caught_even_when_it_is_free() {
    let outer = SpinLock::<(), { rank::TREE }, StdHooks>::new(());
    let sem = Mmap::new(());
    let _guard = outer.lock();
    let sleep = catch_unwind(AssertUnwindSafe(|| drop(sem.write_under(&_guard))));
    assert!(sleep.is_err());
}

#[test]
fn who_waits_is_told_the_owner_and_counted_once() {
    let mutex = Tree::new(());
    let guard = mutex.lock();
    assert_eq!(mutex.owner(), Some(StdHooks::task_id()));
    let owner = StdHooks::task_id();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            drop(mutex.lock());
            (StdHooks::waited_for(), StdHooks::contended().1)
        });
        while !mutex.has_waiters() {
            thread::yield_now();
        }
        drop(guard);
        assert_eq!(waiter.join().unwrap(), (owner, 1));
    });
    assert_eq!((mutex.owner(), StdHooks::contended().1), (None, 0));
}

#[test]
fn a_writer_is_the_owner_and_readers_are_not() {
    let sem = Mmap::new(());
    let writer = sem.write();
    assert_eq!(sem.owner(), Some(StdHooks::task_id()));
    drop(writer.downgrade());
    let reader = sem.read();
    assert_eq!(sem.owner(), None);
    drop(reader);
}
