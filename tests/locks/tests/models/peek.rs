//! Peeks into a reader-writer semaphore.

use std::sync::Arc;

use locks::base::{Defect, introduce};
use locks::rank::MMAP;
use locks::rwsem::RwSem;
use locks::world::{World, explore};
use loom::thread;

type Sem = RwSem<(u32, u32), MMAP, World>;

/// Changes both, and between two changes lets others peek.
fn write(sem: &Sem) {
    let mut pair = sem.write();
    pair.0 += 1;
    pair.1 += 1;
    pair.opened(|pair| assert_eq!(pair.0, pair.1));
    pair.0 += 1;
    pair.1 += 1;
}

fn peek(sem: &Sem) {
    if let Some(pair) = sem.peek() {
        assert_eq!(pair.0, pair.1);
    }
}

fn peek_and_writer(preemptions: usize) {
    explore(preemptions, || {
        let sem = Arc::new(Sem::new((0, 0)));
        let writer = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || write(&sem))
        };
        peek(&sem);
        writer.join().unwrap();
        assert!(sem.is_idle());
    });
}

/// Found wrong when the peek looks at the gate before it counts itself in, when the writer looks into the
/// first slot only, and when it does not shut the gate again after it has opened it.
#[test]
fn a_peek_never_sees_a_change_that_is_half_done() {
    peek_and_writer(4);
}

#[test]
fn two_peeks_and_a_writer_never_meet() {
    explore(2, || {
        let sem = Arc::new(Sem::new((0, 0)));
        let writer = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || {
                let mut pair = sem.write();
                pair.0 += 1;
                pair.1 += 1;
            })
        };
        let other = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || peek(&sem))
        };
        peek(&sem);
        other.join().unwrap();
        writer.join().unwrap();
    });
}

/// What the gate is for.
#[test]
fn who_peeks_while_the_writer_has_opened_the_gate_gets_in() {
    explore(2, || {
        let sem = Arc::new(Sem::new((0, 0)));
        let mut pair = sem.write();
        pair.opened(|_| {
            let sem = Arc::clone(&sem);
            let peek = thread::spawn(move || sem.peek().is_some());
            assert!(peek.join().unwrap());
        });
        let late = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || sem.peek().is_some())
        };
        assert!(!late.join().unwrap());
    });
}

#[test]
fn a_writer_that_becomes_a_reader_lets_others_peek() {
    explore(2, || {
        let sem = Arc::new(Sem::new((0, 0)));
        let pair = sem.write().downgrade();
        assert_eq!(*pair, (0, 0));
        assert!(sem.peek().is_some());
    });
}

#[test]
#[should_panic]
fn relaxed_orderings_are_found_wrong() {
    introduce(Defect::Relaxed);
    peek_and_writer(3);
}

#[test]
#[should_panic]
fn a_peek_and_a_writer_meet_without_fences() {
    introduce(Defect::NoFences);
    peek_and_writer(3);
}
