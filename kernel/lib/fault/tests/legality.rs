//! Which accesses are legal: rights of a mapping, and the growth of a stack.

use addr::{Page, PageRange};
use fault::{Growth, Neighbour, SegvCode, check_access, stack_growth};
use proptest::prelude::*;
use pte::{Access, Prot};
use vma::VmFlags;

/// The end of the stacks in these tests.
const TOP: u64 = 0x7_ffff_f000;

/// The pages of a mebibyte.
const MIB: u64 = 256;

/// A stack of `pages` pages, touched `below` pages under its start, with nothing in the way.
fn free_fall(pages: u64, below: u64) -> Growth {
    let vma = PageRange::new(Page::new(TOP - pages), Page::new(TOP));
    Growth {
        addr: Page::new(TOP - pages - below),
        vma,
        prev: None,
        stack_limit: 8 << 20,
        as_pages_left: u64::MAX,
    }
}

/// An ordinary mapping of one page whose end lies `gap` pages below the start of `stack`.
fn neighbour(stack: &Growth, gap: u64) -> Neighbour {
    let end = Page::new(stack.vma.start.number() - gap);
    let start = Page::new(end.number() - 1);
    Neighbour {
        range: PageRange::new(start, end),
        accessible: true,
        growsdown: false,
    }
}

/// Like [`free_fall`] for one page, with `prev` made from a neighbour at `gap` pages.
fn above(gap: u64, change: impl FnOnce(&mut Neighbour)) -> Growth {
    let mut growth = free_fall(1, 1);
    let mut prev = neighbour(&growth, gap);
    change(&mut prev);
    growth.prev = Some(prev);
    growth
}

#[test]
fn pf_9_access_check_over_all_rights_accesses_and_presence() {
    for bits in 0..8 {
        let prot = Prot::from_bits_truncate(bits);
        let flags = (VmFlags::SHARED | VmFlags::GROWSDOWN).with_prot(prot);
        for present in [false, true] {
            let readable = if bits != 0 && !present {
                Ok(())
            } else {
                Err(SegvCode::AccErr)
            };
            let writable = prot
                .contains(Prot::WRITE)
                .then_some(())
                .ok_or(SegvCode::AccErr);
            assert_eq!(
                check_access(flags, Access::Read, present),
                readable,
                "{prot:?}"
            );
            assert_eq!(
                check_access(flags, Access::Fetch, present),
                readable,
                "{prot:?}"
            );
            assert_eq!(
                check_access(flags, Access::Write, present),
                writable,
                "{prot:?}"
            );
        }
    }
}

#[test]
fn pf_11_the_codes_are_those_of_siginfo() {
    assert_eq!((SegvCode::MapErr as i32, SegvCode::AccErr as i32), (1, 2));
}

#[test]
fn sg_1_the_distance_to_the_stack_does_not_matter_below_the_limit() {
    for mebibytes in [3, 7] {
        let growth = free_fall(33, mebibytes * MIB);
        let added = stack_growth(&growth).expect("the limit is 8 MiB");
        assert_eq!(added, PageRange::new(growth.addr, growth.vma.start));
    }
    assert_eq!(stack_growth(&free_fall(33, 9 * MIB)), Err(SegvCode::MapErr));
}

#[test]
fn sg_3_the_whole_stack_may_be_exactly_as_large_as_its_limit() {
    assert!(stack_growth(&free_fall(33, 8 * MIB - 33)).is_ok());
    assert!(stack_growth(&free_fall(33, 8 * MIB - 32)).is_err());
}

#[test]
fn sg_5_a_lowered_limit_counts_at_once() {
    let mut growth = free_fall(33, 3 * MIB);
    growth.stack_limit = 1 << 20;
    assert_eq!(stack_growth(&growth), Err(SegvCode::MapErr));
    growth.stack_limit = u64::MAX;
    assert!(stack_growth(&growth).is_ok());
}

#[test]
fn sg_5_a_limit_of_a_page_and_a_half_is_a_limit_of_one_page() {
    let mut growth = free_fall(1, 1);
    growth.stack_limit = 2 * 4096 - 1;
    assert!(stack_growth(&growth).is_err());
    growth.stack_limit = 2 * 4096;
    assert!(stack_growth(&growth).is_ok());
}

#[test]
fn sg_3_a_gap_of_256_pages_to_the_mapping_below_must_remain() {
    assert!(stack_growth(&above(255, |_| ())).is_err());
    assert!(stack_growth(&above(256, |_| ())).is_err());
    assert!(stack_growth(&above(257, |_| ())).is_ok());
}

#[test]
fn sg_3_an_inaccessible_mapping_below_is_guard_enough() {
    assert!(stack_growth(&above(1, |prev| prev.accessible = false)).is_ok());
}

#[test]
fn sg_3_another_stack_below_needs_no_gap() {
    assert!(stack_growth(&above(1, |prev| prev.growsdown = true)).is_ok());
}

#[test]
fn sg_3_no_stack_grows_below_the_lowest_address_of_a_mapping() {
    let vma = PageRange::new(Page::new(20), Page::new(21));
    let at = |page| Growth {
        addr: Page::new(page),
        vma,
        ..free_fall(1, 1)
    };
    assert!(stack_growth(&at(16)).is_ok());
    assert!(stack_growth(&at(15)).is_err());
    assert!(stack_growth(&at(0)).is_err());
}

#[test]
fn sg_3_growth_counts_against_the_address_space_limit() {
    let mut growth = free_fall(1, 10);
    growth.as_pages_left = 10;
    assert!(stack_growth(&growth).is_ok());
    growth.as_pages_left = 9;
    assert!(stack_growth(&growth).is_err());
}

#[test]
fn sg_2_a_stack_that_was_grown_meanwhile_needs_nothing() {
    let mut growth = free_fall(4, 0);
    growth.as_pages_left = 0;
    growth.stack_limit = 0;
    for page in growth.vma {
        growth.addr = page;
        let added = stack_growth(&growth).expect("the page is inside already");
        assert!(added.is_empty());
        assert_eq!(added.end, growth.vma.start);
    }
}

proptest! {
    /// Small numbers near every limit, so that each limit is met from both sides.
    #[test]
    fn sg_3_growth_is_refused_exactly_for_the_listed_reasons(
        addr in 12_u64..700,
        distance in 1_u64..20,
        len in 1_u64..4,
        below in prop::option::of((0_u64..600, any::<bool>(), any::<bool>())),
        limit_pages in 0_u64..24,
        limit_rest in 0_u64..4096,
        as_pages_left in 0_u64..24,
    ) {
        let start = addr + distance;
        let vma = PageRange::new(Page::new(start), Page::new(start + len));
        let prev = below.map(|(gap, accessible, growsdown)| {
            let end = Page::new(addr.saturating_sub(gap));
            let range = PageRange::new(Page::new(0), end);
            Neighbour { range, accessible, growsdown }
        });
        let stack_limit = limit_pages * 4096 + limit_rest;
        let growth = Growth { addr: Page::new(addr), vma, prev, stack_limit, as_pages_left };

        let too_low = addr * 4096 < 65536;
        let too_large = (distance + len) * 4096 > stack_limit;
        let too_much = distance > as_pages_left;
        let too_close = prev.is_some_and(|prev| {
            prev.accessible && !prev.growsdown && prev.range.end.number() + 256 > addr
        });
        let expected = if too_low || too_large || too_much || too_close {
            Err(SegvCode::MapErr)
        } else {
            Ok(PageRange::new(Page::new(addr), vma.start))
        };
        prop_assert_eq!(stack_growth(&growth), expected);
    }
}
