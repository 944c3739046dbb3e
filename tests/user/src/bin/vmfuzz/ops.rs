//! The requests: made from a seed alone, so that any of them can be left out without changing the others.

/// Is a xorshift generator, the same everywhere.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Starts from a seed, which may be small.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1);
        for _ in 0..4 {
            random.next();
        }
        random
    }

    /// Gives the next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 |= u64::from(self.0 == 0);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Gives a number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Is what a request does; [`crate::plan`] says what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    MapAnon,
    MapShared,
    MapFile,
    MapHint,
    MapNoReplace,
    Unmap,
    Protect,
    Move,
    Grow,
    GrowInPlace,
    Shrink,
    Resize,
    Duplicate,
    BadRemap,
    Advise,
    Lock,
    LockOnFault,
    Unlock,
    Sync,
    Core,
    Break,
    Read,
    Write,
    Fetch,
    Fork,
    Look,
}

use Kind as K;

/// Lists how often each kind comes.
const WEIGHTS: &[(Kind, usize)] = &[
    (K::MapAnon, 14),
    (K::MapShared, 6),
    (K::MapFile, 5),
    (K::MapHint, 3),
    (K::MapNoReplace, 3),
    (K::Unmap, 8),
    (K::Protect, 16),
    (K::Move, 8),
    (K::Grow, 6),
    (K::GrowInPlace, 3),
    (K::Shrink, 3),
    (K::Resize, 5),
    (K::Duplicate, 3),
    (K::BadRemap, 2),
    (K::Advise, 22),
    (K::Lock, 3),
    (K::LockOnFault, 1),
    (K::Unlock, 3),
    (K::Sync, 2),
    (K::Core, 5),
    (K::Break, 1),
    (K::Read, 12),
    (K::Write, 22),
    (K::Fetch, 5),
    (K::Fork, 7),
    (K::Look, 4),
];

/// Is one request: a kind and numbers, which mean something different to each kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) kind: Kind,
    /// A page of the arena.
    pub(crate) page: usize,
    /// A number of pages, at least one, that fits behind `page`.
    pub(crate) count: usize,
    /// Another page.
    pub(crate) other: usize,
    /// Another number of pages, at least one.
    pub(crate) size: usize,
    /// Dice for everything else.
    pub(crate) dice: u64,
}

/// Makes the requests of one seed.
pub(crate) fn make(seed: u64, steps: usize, pages: usize) -> Vec<Op> {
    let mut random = Random::new(seed);
    (0..steps).map(|_| one(&mut random, pages)).collect()
}

/// Makes one request.
pub(crate) fn one(random: &mut Random, pages: usize) -> Op {
    let all = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut left = random.below(all);
    let picked = WEIGHTS.iter().find(|(_, weight)| {
        let here = left < *weight;
        left = left.wrapping_sub(*weight);
        here
    });
    let kind = picked.map_or(K::Read, |(kind, _)| *kind);
    let page = random.below(pages);
    let longest = if random.below(8) == 0 { pages } else { 10 };
    Op {
        kind,
        page,
        count: (1 + random.below(longest)).min(pages - page),
        other: random.below(pages),
        size: 1 + random.below(10),
        dice: random.next(),
    }
}
