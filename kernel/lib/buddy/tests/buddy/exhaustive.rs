//! Everything that can happen to small memories, and what must panic.

use std::collections::HashSet;

use crate::checked::{Checked, Table};
use buddy::{Buddy, MAX_ORDER, Nodes};

/// Visits every state that allocating and freeing can reach; `Checked` checks each.
fn visit_all(fresh: Checked) -> usize {
    let mut seen = HashSet::new();
    let mut open = vec![fresh];
    while let Some(mut state) = open.pop() {
        state.blocks.sort();
        if !seen.insert(state.clone()) {
            continue;
        }
        for order in 0..4 {
            let mut next = state.clone();
            if next.alloc(order).is_some() {
                open.push(next);
            }
        }
        for at in 0..state.blocks.len() {
            let mut next = state.clone();
            next.free(at);
            open.push(next);
            let mut next = state.clone();
            next.shatter(at);
            open.push(next);
        }
    }
    seen.len()
}

#[test]
fn every_use_of_eight_frames_agrees_with_a_bitmap() {
    assert!(visit_all(Checked::whole(8)) > 1_000);
}

#[test]
fn every_use_of_frames_with_a_hole_agrees_with_a_bitmap() {
    assert!(visit_all(Checked::new(9, &[1..4, 5..9])) > 100);
}

#[test]
fn every_range_is_cut_into_the_largest_aligned_blocks() {
    for start in 0..40 {
        for end in start..40 {
            let mut checked = Checked::new(40, std::slice::from_ref(&(start..end)));
            (start..end).for_each(|_| assert!(checked.alloc(0).is_some()));
            assert_eq!(checked.alloc(0), None);
        }
    }
}

#[test]
fn neighbouring_ranges_merge() {
    let checked = Checked::new(8, &[0..3, 3..8]);
    assert_eq!(checked.buddy.free_blocks(3), 1);
}

#[test]
fn a_single_frame_comes_from_the_smallest_block_that_has_one() {
    let mut checked = Checked::new(64, &[0..32, 33..34]);
    assert_eq!(checked.alloc(0), Some(33));
    assert_eq!(checked.buddy.free_blocks(5), 1);
}

#[test]
fn blocks_larger_than_the_largest_order_do_not_exist() {
    let mut checked = Checked::whole(4096);
    assert_eq!(checked.buddy.free_blocks(MAX_ORDER), 4);
    assert_eq!(checked.buddy.alloc(&mut checked.table, MAX_ORDER + 1), None);
    assert_eq!(checked.buddy.alloc(&mut checked.table, usize::MAX), None);
}

#[test]
fn an_empty_allocator_has_nothing() {
    let mut table = Table::new(4);
    let mut buddy = Buddy::new();
    buddy.add_range(&mut table, 2..2);
    assert_eq!(buddy.alloc(&mut table, 0), None);
    assert_eq!(buddy.check(&table), Ok(()));
}

/// One block of each kind: returns an allocator with eight frames and block 0..2 allocated.
fn with_a_pair() -> Checked {
    let mut checked = Checked::whole(8);
    assert_eq!(checked.alloc(1), Some(0));
    checked
}

#[test]
#[should_panic(expected = "only an allocated block is freed")]
fn a_double_free_panics() {
    let mut checked = with_a_pair();
    checked.buddy.free(&mut checked.table, 0, 1);
    checked.buddy.free(&mut checked.table, 0, 1);
}

#[test]
#[should_panic(expected = "only an allocated block is freed")]
fn a_double_free_panics_even_after_the_block_was_merged_into_a_larger_one() {
    let mut checked = Checked::whole(8);
    let blocks = [0; 4].map(|_| checked.alloc(1).unwrap());
    for block in blocks {
        checked.buddy.free(&mut checked.table, block, 1);
    }
    checked.buddy.free(&mut checked.table, 2, 1);
}

#[test]
#[should_panic(expected = "only an allocated block is freed")]
fn freeing_half_a_block_panics() {
    let mut checked = with_a_pair();
    checked.buddy.free(&mut checked.table, 0, 0);
}

#[test]
#[should_panic(expected = "only an allocated block is freed")]
fn freeing_the_second_half_of_a_block_panics() {
    let mut checked = with_a_pair();
    checked.buddy.free(&mut checked.table, 1, 0);
}

#[test]
#[should_panic(expected = "only an allocated block is freed")]
fn freeing_what_was_never_given_panics() {
    let mut checked = Checked::new(8, &[0..4, 5..6]);
    checked.buddy.free(&mut checked.table, 6, 0);
}

#[test]
#[should_panic(expected = "only an allocated block is freed")]
fn freeing_beyond_the_table_panics() {
    let mut checked = with_a_pair();
    checked.buddy.free(&mut checked.table, 1 << 20, 0);
}

#[test]
#[should_panic(expected = "memory is added that has no node")]
fn adding_memory_beyond_the_table_panics() {
    Buddy::new().add_range(&mut Table::new(4), 2..5);
}

#[test]
fn the_check_sees_a_block_inside_a_free_block() {
    let mut checked = with_a_pair();
    let head = checked.table.node(0);
    checked.table.set_node(5, head);
    let found = checked.buddy.check(&checked.table);
    assert_eq!(found, Err("a free block has another block inside"));
}

#[test]
fn the_check_sees_broken_links() {
    let mut checked = with_a_pair();
    let mut node = checked.table.node(2);
    node.prev = 4;
    checked.table.set_node(2, node);
    let found = checked.buddy.check(&checked.table);
    assert_eq!(found, Err("a free list's links do not match"));
}
