//! Addresses, pages and ranges against plain wide arithmetic, at the edges and at random.

use addr::{
    Frame, FrameRange, MMAP_MIN_ADDR, PAGE_SIZE, Page, PageRange, PhysAddr, USER_END, VirtAddr,
    user_range,
};
use proptest::prelude::*;

/// Values at which some rule of this crate changes its answer, and their neighbours.
fn edges() -> Vec<u64> {
    let corners = [
        0,
        PAGE_SIZE,
        MMAP_MIN_ADDR,
        1 << 21,
        USER_END,
        1 << 47,
        1 << 48,
        1 << 52,
        1 << 63,
        0xffff_8000_0000_0000,
        0xffff_ffff_8000_0000,
        0_u64.wrapping_sub(PAGE_SIZE),
    ];
    let near = |corner: u64| [-1_i64, 0, 1].map(|step| corner.wrapping_add_signed(step));
    corners.into_iter().flat_map(near).collect()
}

/// Any address, with the edges far more often than chance would have it.
fn any_address() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), prop::sample::select(edges())]
}

/// Ranges short enough to overlap often.
fn small_range() -> impl Strategy<Value = PageRange> {
    (0_u64..40, 0_u64..12)
        .prop_map(|(start, len)| PageRange::from_len(Page::new(start), len).expect("it is small"))
}

#[test]
fn canonical_means_that_the_sixteen_highest_bits_repeat_bit_47() {
    for value in edges() {
        let top = value >> 47;
        let expected = top == 0 || top == 0x1_ffff;
        assert_eq!(VirtAddr::new(value).is_canonical(), expected, "{value:#x}");
    }
}

#[test]
fn the_last_canonical_page_of_the_lower_half_is_not_user_space() {
    assert!(VirtAddr::new(USER_END - 1).is_user());
    assert!(!VirtAddr::new(USER_END).is_user());
    assert_eq!(USER_END, (1 << 47) - PAGE_SIZE);
}

#[test]
fn a_user_range_may_end_exactly_where_user_space_ends() {
    assert_eq!(user_range(USER_END - 8, 8), Some(USER_END - 8..USER_END));
    assert_eq!(user_range(USER_END - 8, 9), None);
    assert_eq!(user_range(USER_END, 0), Some(USER_END..USER_END));
    assert_eq!(user_range(USER_END + 1, 0), None);
    assert_eq!(user_range(8, u64::MAX), None);
    assert_eq!(user_range(0xffff_8000_0000_0000, 1), None);
}

#[test]
fn the_kernel_image_base_uses_the_last_pml4_slot() {
    let base = VirtAddr::new(0xffff_ffff_8000_0000);
    assert_eq!(base.pml4_index(), 511);
    assert_eq!(base.pdpt_index(), 510);
    assert_eq!((base.pd_index(), base.pt_index()), (0, 0));
    assert!(base.is_kernel_half());
}

#[test]
fn numbers_stop_at_the_end_of_the_address_space() {
    let last = VirtAddr::new(u64::MAX).page();
    assert_eq!(last.next(), Page::END);
    assert_eq!(last.checked_add(1), Some(Page::END));
    assert_eq!(last.checked_add(2), None);
    assert_eq!(last.checked_add(u64::MAX), None);
    assert_eq!(Page::END.start(), VirtAddr::new(0));
    assert_eq!(Page::new(0).checked_sub(1), None);
    assert_eq!(Frame::END.checked_add(1), None);
    assert_eq!(PageRange::from_len(last, 2), None);
}

#[test]
fn debug_output_shows_addresses_in_hexadecimal() {
    let range = PageRange::new(Page::new(1), Page::END);
    assert_eq!(
        format!("{range:?}"),
        "Page(0x1000)..Page(0x10000000000000000)"
    );
    assert_eq!(format!("{:?}", VirtAddr::new(0xabc)), "VirtAddr(0xabc)");
    assert_eq!(format!("{:#x}", PhysAddr::new(0xabc)), "0xabc");
    assert_eq!(format!("{:?}", Frame::new(2)), "Frame(0x2000)");
}

