//! The cell that is written once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use locks::base::{Defect, introduce};
use locks::once::Once;
use locks::world::explore;
use loom::thread;

fn both_ask(preemptions: usize) {
    explore(preemptions, || {
        // Not loom's: it only observes.
        let made = Arc::new(AtomicU32::new(0));
        let cell = Arc::new(Once::new());
        let ask = |cell: &Once<u32>, made: &AtomicU32| {
            let value = cell.call_once(|| made.fetch_add(1, Ordering::Relaxed) + 7);
            assert_eq!(*value, 7);
        };
        let other = {
            let (cell, made) = (Arc::clone(&cell), Arc::clone(&made));
            thread::spawn(move || ask(&cell, &made))
        };
        ask(&cell, &made);
        assert_eq!(cell.get(), Some(&7));
        other.join().unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 1);
    });
}

/// With `store` in place of the exchange that makes the cell busy, the value is made twice.
#[test]
fn the_value_is_made_once_and_everybody_sees_it() {
    both_ask(4);
}

#[test]
fn who_looks_sees_the_whole_value_or_none() {
    explore(4, || {
        let cell = Arc::new(Once::new());
        let maker = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || assert_eq!(*cell.call_once(|| [1, 2]), [1, 2]))
        };
        if let Some(value) = cell.get() {
            assert_eq!(*value, [1, 2]);
        }
        maker.join().unwrap();
    });
}

#[test]
#[should_panic]
fn relaxed_orderings_are_found_wrong() {
    introduce(Defect::Relaxed);
    both_ask(3);
}
