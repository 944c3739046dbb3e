//! Numbers that a seed leads to, the same ones each time.

/// A generator with 64 bits of state (xorshift), which never are all zero.
#[derive(Clone, Copy)]
pub(crate) struct Random(u64);

impl Random {
    /// Begins where `seed` says; neighbours are as far apart as any two.
    pub(crate) fn new(seed: u64) -> Self {
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((mixed ^ (mixed >> 31)) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of several.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Some of several bits; none, half of the time.
    pub(crate) fn some(&mut self, bits: &[u64]) -> u64 {
        if self.one_in(2) {
            return 0;
        }
        let mask = self.next() & self.next();
        let chosen = bits.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1);
        chosen.fold(0, |sum, (_, bit)| sum | bit)
    }
}
