//! The rules of VM-4, VM-6, VM-7, VM-8, VM-10 and SG-4, one situation each.

mod common;

use addr::Page;
use common::{Source, TestVma, mapping, pages};
use pte::Prot;
use vma::{Overlap, ProtectError, STACK_GUARD_GAP, VmFlags, VmaSet};

const MAY: VmFlags = VmFlags::MAYREAD
    .union(VmFlags::MAYWRITE)
    .union(VmFlags::MAYEXEC);
const R: VmFlags = VmFlags::READ.union(MAY);
const RW: VmFlags = R.union(VmFlags::WRITE);
const STACK: VmFlags = RW.union(VmFlags::GROWSDOWN);

/// Makes a set of these mappings.
fn set<const N: usize>(mappings: [TestVma; N]) -> VmaSet<Source> {
    let mut set = VmaSet::new();
    for mapping in mappings {
        set.insert(mapping).expect("the mappings do not overlap");
    }
    set
}

/// Makes an anonymous mapping that may be read and written.
fn anon(start: u64, len: u64) -> TestVma {
    mapping(start, len, RW, Source::Anon)
}

/// Returns the first page numbers and lengths of all mappings.
fn shape(set: &VmaSet<Source>) -> Vec<(u64, u64)> {
    set.iter()
        .map(|vma| (vma.range.start.number(), vma.pages()))
        .collect()
}

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

#[test]
fn vm_6_a_mapping_that_fills_a_hole_makes_one_of_three() {
    let set = set([anon(10, 2), anon(14, 2), anon(12, 2)]);
    assert_eq!(shape(&set), [(10, 6)]);
}

#[test]
fn vm_6_mappings_with_different_flags_stay_apart() {
    let set = set([anon(10, 2), mapping(12, 2, R, Source::Anon)]);
    assert_eq!(shape(&set), [(10, 2), (12, 2)]);
}

#[test]
fn vm_6_file_mappings_join_only_where_the_file_goes_on() {
    let file = |start, first| mapping(start, 2, R, Source::File(1, first));
    assert_eq!(shape(&set([file(10, 0), file(12, 2)])), [(10, 4)]);
    assert_eq!(shape(&set([file(12, 2), file(10, 0)])), [(10, 4)]);
    assert_eq!(shape(&set([file(10, 0), file(12, 3)])), [(10, 2), (12, 2)]);
    let other = mapping(12, 2, R, Source::File(2, 2));
    assert_eq!(shape(&set([file(10, 0), other])), [(10, 2), (12, 2)]);
    assert_eq!(shape(&set([file(10, 0), anon(12, 2)])), [(10, 2), (12, 2)]);
}

#[test]
fn an_overlapping_mapping_is_refused_and_changes_nothing() {
    let mut set = set([anon(10, 4)]);
    for (start, len) in [(8, 3), (13, 1), (9, 9), (10, 4), (11, 1)] {
        assert_eq!(set.insert(anon(start, len)), Err(Overlap));
    }
    assert_eq!((shape(&set), set.totals().total), (vec![(10, 4)], 4));
}

#[test]
#[should_panic(expected = "a mapping has at least one page")]
fn an_empty_mapping_is_a_bug_of_the_caller() {
    let _ = set([anon(10, 0)]);
}

#[test]
fn vm_7_a_split_moves_the_upper_half_further_into_the_file() {
    let mut set = set([mapping(10, 10, R, Source::File(1, 100))]);
    let removed = set.unmap(pages(13, 3));
    assert_eq!(removed, [mapping(13, 3, R, Source::File(1, 103))]);
    let left: Vec<_> = set.iter().cloned().collect();
    let expected = [
        mapping(10, 3, R, Source::File(1, 100)),
        mapping(16, 4, R, Source::File(1, 106)),
    ];
    assert_eq!(left, expected);
}

#[test]
fn vm_7_the_number_of_splits_is_known_before() {
    let set = set([anon(10, 10), anon(30, 10)]);
    let splits = |start, len| set.splits_needed(pages(start, len));
    assert_eq!(splits(12, 3), 2);
    assert_eq!(splits(10, 3), 1);
    assert_eq!(splits(17, 3), 1);
    assert_eq!(splits(10, 10), 0);
    assert_eq!(splits(15, 20), 2);
    assert_eq!(splits(20, 10), 0);
    assert_eq!(splits(15, 0), 0);
}

#[test]
fn vm_8_unmapping_takes_parts_wholes_and_holes_alike() {
    let mut set = set([anon(10, 4), mapping(20, 4, R, Source::Anon), anon(30, 4)]);
    let removed = set.unmap(pages(12, 20));
    let taken = [anon(12, 2), mapping(20, 4, R, Source::Anon), anon(30, 2)];
    assert_eq!(removed, taken);
    assert_eq!(
        (shape(&set), set.totals().total),
        (vec![(10, 2), (32, 2)], 4)
    );
}

