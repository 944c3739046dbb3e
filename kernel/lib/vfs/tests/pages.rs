//! The pages of a file, against a map of single pages.

use std::collections::BTreeMap;

use addr::{Frame, PAGE_SIZE};
use proptest::prelude::*;
use vfs::pages::{Pages, Slot, edges};

#[derive(Clone, Debug)]
enum Op {
    Insert(u64, bool),
    Dirty(u64),
    Remove(u64),
    RemoveIn(u64, u64),
}

fn index() -> impl Strategy<Value = u64> {
    prop_oneof![0..200_u64, (1_u64 << 50)..(1 << 50) + 70]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (index(), any::<bool>()).prop_map(|(index, dirty)| Op::Insert(index, dirty)),
        1 => index().prop_map(Op::Dirty),
        1 => index().prop_map(Op::Remove),
        1 => (index(), 0..100_u64).prop_map(|(from, len)| Op::RemoveIn(from, from + len)),
    ]
}

fn check(
    pages: &Pages,
    model: &BTreeMap<u64, (u64, bool)>,
    near: u64,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(pages.len(), model.len() as u64);
    prop_assert_eq!(pages.is_empty(), model.is_empty());
    for at in [near.saturating_sub(1), near, near + 1, near + 64] {
        let slot = |(frame, dirty): (u64, bool)| Slot {
            frame: Frame::new(frame),
            dirty,
        };
        prop_assert_eq!(pages.get(at), model.get(&at).copied().map(slot));
        let mut above = model.range(at..);
        prop_assert_eq!(pages.next_present(at), above.next().map(|(at, _)| *at));
        let clean = model.range(at..).find(|(_, (_, dirty))| !dirty);
        prop_assert_eq!(pages.next_clean(at), clean.map(|(at, _)| *at));
        let absent = (at..).find(|at| !model.contains_key(at));
        prop_assert_eq!(Some(pages.next_absent(at)), absent);
        prop_assert_eq!(pages.count_from(at), model.range(at..).count() as u64);
        for len in [0, 1, 16, 64, 130] {
            let mut seen = Vec::new();
            pages.each_in(at..at + len, |index, found| seen.push((index, found)));
            let there = model.range(at..at + len);
            let there: Vec<_> = there.map(|(at, found)| (*at, slot(*found))).collect();
            prop_assert_eq!(seen, there);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn chunks_hold_what_a_plain_map_holds(ops in prop::collection::vec(op(), 1..200)) {
        let (mut pages, mut model) = (Pages::new(), BTreeMap::new());
        for (number, op) in (1_u64..).zip(ops) {
            let near = match op {
                Op::Insert(index, dirty) => {
                    if let std::collections::btree_map::Entry::Vacant(free) = model.entry(index) {
                        free.insert((number, dirty));
                        pages.insert(index, Slot { frame: Frame::new(number), dirty });
                    }
                    index
                }
                Op::Dirty(index) => {
                    let newly = model.get_mut(&index).is_some_and(|(_, dirty)| !std::mem::replace(dirty, true));
                    prop_assert_eq!(pages.mark_dirty(index), newly);
                    index
                }
                Op::Remove(index) => {
                    let frame = pages.remove(index).map(|slot| slot.frame.number());
                    prop_assert_eq!(frame, model.remove(&index).map(|(frame, _)| frame));
                    index
                }
                Op::RemoveIn(from, to) => {
                    let first = model.range(from..to).next().map(|(at, _)| *at);
                    prop_assert_eq!(pages.remove_in(from, to).map(|(at, _)| at), first);
                    first.map(|at| model.remove(&at));
                    from
                }
            };
            check(&pages, &model, near)?;
        }
        let frames: Vec<_> = pages.take_all().map(|slot| slot.frame.number()).collect();
        prop_assert_eq!(frames, model.into_values().map(|(frame, _)| frame).collect::<Vec<_>>());
        check(&pages, &BTreeMap::new(), 0)?;
    }
}

#[test]
#[should_panic(expected = "page 7 has two")]
fn a_page_has_one_frame() {
    let mut pages = Pages::new();
    let slot = Slot {
        frame: Frame::new(1),
        dirty: false,
    };
    pages.insert(7, slot);
    pages.insert(7, slot);
}

#[test]
fn edges_and_whole_pages_make_up_the_range() {
    let points = [
        0,
        1,
        100,
        PAGE_SIZE - 1,
        PAGE_SIZE,
        PAGE_SIZE + 1,
        2 * PAGE_SIZE,
        3 * PAGE_SIZE - 1,
        3 * PAGE_SIZE,
    ];
    for start in points {
        for end in points.into_iter().filter(|end| *end >= start) {
            let pieces: Vec<_> = edges(&(start..end)).collect();
            let whole = start.div_ceil(PAGE_SIZE)..end / PAGE_SIZE;
            let whole = if whole.is_empty() {
                0..0
            } else {
                whole.start * PAGE_SIZE..whole.end * PAGE_SIZE
            };
            for at in start..end {
                let times = pieces.iter().filter(|piece| piece.contains(&at)).count();
                assert_eq!(
                    times + usize::from(whole.contains(&at)),
                    1,
                    "{start}..{end} at {at}"
                );
            }
            for piece in pieces {
                assert_eq!(piece.start / PAGE_SIZE, (piece.end - 1) / PAGE_SIZE);
                assert!(start <= piece.start && piece.end <= end);
            }
        }
    }
}
