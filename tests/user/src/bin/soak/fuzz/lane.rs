//! What a lane of the fuzzer tells its supervisor: memory that both see, written to with plain stores.
//!
//! Threads of one victim may lose each other's counts, and a victim may scribble here; what is read is taken with that in mind.

use user::map::{self, Map};
use user::mem;
use user::sys;

/// Numbers that are counted apart.
pub(crate) const NUMBERS: u64 = 480;
/// Words: calls, number, six arguments, then one for each number, with two counts.
const CALLS: u64 = 0;
const NUMBER: u64 = 8;
const ARGS: u64 = 16;
const TABLE: u64 = 64;
const PAGES: u64 = 2;

/// One lane's part.
#[derive(Clone, Copy)]
pub(crate) struct Lane(u64);

impl Lane {
    /// Makes so many lanes, shared with all children.
    pub(crate) fn all(count: u64) -> sys::Result<Vec<Self>> {
        let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let map = Map::with(PAGES * count, map::RW, shared, -1)?;
        (0..map.pages).for_each(|page| mem::poke(map.page(page), 0));
        Ok((0..count)
            .map(|lane| Self(map.page(PAGES * lane)))
            .collect())
    }

    /// Finds a lane where its victim was told that it lies.
    pub(crate) fn at(address: u64) -> Self {
        Self(address)
    }

    /// Where it lies.
    pub(crate) fn address(self) -> u64 {
        self.0
    }

    /// Begins anew, but for the table.
    pub(crate) fn reset(self) {
        mem::poke64(self.0 + CALLS, 0);
    }

    /// Says what is about to be done.
    pub(crate) fn begin(self, number: u64, args: &[u64; 6]) {
        mem::poke64(self.0 + NUMBER, number);
        for (index, arg) in args.iter().enumerate() {
            mem::poke64(self.0 + ARGS + 8 * index as u64, *arg);
        }
        add(self.0 + CALLS, 1);
        if number < NUMBERS {
            add(self.place(number), 1);
        }
    }

    /// Says that the call was refused.
    pub(crate) fn refused(self, number: u64) {
        if number < NUMBERS {
            add(self.place(number), 1 << 32);
        }
    }

    /// Calls since the last reset.
    pub(crate) fn calls(self) -> u64 {
        mem::peek64(self.0 + CALLS)
    }

    /// Calls of one number since the beginning, and how many of them were refused.
    pub(crate) fn of(self, number: u64) -> (u64, u64) {
        let both = mem::peek64(self.place(number));
        (both & 0xffff_ffff, both >> 32)
    }

    /// What was begun last.
    pub(crate) fn last(self) -> (u64, [u64; 6]) {
        let args = std::array::from_fn(|index| mem::peek64(self.0 + ARGS + 8 * index as u64));
        (mem::peek64(self.0 + NUMBER), args)
    }

    fn place(self, number: u64) -> u64 {
        self.0 + TABLE + 8 * number
    }
}

/// Adds to a word.
fn add(at: u64, what: u64) {
    mem::poke64(at, mem::peek64(at).wrapping_add(what));
}
