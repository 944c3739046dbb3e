//! The rules, one situation each.

#[path = "../common/mod.rs"]
mod common;
mod flags;
mod placement;

use addr::Page;
use common::{Source, TestVma, mapping, pages};
use vma::{Overlap, VmFlags, VmaSet};

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
fn sg_6_the_pages_of_a_grown_stack_keep_their_place_in_the_source() {
    let mut set = set([mapping(1000, 10, STACK, Source::File(1, 400))]);
    set.grow_down(Page::new(1000), Page::new(700));
    assert_eq!(set.iter().next().unwrap().backing, Source::File(1, 100));
    set.insert(mapping(1010, 5, STACK, Source::File(1, 410)))
        .unwrap();
    assert_eq!(shape(&set), vec![(700, 315)], "what continues it joins it");
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
fn unmapping_all_returns_every_mapping_and_leaves_none() {
    let mut set = set([anon(10, 2), anon(20, 3)]);
    assert_eq!(set.unmap(pages(0, 100)), [anon(10, 2), anon(20, 3)]);
    assert_eq!((set.iter().count(), set.totals().total), (0, 0));
}
