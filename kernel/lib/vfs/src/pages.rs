//! Which pages of a file are in memory, in which frames, and which of them are dirty.
//!
//! Pages stand in chunks of 64, so that a dense file costs few bytes a page, a sparse one nothing
//! for its holes, and both a short way to each page.
//!
//! # Invariants
//! No chunk is empty; `dirty` marks pages that are present only; `count` counts the present ones.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::ops::Range;

use addr::{Frame, PAGE_SIZE};

/// Pages of a chunk: as many as a word has bits.
const CHUNK: u64 = 64;

/// The pages of one file that are in memory.
#[derive(Default)]
pub struct Pages {
    chunks: BTreeMap<u64, Box<Chunk>>,
    count: u64,
}

/// A page in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Where it is.
    pub frame: Frame,
    /// Whether it differs from what it was filled with.
    pub dirty: bool,
}

struct Chunk {
    frames: [u32; CHUNK as usize],
    present: u64,
    dirty: u64,
}

impl Chunk {
    const EMPTY: Self = Self {
        frames: [0; CHUNK as usize],
        present: 0,
        dirty: 0,
    };

    fn get(&self, at: u64) -> Option<Slot> {
        (self.present >> at & 1 != 0).then(|| Slot {
            frame: Frame::new(self.frames[at as usize].into()),
            dirty: self.dirty >> at & 1 != 0,
        })
    }

    fn take(&mut self, at: u64) -> Option<Slot> {
        let slot = self.get(at)?;
        self.present &= !(1 << at);
        self.dirty &= !(1 << at);
        Some(slot)
    }
}

fn split(index: u64) -> (u64, u64) {
    (index / CHUNK, index % CHUNK)
}

impl Pages {
    /// Makes an empty set.
    pub const fn new() -> Self {
        Self {
            chunks: BTreeMap::new(),
            count: 0,
        }
    }

    /// Returns how many pages are in memory.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Returns whether none is.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns page `index` if it is in memory.
    pub fn get(&self, index: u64) -> Option<Slot> {
        let (chunk, at) = split(index);
        self.chunks.get(&chunk)?.get(at)
    }

    /// Calls `each` for the pages of `range` that are in memory, lowest first. It looks at every chunk
    /// of the range: meant for few pages.
    pub fn each_in(&self, range: Range<u64>, mut each: impl FnMut(u64, Slot)) {
        let mut at = range.start;
        while at < range.end {
            let (key, first) = split(at);
            let base = key * CHUNK;
            let len = (range.end - base).min(CHUNK);
            if let Some(chunk) = self.chunks.get(&key) {
                let mut rest = chunk.present & u64::MAX << first & u64::MAX >> (CHUNK - len);
                while rest != 0 {
                    let bit = u64::from(rest.trailing_zeros());
                    rest &= rest - 1;
                    let slot = chunk.get(bit).expect("only what is present is visited");
                    each(base + bit, slot);
                }
            }
            at = base + len;
        }
    }

    /// Puts a page that was absent into memory.
    pub fn insert(&mut self, index: u64, slot: Slot) {
        let (chunk, at) = split(index);
        let chunk = self
            .chunks
            .entry(chunk)
            .or_insert_with(|| Box::new(Chunk::EMPTY));
        assert!(
            chunk.present >> at & 1 == 0,
            "a page of a file has one frame: page {index} has two"
        );
        chunk.frames[at as usize] = slot.frame.number() as u32;
        chunk.present |= 1 << at;
        chunk.dirty |= u64::from(slot.dirty) << at;
        self.count += 1;
    }

    /// Marks a page dirty; returns whether it was in memory and clean.
    pub fn mark_dirty(&mut self, index: u64) -> bool {
        let (chunk, at) = split(index);
        let Some(chunk) = self.chunks.get_mut(&chunk) else {
            return false;
        };
        let newly = chunk.present & !chunk.dirty & 1 << at != 0;
        chunk.dirty |= chunk.present & 1 << at;
        newly
    }

    /// Takes a page out.
    pub fn remove(&mut self, index: u64) -> Option<Slot> {
        let (key, at) = split(index);
        let chunk = self.chunks.get_mut(&key)?;
        let slot = chunk.take(at)?;
        if chunk.present == 0 {
            self.chunks.remove(&key);
        }
        self.count -= 1;
        Some(slot)
    }

    /// Takes out the lowest page of `from..to`.
    pub fn remove_in(&mut self, from: u64, to: u64) -> Option<(u64, Slot)> {
        let index = self.next_present(from).filter(|index| *index < to)?;
        self.remove(index).map(|slot| (index, slot))
    }

    /// Takes all pages out, lowest first.
    pub fn take_all(&mut self) -> impl Iterator<Item = Slot> + use<> {
        self.count = 0;
        let chunks = core::mem::take(&mut self.chunks).into_values();
        chunks.flat_map(|chunk| (0..CHUNK).filter_map(move |at| chunk.get(at)))
    }

    /// Returns the first page at or after `index` that is in memory.
    pub fn next_present(&self, index: u64) -> Option<u64> {
        let (first, at) = split(index);
        self.chunks.range(first..).find_map(|(key, chunk)| {
            let from = if *key == first { at } else { 0 };
            let bits = chunk.present & u64::MAX << from;
            (bits != 0).then(|| key * CHUNK + u64::from(bits.trailing_zeros()))
        })
    }

    /// Returns the first page at or after `index` that is not in memory.
    pub fn next_absent(&self, index: u64) -> u64 {
        let (mut key, mut from) = split(index);
        loop {
            let present = self.chunks.get(&key).map_or(0, |chunk| chunk.present);
            let bits = !present & u64::MAX << from;
            if bits != 0 {
                return key * CHUNK + u64::from(bits.trailing_zeros());
            }
            (key, from) = (key + 1, 0);
        }
    }

    /// Returns the first page at or after `index` that is in memory and clean.
    pub fn next_clean(&self, index: u64) -> Option<u64> {
        let (first, at) = split(index);
        self.chunks.range(first..).find_map(|(key, chunk)| {
            let from = if *key == first { at } else { 0 };
            let bits = chunk.present & !chunk.dirty & u64::MAX << from;
            (bits != 0).then(|| key * CHUNK + u64::from(bits.trailing_zeros()))
        })
    }

    /// Counts the pages in memory from `index` on.
    pub fn count_from(&self, index: u64) -> u64 {
        let (first, at) = split(index);
        let counts = self.chunks.range(first..).map(|(key, chunk)| {
            let from = if *key == first { at } else { 0 };
            u64::from((chunk.present & u64::MAX << from).count_ones())
        });
        counts.sum()
    }
}

/// Returns the pieces of a range of bytes that are not whole pages: at most two, each inside one page.
pub fn edges(range: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let first_whole = range.start.div_ceil(PAGE_SIZE).saturating_mul(PAGE_SIZE);
    let last_whole = range.end / PAGE_SIZE * PAGE_SIZE;
    let head = range.start..range.end.min(first_whole);
    let tail = head.end.max(last_whole)..range.end;
    [head, tail].into_iter().filter(|edge| !edge.is_empty())
}