#[test]
fn vm_8_unmapping_where_nothing_is_mapped_does_nothing() {
    let mut set = set([anon(10, 4)]);
    assert_eq!(set.unmap(pages(14, 100)), []);
    assert_eq!(set.unmap(pages(12, 0)), []);
    assert_eq!(shape(&set), [(10, 4)]);
}

#[test]
fn vm_10_protecting_the_middle_and_back_gives_one_three_one() {
    let mut set = set([anon(10, 9)]);
    let outcome = set.protect(pages(13, 3), Prot::READ);
    assert_eq!(outcome.changed, [(pages(13, 3), RW, R)]);
    assert_eq!(shape(&set), [(10, 3), (13, 3), (16, 3)]);
    let outcome = set.protect(pages(13, 3), Prot::READ | Prot::WRITE);
    assert_eq!(
        (outcome.changed, outcome.result),
        (vec![(pages(13, 3), R, RW)], Ok(()))
    );
    assert_eq!(shape(&set), [(10, 9)]);
}

#[test]
fn vm_10_everything_before_a_hole_stays_changed() {
    let mut set = set([anon(10, 4), anon(20, 4)]);
    let outcome = set.protect(pages(12, 10), Prot::READ);
    assert_eq!(outcome.result, Err(ProtectError::Hole));
    assert_eq!(outcome.changed, [(pages(12, 2), RW, R)]);
    assert_eq!(shape(&set), [(10, 2), (12, 2), (20, 4)]);
}

#[test]
fn vm_10_a_hole_at_the_start_changes_nothing() {
    let mut set = set([anon(10, 4)]);
    let outcome = set.protect(pages(9, 4), Prot::READ);
    assert_eq!(
        (outcome.changed, outcome.result),
        (vec![], Err(ProtectError::Hole))
    );
    assert_eq!(shape(&set), [(10, 4)]);
}

#[test]
fn vm_10_a_right_that_may_never_be_had_stops_the_walk() {
    let read_only_file = R.difference(VmFlags::MAYWRITE).union(VmFlags::SHARED);
    let file = mapping(14, 4, read_only_file, Source::File(1, 0));
    let mut set = set([
        mapping(10, 4, R, Source::Anon),
        file,
        mapping(18, 4, R, Source::Anon),
    ]);
    let outcome = set.protect(pages(10, 12), Prot::READ | Prot::WRITE);
    assert_eq!(outcome.result, Err(ProtectError::Denied));
    assert_eq!(outcome.changed, [(pages(10, 4), R, RW)]);
    assert_eq!(
        set.find(Page::new(14)).map(|vma| vma.flags),
        Some(read_only_file)
    );
    assert_eq!(set.find(Page::new(18)).map(|vma| vma.flags), Some(R));
}

#[test]
fn vm_10_pages_that_have_the_rights_already_are_not_reported() {
    let mut set = set([anon(10, 4), mapping(14, 4, R, Source::Anon), anon(18, 4)]);
    let outcome = set.protect(pages(10, 12), Prot::READ | Prot::WRITE);
    assert_eq!(
        (outcome.changed, outcome.result),
        (vec![(pages(14, 4), R, RW)], Ok(()))
    );
    assert_eq!(shape(&set), [(10, 12)]);
}

#[test]
fn vm_10_an_empty_range_succeeds_anywhere() {
    let mut set = set([anon(10, 4)]);
    assert_eq!(set.protect(pages(5, 0), Prot::empty()).result, Ok(()));
    assert_eq!(set.protect(pages(12, 0), Prot::empty()).result, Ok(()));
    assert_eq!(shape(&set), [(10, 4)]);
}

#[test]
fn a_mapping_without_rights_still_counts_and_is_found() {
    let mut set = set([anon(10, 4)]);
    assert_eq!(set.protect(pages(10, 4), Prot::empty()).result, Ok(()));
    let hidden = set.find(Page::new(12)).expect("the mapping is still there");
    assert!(!hidden.flags.is_accessible());
    assert_eq!(set.totals().total, 4);
}

#[test]
fn pf_8_the_first_mapping_that_ends_above_a_page_is_found() {
    let set = set([
        anon(10, 2),
        mapping(12, 2, STACK, Source::Anon),
        anon(20, 2),
    ]);
    let from = |page| {
        set.find_from(Page::new(page))
            .map(|vma| vma.range.start.number())
    };
    assert_eq!(
        [9, 10, 11, 12, 13].map(from),
        [10, 10, 10, 12, 12].map(Some)
    );
    assert_eq!(
        [14, 19, 21, 22].map(from),
        [Some(20), Some(20), Some(20), None]
    );
}