#[test]
#[should_panic(expected = "a range ends below its start")]
fn a_range_cannot_be_made_upside_down() {
    let _ = FrameRange::new(Frame::new(2), Frame::new(1));
}

#[test]
fn a_range_written_upside_down_is_empty() {
    let (start, end) = (Page::new(9), Page::new(4));
    let range = PageRange { start, end };
    assert!(range.is_empty());
    assert_eq!(range.iter().count(), 0);
    assert!(!range.overlaps(&PageRange::new(Page::new(0), Page::new(20))));
}

proptest! {
    #[test]
    fn page_number_and_offset_rebuild_the_address(value in any_address()) {
        let address = VirtAddr::new(value);
        prop_assert_eq!(address.page().number() * PAGE_SIZE + address.page_offset(), value);
        prop_assert_eq!(address.page().start(), address.align_down());
        let phys = PhysAddr::new(value);
        prop_assert_eq!(phys.frame().number() * PAGE_SIZE + phys.frame_offset(), value);
        prop_assert_eq!(phys.frame().start(), phys.align_down());
    }

    #[test]
    fn the_four_indices_and_the_offset_rebuild_a_canonical_address(value in any_address()) {
        let address = VirtAddr::new(value);
        let indices = [address.pml4_index(), address.pdpt_index(), address.pd_index(), address.pt_index()];
        let low = indices.iter().fold(0, |sum, index| sum * 512 + *index as u64) * PAGE_SIZE
            + address.page_offset();
        prop_assert!(indices.iter().all(|index| *index < 512));
        prop_assert_eq!(low, value % (1 << 48));
    }

    #[test]
    fn aligning_up_gives_the_least_multiple_not_below(value in any_address()) {
        let wide = u128::from(value).div_ceil(u128::from(PAGE_SIZE)) * u128::from(PAGE_SIZE);
        let expected = u64::try_from(wide).ok();
        prop_assert_eq!(VirtAddr::new(value).align_up().map(VirtAddr::as_u64), expected);
        prop_assert_eq!(PhysAddr::new(value).align_up().map(PhysAddr::as_u64), expected);
    }

    #[test]
    fn adding_and_subtracting_agree_with_wide_arithmetic(value in any_address(), step in any_address()) {
        let sum = u64::try_from(u128::from(value) + u128::from(step)).ok();
        prop_assert_eq!(VirtAddr::new(value).checked_add(step).map(VirtAddr::as_u64), sum);
        prop_assert_eq!(PhysAddr::new(value).checked_add(step).map(PhysAddr::as_u64), sum);
        let difference = VirtAddr::new(value).checked_sub(step).map(VirtAddr::as_u64);
        prop_assert_eq!(difference, (value >= step).then(|| value - step));
    }

    #[test]
    fn a_user_range_never_leaves_user_space(addr in any_address(), len in any_address()) {
        let end = u128::from(addr) + u128::from(len);
        let expected = (end <= u128::from(USER_END)).then_some(addr..end as u64);
        prop_assert_eq!(user_range(addr, len), expected);
    }

    #[test]
    fn ranges_behave_as_sets_of_pages(a in small_range(), b in small_range()) {
        let pages = |range: PageRange| range.iter().collect::<Vec<_>>();
        let common: Vec<_> = pages(a).into_iter().filter(|page| b.contains(*page)).collect();
        prop_assert_eq!(a.intersection(&b).map_or(Vec::new(), pages), common.clone());
        prop_assert_eq!(a.overlaps(&b), !common.is_empty());
        prop_assert_eq!(a.contains_range(&b), common.len() as u64 == b.len());
        prop_assert_eq!(a.len(), pages(a).len() as u64);
        prop_assert_eq!(a.is_empty(), pages(a).is_empty());
    }

    #[test]
    fn a_range_reads_the_same_from_both_ends(a in small_range()) {
        let mut backwards: Vec<_> = a.iter().rev().collect();
        backwards.reverse();
        prop_assert_eq!(a.iter().len() as u64, a.len());
        prop_assert_eq!(backwards, a.into_iter().collect::<Vec<_>>());
    }
}
