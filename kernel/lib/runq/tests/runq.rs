//! The run queue against a `Vec`, and its fairness.

use proptest::prelude::*;
use runq::{RunQueue, SLICE_NS};

#[test]
fn tasks_run_first_come_first_served() {
    let mut queue = RunQueue::new();
    ["a", "b", "c"]
        .into_iter()
        .for_each(|task| queue.push(task));
    assert_eq!(
        [(); 4].map(|()| queue.pick()),
        [Some("a"), Some("b"), Some("c"), None]
    );
}

#[test]
fn tasks_that_queue_again_take_turns() {
    let mut queue = RunQueue::new();
    (0..5).for_each(|task| queue.push(task));
    let mut turns = [0; 5];
    for _ in 0..100 {
        let task = queue.pick().unwrap();
        turns[task] += 1;
        queue.push(task);
    }
    assert_eq!(turns, [20; 5]);
}

#[test]
fn a_slice_ends_only_while_somebody_waits() {
    let mut queue = RunQueue::new();
    assert!(!queue.slice_over(u64::MAX));
    queue.push(());
    assert!(!queue.slice_over(SLICE_NS - 1));
    assert!(queue.slice_over(SLICE_NS));
}

#[test]
fn a_removed_task_is_gone_and_the_others_keep_their_order() {
    let mut queue = RunQueue::new();
    (0..4).for_each(|task| queue.push(task));
    assert_eq!(queue.remove(|task| *task == 2), Some(2));
    assert_eq!(queue.remove(|task| *task == 2), None);
    assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [0, 1, 3]);
}

#[derive(Clone, Debug)]
enum Op {
    Push(u8),
    Pick,
    Remove(u8),
    Reserve(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0_u8..6).prop_map(Op::Push),
        2 => Just(Op::Pick),
        1 => (0_u8..6).prop_map(Op::Remove),
        1 => (0_usize..40).prop_map(Op::Reserve),
    ]
}

proptest! {
    #[test]
    fn random_use_agrees_with_a_vec(ops in prop::collection::vec(op(), 0..80)) {
        let (mut queue, mut model) = (RunQueue::new(), Vec::new());
        for op in ops {
            match op {
                Op::Push(task) => {
                    queue.push(task);
                    model.push(task);
                }
                Op::Pick => {
                    let first = (!model.is_empty()).then(|| model.remove(0));
                    prop_assert_eq!(queue.pick(), first);
                }
                Op::Remove(task) => {
                    let at = model.iter().position(|other| *other == task);
                    let removed = at.map(|at| model.remove(at));
                    prop_assert_eq!(queue.remove(|other| *other == task), removed);
                }
                Op::Reserve(tasks) => queue.reserve(tasks),
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert_eq!(queue.is_empty(), model.is_empty());
            prop_assert!(queue.iter().eq(model.iter()));
        }
    }
}
