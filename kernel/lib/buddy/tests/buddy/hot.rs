//! The stack of single frames in front of the lists, against a set of what is out.

use std::collections::HashSet;

use crate::checked::Table;
use buddy::{Buddy, Hot, MAX_ORDER, hot::CAPACITY};
use proptest::prelude::*;
use proptest::sample::Index;

/// Takes a frame as the kernel does.
fn take(hot: &mut Hot, buddy: &mut Buddy, table: &mut Table) -> Option<u32> {
    if hot.is_empty() {
        hot.refill(buddy, table);
    }
    hot.pop()
}

/// Gives one back as the kernel does.
fn give(hot: &mut Hot, buddy: &mut Buddy, table: &mut Table, frame: u32) {
    if hot.is_full() {
        hot.spill(buddy, table, 20);
    }
    hot.push(table, frame);
}

/// A stack, its lists, and what has been taken.
struct Front {
    buddy: Buddy,
    hot: Hot,
    table: Table,
    out: Vec<u32>,
    size: u32,
}

impl Front {
    fn new(size: u32) -> Self {
        let (mut buddy, mut table) = (Buddy::new(), Table::new(size));
        buddy.add_range(&mut table, 0..size);
        Self {
            buddy,
            hot: Hot::new(),
            table,
            out: Vec::new(),
            size,
        }
    }

    fn take(&mut self) -> bool {
        let frame = take(&mut self.hot, &mut self.buddy, &mut self.table);
        self.out.extend(frame);
        frame.is_some()
    }

    fn give(&mut self, at: usize) {
        let frame = self.out.swap_remove(at);
        give(&mut self.hot, &mut self.buddy, &mut self.table, frame);
    }

    /// Every frame is out, in the stack, or in the lists, once.
    fn check(&self) {
        self.buddy.check(&self.table).unwrap();
        let held = self.hot.held().iter().chain(&self.out);
        let different: HashSet<u32> = held.copied().collect();
        assert_eq!(different.len(), self.hot.len() + self.out.len());
        let all = different.len() as u64 + self.buddy.free_frames();
        assert_eq!(all, u64::from(self.size));
    }
}

#[test]
fn every_frame_can_be_taken_once_and_all_merge_again() {
    for size in [1, 7, 32, 33, 1024, 3000] {
        let mut front = Front::new(size);
        let fresh = front.buddy.clone();
        let all = (0..size).all(|_| front.take());
        assert!(all && !front.take(), "{size} frames, and no more");
        front.check();
        while !front.out.is_empty() {
            front.give(0);
        }
        front.check();
        front.hot.drain(&mut front.buddy, &mut front.table);
        assert!(front.hot.is_empty());
        for order in 0..=MAX_ORDER {
            assert_eq!(front.buddy.free_blocks(order), fresh.free_blocks(order));
        }
    }
}

#[test]
fn what_was_given_last_is_taken_first() {
    let mut front = Front::new(64);
    (0..3).for_each(|_| assert!(front.take()));
    let last = front.out[1];
    front.give(1);
    assert!(front.take());
    assert_eq!(front.out.last(), Some(&last));
}

#[test]
fn it_takes_the_smallest_block_there_is() {
    let (mut buddy, mut table, mut hot) = (Buddy::new(), Table::new(64), Hot::new());
    buddy.add_range(&mut table, 0..32);
    buddy.add_range(&mut table, 33..34);
    assert_eq!(take(&mut hot, &mut buddy, &mut table), Some(33));
    assert_eq!((buddy.free_blocks(5), hot.len()), (1, 0));
}

#[test]
fn it_never_holds_more_than_it_has_room_for() {
    let mut front = Front::new(4096);
    (0..4096).for_each(|_| assert!(front.take()));
    while !front.out.is_empty() {
        front.give(0);
        assert!(front.hot.len() <= CAPACITY);
    }
    front.check();
}

#[test]
fn it_never_holds_more_than_it_was_told_to() {
    for (told, room) in [
        (0, 32),
        (40, 40),
        (CAPACITY, CAPACITY),
        (usize::MAX, CAPACITY),
    ] {
        let mut front = Front::new(2048);
        front.hot.set_room(told);
        (0..2048).for_each(|_| assert!(front.take()));
        while !front.out.is_empty() {
            front.give(0);
            assert!(front.hot.len() <= room);
        }
        front.check();
    }
}

#[test]
#[should_panic(expected = "only an allocated block is freed")]
fn giving_a_frame_of_a_larger_block_panics() {
    let mut front = Front::new(8);
    let block = front.buddy.alloc(&mut front.table, 1).unwrap();
    front.hot.push(&front.table, block);
}

#[test]
#[should_panic(expected = "only an allocated block is freed")]
fn giving_what_the_lists_have_panics() {
    let mut front = Front::new(8);
    front.hot.push(&front.table, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_use_loses_nothing(
        size in 1_u32..3_000,
        ops in prop::collection::vec((any::<bool>(), 1_usize..400, any::<Index>()), 1..40),
    ) {
        let mut front = Front::new(size);
        for (takes, count, at) in ops {
            for _ in 0..count {
                if takes {
                    let had = front.out.len();
                    prop_assert_eq!(front.take(), had < size as usize);
                } else if !front.out.is_empty() {
                    front.give(at.index(front.out.len()));
                }
            }
            front.check();
        }
    }
}
