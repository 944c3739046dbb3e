//! Locks against a model that knows of every byte who has what.

use filelock::{BadRange, Deadlock, Kind, Lock, Locks, Range, Waits};

const BYTES: usize = 24;
const OWNERS: usize = 3;

type Model = [[Option<Kind>; BYTES]; OWNERS];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

/// The last byte of the model stands for all that follow.
fn range(first: u64, last: u64) -> Range {
    let last = if last == BYTES as u64 - 1 {
        Range::END
    } else {
        last
    };
    Range { first, last }
}

fn blocked(model: &Model, owner: usize, kind: Kind, bytes: core::ops::RangeInclusive<u64>) -> bool {
    (0..OWNERS).filter(|other| *other != owner).any(|other| {
        bytes.clone().any(|byte| match model[other][byte as usize] {
            Some(held) => held == Kind::Exclusive || kind == Kind::Exclusive,
            None => false,
        })
    })
}

#[test]
fn locks_are_those_of_every_byte() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut model: Model = [[None; BYTES]; OWNERS];
        let mut locks = Locks::new();
        for _ in 0..200 {
            let owner = random.below(OWNERS as u64) as usize;
            let first = random.below(BYTES as u64);
            let last = first + random.below(BYTES as u64 - first);
            let kind = [None, Some(Kind::Shared), Some(Kind::Exclusive)][random.below(3) as usize];
            if random.below(40) == 0 {
                locks.release(owner);
                model[owner] = [None; BYTES];
            }
            let wanted = range(first, last);
            if let Some(kind) = kind {
                let lock = Lock {
                    owner,
                    kind,
                    range: wanted,
                };
                let conflict = locks.conflict(lock);
                assert_eq!(
                    conflict.is_some(),
                    blocked(&model, owner, kind, first..=last)
                );
                if conflict.is_some() {
                    continue;
                }
            }
            locks.set(owner, kind, wanted);
            model[owner][first as usize..=last as usize].fill(kind);
            check(&locks, &model);
        }
    }
}

fn check(locks: &Locks<usize>, model: &Model) {
    for (owner, bytes) in model.iter().enumerate() {
        let own: Vec<_> = locks.iter().filter(|lock| lock.owner == owner).collect();
        for (byte, expected) in bytes.iter().enumerate() {
            let byte = byte as u64;
            let at = own
                .iter()
                .find(|lock| lock.range.first <= byte && byte <= lock.range.last);
            assert_eq!(at.map(|lock| lock.kind), *expected);
        }
        for pair in own.windows(2) {
            assert!(pair[0].range.last < pair[1].range.first, "in order");
            let touch = pair[0].range.last + 1 == pair[1].range.first;
            assert!(!touch || pair[0].kind != pair[1].kind, "joined");
        }
    }
}

#[test]
fn ranges_are_those_of_fcntl() {
    let all = Range::new(5, 0).expect("to the end");
    assert_eq!((all.first, all.last, all.bytes()), (5, Range::END, 0));
    let ten = Range::new(5, 10).expect("ten bytes");
    assert_eq!((ten.first, ten.last, ten.bytes()), (5, 14, 10));
    let before = Range::new(5, -2).expect("two bytes before");
    assert_eq!((before.first, before.last), (3, 4));
    assert_eq!(Range::new(-1, 1), Err(BadRange::Negative));
    assert_eq!(Range::new(1, -2), Err(BadRange::Negative));
    assert_eq!(Range::new(i64::MAX, 2), Err(BadRange::TooFar));
    assert_eq!(Range::new(i64::MAX, 1).map(Range::bytes), Ok(0));
    assert_eq!(Range::new(0, i64::MIN), Err(BadRange::Negative));
}

#[test]
fn circles_of_waiters_are_seen() {
    let mut waits = Waits::new();
    assert_eq!(waits.begin(1, 2), Ok(()));
    assert_eq!(waits.begin(2, 3), Ok(()));
    assert_eq!(waits.begin(3, 1), Err(Deadlock));
    // A process whose threads wait for several.
    assert_eq!(waits.begin(1, 4), Ok(()));
    assert_eq!(waits.begin(4, 1), Err(Deadlock));
    waits.end(2, 3);
    assert_eq!(waits.begin(3, 1), Ok(()));
    assert_eq!(waits.begin(5, 5), Err(Deadlock));
}
