//! The reader-writer semaphore.

use std::sync::Arc;

use locks::base::{Defect, introduce};
use locks::rank::MMAP;
use locks::rwsem::RwSem;
use locks::world::{World, count_writer, explore, writers_since_wait};
use loom::thread::{self, JoinHandle};

type Sem = RwSem<(u32, u32), MMAP, World>;

fn spawn_writer(sem: &Arc<Sem>) -> JoinHandle<()> {
    let sem = Arc::clone(sem);
    thread::spawn(move || write(&sem))
}

fn write(sem: &Sem) {
    let mut pair = sem.write();
    count_writer();
    pair.0 += 1;
    pair.1 += 1;
}

fn read(sem: &Sem) {
    let pair = sem.read();
    assert_eq!(pair.0, pair.1);
}

/// A reader, which counts itself in a slot or among the turns, and a writer.
fn reader_and_writer(preemptions: usize) {
    explore(preemptions, || {
        let sem = Arc::new(Sem::new((0, 0)));
        let writer = spawn_writer(&sem);
        read(&sem);
        writer.join().unwrap();
        assert_eq!(*sem.read(), (1, 1));
        assert!(sem.owner().is_none());
    });
}

/// Found wrong when the reader looks for a writer before it counts itself in, when a reader that gives way
/// wakes nobody, and when the writer looks into the first slot only.
#[test]
fn a_reader_and_a_writer_never_meet_and_both_come_in() {
    reader_and_writer(4);
}

#[test]
fn two_readers_and_a_writer_never_meet() {
    explore(1, || {
        let sem = Arc::new(Sem::new((0, 0)));
        let writer = spawn_writer(&sem);
        let reader = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || read(&sem))
        };
        read(&sem);
        reader.join().unwrap();
        writer.join().unwrap();
    });
}

/// The hand-over from writer to writer: no update is lost and none sleeps on.
///
/// Found wrong when a leaving writer wakes readers only.
#[test]
fn writers_go_in_one_after_the_other() {
    explore(3, || {
        let sem = Arc::new(Sem::new((0, 0)));
        let writer = spawn_writer(&sem);
        write(&sem);
        writer.join().unwrap();
        assert_eq!(*sem.read(), (2, 2));
    });
}

/// A reader that found a writer goes in when that one has left, though another is waiting.
///
/// Found wrong (a deadlock) when `may_read` asks for no writer at all, and not for another one.
#[test]
fn a_reader_that_waits_is_passed_by_one_writer_at_most() {
    explore(1, || {
        let sem = Arc::new(Sem::new((0, 0)));
        let writers = [(); 2].map(|()| spawn_writer(&sem));
        let pair = sem.read();
        assert!(writers_since_wait().is_none_or(|writers| writers <= 1));
        drop(pair);
        writers.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// Found wrong when the turn is given on before the writer counts as a reader.
#[test]
fn no_writer_comes_between_a_downgrade_and_the_reader_it_makes() {
    explore(3, || {
        let sem = Arc::new(Sem::new((0, 0)));
        let writer = spawn_writer(&sem);
        let mut pair = sem.write();
        pair.0 += 10;
        pair.1 += 10;
        let was = *pair;
        let pair = pair.downgrade();
        assert_eq!(*pair, was);
        drop(pair);
        writer.join().unwrap();
        assert_eq!(*sem.read(), (11, 11));
    });
}

#[test]
fn a_try_gets_in_or_leaves_no_trace() {
    explore(3, || {
        let sem = Arc::new(Sem::new((0, 0)));
        let writer = spawn_writer(&sem);
        if let Some(pair) = sem.try_read() {
            assert_eq!(pair.0, pair.1);
        }
        writer.join().unwrap();
        assert!(sem.is_idle());
    });
}

#[test]
#[should_panic]
fn relaxed_orderings_are_found_wrong() {
    introduce(Defect::Relaxed);
    reader_and_writer(3);
}

#[test]
#[should_panic]
fn a_reader_and_a_writer_meet_without_fences() {
    introduce(Defect::NoFences);
    reader_and_writer(3);
}
