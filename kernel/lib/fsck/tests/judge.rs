//! `judge` over its whole domain, against a list of the entries that there may be.

use addr::Frame;
use fsck::{Charge, Mapping, Misfit, References, Shown, judge, table_entry};
use pte::{Prot, Pte, PteFlags};
use vma::VmFlags;

const FRAME: Frame = Frame::new(77);
const SHOWN: [Shown; 4] = [Shown::Anon, Shown::PageCache, Shown::Zero, Shown::Other];
/// The bits that matter; accessed and dirty are the CPU's to set.
const BITS: [PteFlags; 9] = [
    PteFlags::PRESENT,
    PteFlags::WRITE,
    PteFlags::USER,
    PteFlags::GLOBAL,
    PteFlags::ANON,
    PteFlags::ZERO,
    PteFlags::NX,
    PteFlags::PCD,
    PteFlags::LAZY,
];

fn mappings() -> impl Iterator<Item = Mapping> {
    (0..32_u8).map(|bits| {
        let mut flags = VmFlags::empty().with_prot(Prot::from_bits_truncate(bits & 7));
        flags.set(VmFlags::SHARED, bits & 8 != 0);
        Mapping {
            flags,
            has_source: bits & 16 != 0,
        }
    })
}

fn entries() -> impl Iterator<Item = Pte> {
    (0..1_u32 << BITS.len()).map(|chosen| {
        let flags = BITS.iter().enumerate();
        let flags = flags.filter(|(bit, _)| chosen >> bit & 1 == 1);
        Pte::new(FRAME, flags.map(|(_, flag)| *flag).collect())
    })
}

/// Every entry that the rules let a mapping have, made as they say: a kind of page, then rights.
fn legal(mapping: Mapping) -> Vec<(Pte, Shown, Charge)> {
    let private = !mapping.flags.contains(VmFlags::SHARED);
    let mut kinds = Vec::new();
    if private {
        kinds.push((PteFlags::ANON, Shown::Anon, true, Charge::Anon));
    }
    if private && !mapping.has_source {
        kinds.push((PteFlags::ZERO, Shown::Zero, false, Charge::Nothing));
    }
    if mapping.has_source {
        let none = PteFlags::empty();
        kinds.push((none, Shown::PageCache, !private, Charge::File));
        kinds.push((none, Shown::Anon, !private, Charge::Shmem));
    }
    let mut found = Vec::new();
    for (kind, shown, may_be_written, charge) in kinds {
        for write in [false, true] {
            let base = Pte::new(FRAME, kind | PteFlags::PRESENT | PteFlags::USER);
            let base = if write && may_be_written {
                base.mkwrite()
            } else {
                base
            };
            // `with_prot` takes rights away, hides and shows: what is left is what there may be.
            let made = base.with_prot(mapping.flags.prot());
            found.push((made, shown, charge));
            if kind == PteFlags::ANON {
                // What MADV_FREE marks.
                let lazy = Pte::from_raw(made.raw() | PteFlags::LAZY.bits());
                found.push((lazy, shown, charge));
            }
        }
    }
    found
}

#[test]
fn an_entry_is_right_exactly_if_the_rules_can_make_it() {
    let (mut right, mut wrong) = (0, 0);
    for mapping in mappings() {
        let legal = legal(mapping);
        for pte in entries() {
            for shown in SHOWN {
                let made = legal.iter().find(|made| (made.0, made.1) == (pte, shown));
                let judged = judge(Some(mapping), pte, shown);
                assert_eq!(
                    judged.ok(),
                    made.map(|made| made.2),
                    "{mapping:?} {pte:?} {shown:?}: {judged:?}"
                );
                *if judged.is_ok() {
                    &mut right
                } else {
                    &mut wrong
                } += 1;
            }
        }
    }
    assert!(right > 80 && wrong > 60_000, "{right} right, {wrong} wrong");
}

#[test]
fn guard_markers_are_where_they_were_put() {
    for mapping in mappings() {
        for shown in SHOWN {
            let judged = judge(Some(mapping), Pte::GUARD, shown);
            assert_eq!(judged, Err(Misfit::Guard));
            let flags = mapping.flags | VmFlags::GUARDED;
            let judged = judge(Some(Mapping { flags, ..mapping }), Pte::GUARD, shown);
            assert_eq!(judged, Ok(Charge::Nothing));
        }
    }
}

#[test]
fn accessed_and_dirty_change_nothing() {
    for mapping in mappings() {
        for pte in entries() {
            for shown in SHOWN {
                let plain = judge(Some(mapping), pte, shown);
                assert_eq!(plain, judge(Some(mapping), pte.mkdirty().mkyoung(), shown));
            }
        }
    }
}

#[test]
fn outside_of_mappings_there_is_nothing() {
    for pte in entries() {
        assert_eq!(judge(None, pte, Shown::Anon), Err(Misfit::Outside));
    }
    assert_eq!(judge(None, Pte::EMPTY, Shown::Other), Ok(Charge::Nothing));
}

#[test]
fn every_kind_of_misfit_is_told_by_its_name() {
    let seen: std::collections::HashSet<Misfit> = mappings()
        .flat_map(|mapping| entries().map(move |pte| (mapping, pte)))
        .flat_map(|(mapping, pte)| SHOWN.map(|shown| judge(Some(mapping), pte, shown)))
        .filter_map(Result::err)
        .collect();
    assert_eq!(seen.len(), 10, "all but Outside and Guard: {seen:?}");
    let words: std::collections::HashSet<String> = seen.iter().map(Misfit::to_string).collect();
    assert_eq!(words.len(), seen.len(), "no two say the same");
}

#[test]
fn a_link_to_a_table_has_no_bit_too_many_and_none_too_few() {
    let link = Pte::table(FRAME);
    assert!(table_entry(link) && table_entry(link.mkold()));
    for bit in (0..12).chain(52..64).filter(|bit| *bit != 5) {
        assert!(
            !table_entry(Pte::from_raw(link.raw() ^ 1 << bit)),
            "bit {bit}"
        );
    }
}

#[test]
fn a_frame_has_one_reference_for_each_entry_and_one_for_its_source() {
    let frame = |refs, mapped, private, shared| References {
        refs,
        mapped,
        private,
        shared,
        complete: true,
    };
    assert!(
        frame(3, 3, true, false).holds(),
        "private memory after two forks"
    );
    assert!(
        frame(1, 0, false, false).holds(),
        "a cached page that nobody maps"
    );
    assert!(
        frame(3, 2, false, true).holds(),
        "a cached page that two map"
    );
    for refs in [0, 2] {
        assert!(
            !frame(refs, 1, true, false).holds(),
            "a reference lost, or one too many"
        );
    }
    assert!(!frame(0, 0, false, false).holds(), "a frame of nobody");
    assert!(
        !frame(2, 2, true, true).holds(),
        "private and shared at once"
    );
}

#[test]
fn while_somebody_is_at_work_only_too_few_references_are_wrong() {
    for refs in 0..6 {
        for mapped in 0..6 {
            for private in [false, true] {
                let frame = References {
                    refs,
                    mapped,
                    private,
                    shared: false,
                    complete: false,
                };
                assert_eq!(frame.holds(), refs >= mapped && refs > 0, "{frame:?}");
            }
        }
    }
}
