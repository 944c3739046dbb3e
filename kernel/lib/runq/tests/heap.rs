//! The heap against a sorted list, and weights and words against what they mean.

use proptest::prelude::*;
use runq::balance::Load;
use runq::heap::Heap;
use runq::params::{MAX_RT, Params, Policy};
use runq::place::{Wakeup, cpus, place};
use runq::weight::{HEAVIEST, of_nice, virtual_ns};

#[derive(Clone, Debug)]
enum Op {
    Push(u64),
    PushFirst(u64),
    Pop,
    Remove(usize),
    Room(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0_u64..6).prop_map(Op::Push),
        1 => (0_u64..6).prop_map(Op::PushFirst),
        3 => Just(Op::Pop),
        1 => (0_usize..40).prop_map(Op::Remove),
        1 => (0_usize..64).prop_map(Op::Room),
    ]
}

proptest! {
    #[test]
    fn the_smallest_key_comes_first_and_equals_in_their_order(
        ops in prop::collection::vec(op(), 0..80),
        base in prop_oneof![Just(0), Just(u64::MAX - 2), any::<u64>()],
    ) {
        let mut heap = Heap::new();
        let mut model: Vec<(u64, usize)> = Vec::new();
        for (number, op) in ops.into_iter().enumerate() {
            match op {
                Op::Push(key) => {
                    heap.push(base.wrapping_add(key), number);
                    let at = model.partition_point(|(other, _)| *other <= key);
                    model.insert(at, (key, number));
                }
                Op::PushFirst(key) => {
                    heap.push_first(base.wrapping_add(key), number);
                    let at = model.partition_point(|(other, _)| *other < key);
                    model.insert(at, (key, number));
                }
                Op::Pop => {
                    let first = (!model.is_empty()).then(|| model.remove(0).1);
                    prop_assert_eq!(heap.pop().map(|waiter| waiter.task), first);
                }
                Op::Remove(task) => {
                    let at = model.iter().position(|(_, other)| *other == task);
                    let removed = at.map(|at| model.remove(at).1);
                    let found = heap.remove_first(|waiter| waiter.task == task);
                    prop_assert_eq!(found.map(|waiter| waiter.task), removed);
                }
                Op::Room(room) if room >= heap.len() => {
                    heap.swap_room(Heap::<usize>::room(room).unwrap());
                    prop_assert!(heap.capacity() >= room);
                }
                Op::Room(_) => {}
            }
            prop_assert_eq!(heap.len(), model.len());
            prop_assert_eq!(heap.first().map(|waiter| waiter.task), model.first().map(|(_, task)| *task));
        }
    }

    #[test]
    fn what_a_task_asks_for_and_a_load_survive_their_words(
        nice in -20_i8..20,
        rt_priority in 0..=MAX_RT,
        reset_on_fork in any::<bool>(),
        (weight, tasks, rank, rt_waiting) in any::<(u32, u16, u8, u8)>(),
    ) {
        for number in 0..8 {
            let Some(policy) = Policy::from_number(number) else { continue };
            prop_assert_eq!(policy as u32, number);
            let params = Params { policy, nice, rt_priority, reset_on_fork };
            prop_assert_eq!(Params::from_word(params.to_word()), params);
        }
        let load = Load { weight, tasks, rank, rt_waiting };
        prop_assert_eq!(Load::from_word(load.to_word()), load);
    }

    #[test]
    fn a_task_is_placed_where_it_may_run(prev in 0_usize..64, waker in 0_usize..64, allowed in any::<u64>(), idle in any::<u64>(), rank in 1_u8..100) {
        prop_assume!(allowed != 0);
        let wakeup = Wakeup { prev, waker, allowed, idle, rank };
        let load = |cpu: usize| Load { rank: (cpu % 7) as u8, weight: 7 * cpu as u32 % 40, tasks: 1, rt_waiting: 0 };
        let chosen = place(&wakeup, load);
        prop_assert!(allowed >> chosen & 1 != 0, "{chosen}");
        if allowed & idle != 0 && allowed != 1 << prev {
            prop_assert!(idle >> chosen & 1 != 0, "{chosen} does not idle");
        }
    }

    #[test]
    fn the_cpus_of_a_mask_are_its_bits(mask in any::<u64>()) {
        prop_assert_eq!(cpus(mask).fold(0, |found, cpu| found | 1 << cpu), mask);
        prop_assert_eq!(cpus(mask).count(), mask.count_ones() as usize);
    }
}

#[test]
fn each_nice_level_is_worth_a_quarter_more_than_the_next() {
    assert_eq!(
        (of_nice(0), of_nice(-20), of_nice(19)),
        (1024, HEAVIEST, 15)
    );
    for level in -20_i8..19 {
        let ratio = f64::from(of_nice(level)) / f64::from(of_nice(level + 1));
        let blur = 1.2 / f64::from(of_nice(level + 1));
        assert!((ratio - 1.25).abs() <= blur, "{level}: {ratio}");
    }
    assert_eq!(virtual_ns(1000, of_nice(0)), 1000);
    assert_eq!(virtual_ns(3_000_000, 512), 6_000_000);
    assert_eq!(virtual_ns(1000, 2048), 500);
}

#[test]
fn children_inherit_what_their_parent_asked_for_unless_it_said_otherwise() {
    let params = |policy, nice, rt_priority| Params {
        policy,
        nice,
        rt_priority,
        reset_on_fork: false,
    };
    let fifo = params(Policy::Fifo, -3, 7);
    assert_eq!(fifo.for_child(), fifo);
    let reset = |params: Params| {
        Params {
            reset_on_fork: true,
            ..params
        }
        .for_child()
    };
    assert_eq!(reset(fifo), Params::DEFAULT);
    assert_eq!(reset(params(Policy::Normal, -3, 0)), Params::DEFAULT);
    assert_eq!(
        reset(params(Policy::Batch, 4, 0)),
        params(Policy::Batch, 4, 0)
    );
}

#[test]
fn a_priority_belongs_to_its_policy() {
    for policy in 0..9 {
        for priority in [0, 1, 50, 99, 100, 255, 256, u32::MAX] {
            let granted = Params::asked(policy, priority, 0, false).is_some();
            let expected = match policy {
                1 | 2 => (1..=99).contains(&priority),
                0 | 3 | 5 => priority == 0,
                _ => false,
            };
            assert_eq!(granted, expected, "policy {policy}, priority {priority}");
        }
    }
}
