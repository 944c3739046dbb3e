//! Operations in all their bits, buckets against lists, words of the dead.

use futex::op::ANY;
use futex::robust::{Fate, fate};
use futex::{Command, Op, Queue, WakeOp};
use proptest::prelude::*;

#[test]
fn every_operation_is_known_or_refused() {
    for word in 0..1024_u32 {
        let (number, private, realtime) = (word & 127, word & 128 != 0, word & 256 != 0);
        let want = match number {
            0 => Some(Command::Wait),
            1 => Some(Command::Wake),
            3 => Some(Command::Requeue { compares: false }),
            4 => Some(Command::Requeue { compares: true }),
            5 => Some(Command::WakeOp),
            6 => Some(Command::LockPi { old: true }),
            7 => Some(Command::UnlockPi),
            8 => Some(Command::TryLockPi),
            13 => Some(Command::LockPi { old: false }),
            9 => Some(Command::WaitBits),
            10 => Some(Command::WakeBits),
            _ => None,
        };
        let timed = [Command::WaitBits, Command::LockPi { old: false }];
        let want = want.filter(|command| !realtime || timed.contains(command));
        let want = want.filter(|_| word < 512);
        let got = Op::new(word).ok();
        assert_eq!(got.map(|op| op.command), want, "{word:#x}");
        if let Some(op) = got {
            assert_eq!((op.private, op.realtime), (private, realtime));
        }
    }
}

/// The encoding of linux/futex.h.
fn encoded(op: u32, operand: i32, compare: u32, with: i32) -> u32 {
    let twelve = |value: i32| value as u32 & 0xfff;
    op << 28 | compare << 24 | twelve(operand) << 12 | twelve(with)
}

#[test]
fn a_wake_op_changes_and_compares_signed_numbers() {
    for (op, want) in [(0, 3_u32), (1, 13), (2, 11), (3, 8), (4, 9)] {
        let decoded = WakeOp::new(encoded(op, 3, 0, 0)).expect("it is known");
        assert_eq!(decoded.apply(10), want, "{op}");
    }
    let shifted = WakeOp::new(encoded(8, 5, 0, 0)).expect("it is known");
    assert_eq!(shifted.apply(7), 32);
    let less = WakeOp::new(encoded(1, -1, 0, 0)).expect("it is known");
    assert_eq!(less.apply(0), u32::MAX);
    for with in [-2_i32, 0, 2] {
        for old in -3..4_i32 {
            let wants = [
                old == with,
                old != with,
                old < with,
                old <= with,
                old > with,
                old >= with,
            ];
            for (compare, want) in (0..).zip(wants) {
                let decoded = WakeOp::new(encoded(0, 0, compare, with)).expect("it is known");
                assert_eq!(decoded.wakes(old as u32), want, "{old} {compare} {with}");
            }
        }
    }
    for unknown in [
        encoded(5, 0, 0, 0),
        encoded(7, 0, 0, 0),
        encoded(0, 0, 6, 0),
    ] {
        assert!(WakeOp::new(unknown).is_err());
    }
}

#[test]
fn only_the_dead_thread_s_words_are_marked() {
    let (waiters, died) = (0x8000_0000, 0x4000_0000);
    for pending in [false, true] {
        assert_eq!(fate(8, 7, pending), Fate::Kept);
        let marked = |value, wakes| Fate::Marked { value, wakes };
        assert_eq!(fate(7, 7, pending), marked(died, false));
        assert_eq!(fate(7 | waiters, 7, pending), marked(waiters | died, true));
    }
    assert_eq!(fate(0, 7, false), Fate::Kept);
    assert_eq!(fate(0, 7, true), Fate::Woken);
}

/// A request to two buckets: keys 0 to 2 fall into the first, 3 to 5 into the second.
#[derive(Clone, Copy, Debug)]
enum Request {
    Push(u8, u32),
    Take(u8, u32),
    Remove(usize),
    Requeue(u8, u8, usize, usize),
}

fn requests() -> impl Strategy<Value = Request> {
    prop_oneof![
        4 => (0..6_u8, 1..4_u32).prop_map(|(key, bits)| Request::Push(key, bits)),
        2 => (0..6_u8, 1..4_u32).prop_map(|(key, bits)| Request::Take(key, bits)),
        1 => (0..40_usize).prop_map(Request::Remove),
        // Among keys of one bucket places are kept, which lists of their own do not know.
        2 => (0..6_u8, 0..3_u8, 0..3_usize, 0..5_usize)
            .prop_map(|(from, to, skip, most)| {
                let to = if from < 3 { to + 3 } else { to };
                Request::Requeue(from, to, skip, most)
            }),
    ]
}

proptest! {
    /// Each key's waiters as a list of its own: (key, bits, waiter) in the order of arrival.
    #[test]
    fn buckets_keep_everybody_in_order(requests in prop::collection::vec(requests(), 1..60)) {
        let mut buckets = [Queue::new(), Queue::new()];
        let mut lists: [Vec<(u32, usize)>; 6] = Default::default();
        for (number, request) in requests.into_iter().enumerate() {
            match request {
                Request::Push(key, bits) => {
                    prop_assert_eq!(buckets[usize::from(key / 3)].push(key, bits, number), Ok(()));
                    lists[usize::from(key)].push((bits, number));
                }
                Request::Take(key, bits) => {
                    let list = &mut lists[usize::from(key)];
                    let at = list.iter().position(|(own, _)| own & bits != 0);
                    let want = at.map(|at| list.remove(at).1);
                    prop_assert_eq!(buckets[usize::from(key / 3)].take(key, bits), want);
                }
                Request::Remove(waiter) => {
                    let mut found = None;
                    for (key, list) in lists.iter_mut().enumerate() {
                        if let Some(at) = list.iter().position(|(_, own)| *own == waiter) {
                            list.remove(at);
                            found = Some(key / 3);
                        }
                    }
                    for (bucket, queue) in buckets.iter_mut().enumerate() {
                        let got = queue.remove(|own| *own == waiter);
                        prop_assert_eq!(got.is_some(), found == Some(bucket));
                    }
                }
                Request::Requeue(from, to, skip, most) => {
                    let list = &mut lists[usize::from(from)];
                    let start = skip.min(list.len());
                    let end = list.len().min(start + most);
                    let moved: Vec<_> = list.drain(start..end).collect();
                    let mut told = Vec::new();
                    let [first, second] = &mut buckets;
                    let (source, target) = if from < 3 { (first, second) } else { (second, first) };
                    let got = source.move_to(target, (from, to), skip, most, |waiter| told.push(*waiter));
                    prop_assert_eq!(got, Ok(moved.len()));
                    let want: Vec<usize> = moved.iter().map(|(_, waiter)| *waiter).collect();
                    prop_assert_eq!(told, want);
                    lists[usize::from(to)].extend(moved);
                }
            }
            for (key, list) in (0..).zip(&lists) {
                prop_assert_eq!(buckets[usize::from(key / 3)].count(key, ANY), list.len());
            }
        }
    }
}

#[test]
fn renaming_in_one_bucket_keeps_the_places() {
    let mut queue = Queue::new();
    for (key, waiter) in [('a', 1), ('a', 2), ('b', 3), ('a', 4), ('a', 5)] {
        assert_eq!(queue.push(key, ANY, waiter), Ok(()));
    }
    assert_eq!(queue.rename('a', 'b', 1, 2), 2);
    let mut order = Vec::new();
    while let Some(waiter) = queue.take('b', ANY) {
        order.push(waiter);
    }
    assert_eq!(order, [2, 3, 4]);
    assert_eq!(queue.count('a', ANY), 2);
}
