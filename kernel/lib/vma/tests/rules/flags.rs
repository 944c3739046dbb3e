//! Other rights and other flags (VM-10, VM-12), and what a child gets (FK-1).

use addr::Page;
use pte::Prot;
use vma::{ProtectError, VmFlags};

use crate::common::{Source, TestVma, mapping, pages};
use crate::{MAY, R, RW, STACK, anon, set, shape};

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
