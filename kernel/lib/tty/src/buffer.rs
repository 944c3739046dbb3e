//! What was typed and not read: a ring of bytes, some of which end a line.
//!
//! ```text
//!   tail ───────────► committed ─────────► head
//!    lines to be read │ the line being edited
//! ```
//! Places count up for ever; a byte's place modulo the ring's size is where it lies.

use alloc::boxed::Box;

use crate::ring::{self, NoMemory};

/// Bytes that fit. A line is one shorter at most, its end not counted.
pub const CAPACITY: usize = 4096;
const WORDS: usize = CAPACITY / 64;

/// The byte that stands for an end of input, where it is marked as the end of a line.
pub(crate) const END: u8 = 0;

pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    /// Which bytes end a line.
    ends: [u64; WORDS],
    tail: usize,
    committed: usize,
    head: usize,
}

impl Buffer {
    pub(crate) fn new() -> Result<Self, NoMemory> {
        Ok(Self {
            bytes: ring::bytes(CAPACITY)?,
            ends: [0; WORDS],
            tail: 0,
            committed: 0,
            head: 0,
        })
    }

    /// Everything that waits, the line being edited included.
    pub(crate) const fn len(&self) -> usize {
        self.head - self.tail
    }

    /// The line being edited: its places.
    pub(crate) const fn editing(&self) -> core::ops::Range<usize> {
        self.committed..self.head
    }

    pub(crate) const fn is_editing(&self) -> bool {
        self.committed != self.head
    }

    /// Whether a whole line waits.
    pub(crate) const fn has_line(&self) -> bool {
        self.tail != self.committed
    }

    pub(crate) fn at(&self, place: usize) -> u8 {
        self.bytes[place % CAPACITY]
    }

    pub(crate) const fn clear(&mut self) {
        self.tail = self.head;
        self.committed = self.head;
        self.ends = [0; WORDS];
    }

    /// Adds a byte; the caller has made sure of the room.
    pub(crate) fn push(&mut self, byte: u8) {
        self.bytes[self.head % CAPACITY] = byte;
        self.mark(self.head, false);
        self.head += 1;
    }

    /// Takes back what was typed from `place` on.
    pub(crate) const fn cut(&mut self, place: usize) {
        self.head = place;
    }

    /// Ends the line being edited with `byte`.
    pub(crate) fn end_line(&mut self, byte: u8) {
        self.push(byte);
        self.mark(self.head - 1, true);
        self.committed = self.head;
    }

    /// From here on there are lines: what waits counts as one.
    pub(crate) const fn begin_lines(&mut self) {
        self.ends = [0; WORDS];
        if self.tail != self.head {
            self.mark(self.head - 1, true);
        }
        self.committed = self.head;
    }

    /// From here on there are no lines: all that waits can be read.
    pub(crate) const fn end_lines(&mut self) {
        self.ends = [0; WORDS];
        self.committed = self.tail;
    }

    const fn mark(&mut self, place: usize, ends: bool) {
        let (word, bit) = (place % CAPACITY / 64, 1 << (place % 64));
        match ends {
            true => self.ends[word] |= bit,
            false => self.ends[word] &= !bit,
        }
    }

    /// The oldest byte and whether it ends a line.
    pub(crate) fn first(&self) -> Option<(u8, bool)> {
        if self.tail == self.head {
            return None;
        }
        Some((self.at(self.tail), self.ends_line(self.tail)))
    }

    /// How many bytes of whole lines wait, ends of input not counted.
    pub(crate) fn readable_in_lines(&self) -> usize {
        let is_end = |place: usize| self.at(place) == END && self.ends_line(place);
        (self.tail..self.committed)
            .filter(|place| !is_end(*place))
            .count()
    }

    const fn ends_line(&self, place: usize) -> bool {
        self.ends[place % CAPACITY / 64] & 1 << (place % 64) != 0
    }

    /// Takes the oldest byte.
    pub(crate) const fn advance(&mut self) {
        self.tail += 1;
        if self.committed < self.tail {
            self.committed = self.tail;
        }
    }
}
