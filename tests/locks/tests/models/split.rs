//! The lock of a whole and its parts.

use std::sync::Arc;

use locks::base::{Defect, introduce};
use locks::rank::{FRAME, PAGE_TABLE};
use locks::split::SplitLock;
use locks::world::{World, explore};
use loom::cell::UnsafeCell;
use loom::thread;

/// A whole, and what its two parts guard.
struct Tables {
    lock: SplitLock<u32, (), PAGE_TABLE, FRAME, World>,
    parts: [UnsafeCell<u32>; 2],
}

impl Tables {
    #[expect(
        clippy::arc_with_non_send_sync,
        reason = "loom's threads take turns, and loom checks what they share"
    )]
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lock: SplitLock::new(0),
            parts: [UnsafeCell::new(0), UnsafeCell::new(0)],
        })
    }

    /// Tells loom of a write: it compares that with all others.
    fn write(&self, part: usize) {
        self.parts[part].with_mut(|_| ());
    }

    /// Writes to one part, under its lock or the whole one.
    fn fault(&self, part: usize) {
        match self.lock.part(part) {
            Some(_held) => self.write(part),
            None => {
                let _held = self.lock.lock();
                self.write(part);
            }
        }
    }

    /// Writes to everything.
    fn unmap(&self) {
        let mut whole = self.lock.lock();
        *whole += 1;
        self.write(0);
        self.write(1);
    }
}

fn fault_and_unmap(preemptions: usize) {
    explore(preemptions, || {
        let tables = Tables::new();
        let other = {
            let tables = Arc::clone(&tables);
            thread::spawn(move || tables.unmap())
        };
        tables.fault(0);
        other.join().unwrap();
        assert_eq!(*tables.lock.lock(), 1);
    });
}

/// Found wrong when a part is used without a look at the flag, when the flag is set after the parts were looked
/// at, and when it falls before the whole has done its work.
#[test]
fn a_part_and_the_whole_exclude_each_other() {
    fault_and_unmap(5);
}

#[test]
fn wholes_exclude_each_other() {
    explore(3, || {
        let tables = Tables::new();
        let other = {
            let tables = Arc::clone(&tables);
            thread::spawn(move || tables.unmap())
        };
        tables.unmap();
        other.join().unwrap();
        assert_eq!(*tables.lock.lock(), 2);
    });
}

#[test]
fn the_same_part_is_taken_by_one_at_a_time() {
    explore(4, || {
        let tables = Tables::new();
        let other = {
            let tables = Arc::clone(&tables);
            thread::spawn(move || tables.fault(1))
        };
        tables.fault(1);
        other.join().unwrap();
    });
}

#[test]
fn two_parts_are_held_together() {
    explore(3, || {
        let tables = Tables::new();
        let one = tables.lock.part(0);
        let other = {
            let tables = Arc::clone(&tables);
            thread::spawn(move || assert!(tables.lock.part(1).is_some()))
        };
        // Who waited for the part that is held here would wait for ever.
        other.join().unwrap();
        assert!(one.is_some());
        assert!(tables.lock.try_lock().is_none());
    });
}

#[test]
#[should_panic]
fn a_part_and_the_whole_meet_without_fences() {
    introduce(Defect::NoFences);
    fault_and_unmap(4);
}

#[test]
#[should_panic]
fn relaxed_orderings_are_found_wrong() {
    introduce(Defect::Relaxed);
    fault_and_unmap(4);
}
