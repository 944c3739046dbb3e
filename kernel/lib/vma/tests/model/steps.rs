//! What random histories are made of.

use addr::PageRange;
use proptest::prelude::*;
use pte::Prot;
use vma::VmFlags;

use crate::array::PAGES;
use crate::common::{Source, TestVma, mapping, pages};

/// One step of a random history. `pick` chooses one of the mappings that there are.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Insert(TestVma),
    /// Like a mapping at a fixed address: unmap, then insert.
    Replace(TestVma),
    Unmap(PageRange),
    Protect(PageRange, Prot),
    Flip(PageRange, VmFlags),
    Fork(VmFlags),
    Place {
        len: u64,
        floor: u64,
        ceiling: u64,
        flags: VmFlags,
    },
    Grow {
        pick: prop::sample::Index,
        by: prop::sample::Index,
    },
    Resize {
        pick: prop::sample::Index,
        to: prop::sample::Index,
    },
    Clear,
}

pub(crate) fn any_range() -> impl Strategy<Value = PageRange> {
    let short = (0..PAGES, 0_u64..24);
    let long = (0..PAGES, 0..PAGES);
    // Most ranges crowd together, so that they touch, overlap and split each other.
    let crowded = (0_u64..60, 0_u64..16);
    prop_oneof![4 => crowded, 2 => short, 1 => long]
        .prop_map(|(start, len)| pages(start, len.min(PAGES - start)))
}

fn any_flags() -> impl Strategy<Value = VmFlags> {
    let may = VmFlags::MAYREAD | VmFlags::MAYWRITE | VmFlags::MAYEXEC;
    let read_write = may | VmFlags::READ | VmFlags::WRITE;
    prop_oneof![
        4 => Just(read_write),
        2 => Just(may | VmFlags::READ),
        1 => Just(may),
        1 => Just(VmFlags::MAYREAD | VmFlags::READ | VmFlags::SHARED),
        1 => Just(read_write | VmFlags::GROWSDOWN),
    ]
}

fn any_mapping() -> impl Strategy<Value = TestVma> {
    let kind = prop_oneof![2 => Just(None), 1 => (0_u32..2, 0_u64..2).prop_map(Some)];
    let range = any_range().prop_filter("a mapping has a page", |range| !range.is_empty());
    (range, any_flags(), kind).prop_map(|(range, flags, kind)| {
        // A file's page number follows from the address but for a small shift, so that
        // mappings of one file often continue each other. Stacks are anonymous.
        let file = kind.filter(|_| !flags.contains(VmFlags::GROWSDOWN));
        let backing = file.map_or(Source::Anon, |(file, shift)| {
            Source::File(file, range.start.number() + shift)
        });
        mapping(range.start.number(), range.len(), flags, backing)
    })
}

pub(crate) fn any_step() -> impl Strategy<Value = Step> {
    let prot = (0_u8..8).prop_map(Prot::from_bits_truncate);
    let advice = prop::sample::select(vec![
        VmFlags::LOCKED,
        VmFlags::ACCOUNT,
        VmFlags::GUARDED,
        VmFlags::DONTFORK,
    ]);
    let place = (1_u64..40, 0..PAGES, 0..PAGES, any_flags());
    let two = any::<(prop::sample::Index, prop::sample::Index)>();
    prop_oneof![
        6 => any_mapping().prop_map(Step::Insert),
        3 => any_mapping().prop_map(Step::Replace),
        4 => any_range().prop_map(Step::Unmap),
        6 => (any_range(), prot).prop_map(|(range, prot)| Step::Protect(range, prot)),
        4 => (any_range(), advice.clone()).prop_map(|(range, flags)| Step::Flip(range, flags)),
        1 => advice.prop_map(Step::Fork),
        4 => place.prop_map(|(len, floor, ceiling, flags)| Step::Place { len, floor, ceiling, flags }),
        2 => two.clone().prop_map(|(pick, by)| Step::Grow { pick, by }),
        2 => two.prop_map(|(pick, to)| Step::Resize { pick, to }),
        1 => Just(Step::Clear),
    ]
}