#[test]
fn sg_6_a_grown_stack_is_one_mapping() {
    let mut set = set([mapping(1000, 10, STACK, Source::Anon)]);
    set.grow_down(Page::new(1000), Page::new(700));
    assert_eq!((shape(&set), set.totals().total), (vec![(700, 310)], 310));
}

#[test]
#[should_panic(expected = "a stack grows only into free pages")]
fn a_stack_does_not_grow_over_a_mapping() {
    let mut set = set([mapping(1000, 10, STACK, Source::Anon), anon(900, 10)]);
    set.grow_down(Page::new(1000), Page::new(905));
}

#[test]
fn vm_9_the_heap_grows_shrinks_and_vanishes_at_its_end() {
    let heap = mapping(10, 2, RW.union(VmFlags::HEAP), Source::Anon);
    let mut set = set([anon(8, 2), heap]);
    set.resize_end(Page::new(10), Page::new(15));
    assert_eq!(
        (shape(&set), set.totals().total),
        (vec![(8, 2), (10, 5)], 7)
    );
    set.resize_end(Page::new(10), Page::new(11));
    assert_eq!(
        (shape(&set), set.totals().total),
        (vec![(8, 2), (10, 1)], 3)
    );
    set.resize_end(Page::new(10), Page::new(10));
    assert_eq!((shape(&set), set.totals().total), (vec![(8, 2)], 2));
}

#[test]
#[should_panic(expected = "a mapping is only resized into free pages")]
fn the_heap_does_not_grow_over_a_mapping() {
    let mut set = set([anon(10, 2), anon(14, 2)]);
    set.resize_end(Page::new(10), Page::new(15));
}

#[test]
fn clearing_returns_every_mapping_and_leaves_none() {
    let mut set = set([anon(10, 2), anon(20, 3)]);
    assert_eq!(set.clear(), [anon(10, 2), anon(20, 3)]);
    assert_eq!((set.iter().count(), set.totals().total), (0, 0));
}

#[test]
fn rights_and_protections_are_the_same_bits() {
    for bits in 0..8 {
        let prot = Prot::from_bits_truncate(bits);
        assert_eq!(STACK.with_prot(prot).prot(), prot);
        let rest = STACK.with_prot(prot).difference(VmFlags::RIGHTS);
        assert_eq!(rest, STACK.difference(VmFlags::RIGHTS));
        assert!(MAY.may(prot));
        assert_eq!(VmFlags::RIGHTS.may(prot), prot.is_empty());
        assert_eq!(VmFlags::MAYWRITE.may(prot), Prot::WRITE.contains(prot));
    }
}

#[test]
fn vm_12_a_guard_page_leaves_the_mapping_in_one_piece() {
    let mut set = set([anon(10, 9)]);
    let guarded = RW.union(VmFlags::GUARDED);
    assert_eq!(set.change_flags(pages(13, 3), |_| guarded), 3);
    assert_eq!(shape(&set), [(10, 9)]);
    assert_eq!(set.find(Page::new(10)).map(|vma| vma.flags), Some(guarded));
}

#[test]
fn vm_12_advice_passes_over_holes_and_counts_what_it_covered() {
    let mut set = set([anon(10, 4), anon(20, 4)]);
    let locked = |vma: &TestVma| vma.flags | VmFlags::LOCKED;
    assert_eq!(set.change_flags(pages(12, 10), locked), 4);
    assert_eq!(shape(&set), [(10, 2), (12, 2), (20, 2), (22, 2)]);
    assert_eq!(set.totals().locked, 4);
}

#[test]
fn vm_10_the_question_what_protecting_does_changes_nothing() {
    let set = set([anon(10, 4)]);
    let answer = set.protection_at(Page::new(11), Page::new(20), Prot::READ);
    assert_eq!(answer, Ok((pages(11, 3), RW, R)));
    assert_eq!(shape(&set), [(10, 4)]);
}

#[test]
fn fk_1_a_child_has_no_mapping_that_is_not_for_it() {
    let hidden = mapping(12, 2, RW.union(VmFlags::DONTFORK), Source::Anon);
    let locked = mapping(14, 2, RW.union(VmFlags::LOCKED), Source::Anon);
    let parent = set([anon(10, 2), hidden, locked, anon(16, 2)]);
    let child = parent.copy_with(|vma| {
        (!vma.flags.contains(VmFlags::DONTFORK)).then(|| vma.flags - VmFlags::LOCKED)
    });
    assert_eq!(shape(&child), [(10, 2), (14, 4)]);
    assert_eq!((child.totals().total, child.totals().locked), (6, 0));
    assert_eq!(shape(&parent), [(10, 2), (12, 2), (14, 2), (16, 2)]);
}

#[test]
#[should_panic(expected = "a piece lies in one mapping")]
fn flags_are_set_in_one_mapping_at_a_time() {
    set([anon(10, 2), anon(14, 2)]).set_flags(pages(10, 6), R);
}
