//! Where new mappings may go (VM-4, SG-4).

use addr::Page;
use vma::STACK_GUARD_GAP;

use crate::common::{Source, mapping, pages};
use crate::{RW, STACK, anon, set, shape};

#[test]
fn vm_4_a_new_mapping_ends_where_the_previous_one_begins() {
    let mut set = set([]);
    let (floor, ceiling) = (Page::new(16), Page::new(1000));
    for expected in [999, 998, 997] {
        let start = set.find_gap(1, floor, ceiling).expect("nearly all is free");
        assert_eq!(start, Page::new(expected));
        set.insert(mapping(expected, 1, RW, Source::File(1, 7)))
            .expect("the gap is free");
    }
}

#[test]
fn vm_4_the_highest_gap_that_is_wide_enough_is_taken() {
    let set = set([anon(990, 10), anon(986, 2), anon(970, 10)]);
    let gap = |len| {
        set.find_gap(len, Page::new(900), Page::new(1000))
            .map(Page::number)
    };
    assert_eq!(gap(2), Some(988));
    assert_eq!(gap(3), Some(983));
    assert_eq!(gap(6), Some(980));
    assert_eq!(gap(7), Some(963));
    assert_eq!(gap(70), Some(900));
    assert_eq!(gap(71), None);
}

#[test]
fn vm_4_floor_and_ceiling_inside_mappings_are_respected() {
    let set = set([anon(10, 10), anon(30, 10)]);
    let gap = |len| {
        set.find_gap(len, Page::new(15), Page::new(35))
            .map(Page::number)
    };
    assert_eq!(gap(10), Some(20));
    assert_eq!(gap(11), None);
}

#[test]
fn vm_4_an_absurd_length_finds_no_gap() {
    let set = set([anon(10, 10)]);
    assert_eq!(
        set.find_gap(u64::MAX, Page::new(0), Page::new(1 << 35)),
        None
    );
    assert_eq!(set.find_gap(1, Page::new(20), Page::new(20)), None);
    assert_eq!(set.find_gap(1, Page::new(30), Page::new(20)), None);
}

#[test]
fn sg_4_placement_keeps_the_guard_gap_below_a_stack() {
    let set = set([mapping(1000, 10, STACK, Source::Anon)]);
    let start = set.find_gap(4, Page::new(16), Page::new(1000));
    assert_eq!(start, Page::new(1000 - STACK_GUARD_GAP).checked_sub(4));
    let below_lower_ceiling = set.find_gap(4, Page::new(16), Page::new(900));
    assert_eq!(below_lower_ceiling, start);
}

/// The walk once gave up at the gap of the stack, although it reached below the floor only
/// because of a mapping that lies in the gap itself.
#[test]
fn sg_4_a_place_below_a_mapping_inside_the_guard_gap_is_found() {
    let set = set([mapping(75, 1, STACK, Source::Anon), anon(54, 1)]);
    let start = set.find_gap(7, Page::new(0), Page::new(55));
    assert_eq!(start, Some(Page::new(47)));
}

#[test]
fn sg_4_a_hint_inside_the_guard_gap_is_not_taken() {
    let set = set([mapping(1000, 10, STACK, Source::Anon)]);
    assert!(set.hint_ok(pages(1000 - STACK_GUARD_GAP - 4, 4)));
    assert!(!set.hint_ok(pages(1000 - STACK_GUARD_GAP - 3, 4)));
    assert!(set.hint_ok(pages(1010, 4)));
    assert!(!set.hint_ok(pages(1009, 4)));
}

#[test]
fn sg_4_a_fixed_mapping_may_lie_inside_the_guard_gap() {
    let mut set = set([mapping(1000, 10, STACK, Source::Anon)]);
    assert_eq!(set.insert(anon(999, 1)), Ok(()));
    assert_eq!(shape(&set), [(999, 1), (1000, 10)]);
}
