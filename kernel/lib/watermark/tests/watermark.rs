//! Background reclaim gets to the high mark where that can be had, and stops where it cannot.

use proptest::prelude::*;
use watermark::{BATCH, Effort, Marks, Next, PATIENCE};

#[test]
fn the_marks_lie_above_the_reserve_and_apart() {
    for reserve in 0..2000 {
        let marks = Marks::above(reserve);
        assert!(marks.low >= reserve + BATCH && marks.high >= marks.low + BATCH);
    }
    assert_eq!(
        Marks::above(1024),
        Marks {
            low: 1280,
            high: 1536
        }
    );
}

proptest! {
    #[test]
    fn an_effort_ends_at_the_high_mark_or_when_nothing_more_comes(
        free in 0u64..2000, to_be_had in 0u64..3000, reserve in 0u64..1024, share in 1u64..=BATCH,
    ) {
        let marks = Marks::above(reserve);
        let (mut free, mut left, mut effort, mut idle) = (free, to_be_had, Effort::new(), 0);
        for _ in 0..10_000 {
            match effort.next(free, marks) {
                Next::Sleep => {
                    prop_assert!(free >= marks.high);
                    return Ok(());
                }
                Next::GiveUp => {
                    prop_assert!(free < marks.high && left == 0 && idle == PATIENCE);
                    return Ok(());
                }
                Next::Reclaim(wanted) => {
                    prop_assert!(wanted > 0 && wanted <= BATCH && free + wanted <= marks.high);
                    let freed = wanted.min(left).min(share);
                    idle = if freed == 0 { idle + 1 } else { 0 };
                    (free, left) = (free + freed, left - freed);
                    effort.note(freed);
                }
            }
        }
        prop_assert!(false, "the effort did not end");
    }
}
