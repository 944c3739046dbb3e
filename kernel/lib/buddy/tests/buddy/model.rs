//! Random use against the bitmap.

use crate::checked::Checked;
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Clone, Debug)]
enum Op {
    Alloc(usize),
    Free(Index),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0_usize..4).prop_map(Op::Alloc),
        1 => (0_usize..14).prop_map(Op::Alloc),
        3 => any::<Index>().prop_map(Op::Free),
    ]
}

/// Disjoint ranges in a table of 5,000 frames: more than one largest block, with holes.
fn ranges() -> impl Strategy<Value = Vec<std::ops::Range<u32>>> {
    prop::collection::btree_set(0_u32..5_000, 2..12).prop_map(|cuts| {
        let cuts: Vec<u32> = cuts.into_iter().collect();
        cuts.chunks_exact(2).map(|cut| cut[0]..cut[1]).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn random_use_agrees_with_a_bitmap(
        ranges in ranges(),
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let mut checked = Checked::new(5_000, &ranges);
        let fresh = checked.buddy.free_frames();
        for op in ops {
            match op {
                Op::Alloc(order) if order > buddy::MAX_ORDER => {
                    prop_assert_eq!(checked.buddy.alloc(&mut checked.table, order), None);
                }
                Op::Alloc(order) => {
                    checked.alloc(order);
                }
                Op::Free(at) if !checked.blocks.is_empty() => {
                    checked.free(at.index(checked.blocks.len()));
                }
                Op::Free(_) => {}
            }
        }
        while !checked.blocks.is_empty() {
            checked.free(0);
        }
        prop_assert_eq!(checked.buddy.free_frames(), fresh);
    }

    #[test]
    fn the_order_of_frees_does_not_matter_to_what_is_merged(
        order in Just((0..64_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut checked = Checked::whole(64);
        let mut frames: Vec<u32> = (0..64).map(|_| checked.alloc(0).unwrap()).collect();
        frames.sort();
        for at in order {
            let at = checked.blocks.iter().position(|block| block.0 == frames[at]);
            checked.free(at.unwrap());
        }
        prop_assert_eq!(checked.buddy.free_blocks(6), 1);
    }
}
