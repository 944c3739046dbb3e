//! The pages that a pipe's bytes lie in.
//!
//! # Invariants
//! A [`PipePage`] is one reference to its frame, which stays the pipes' as long as there is one.

use addr::{Frame, PAGE_SIZE};

use crate::mm::frame::{self, Owner};

/// A page of a pipe; a clone is the same page.
#[derive(PartialEq, Eq, Debug)]
pub struct PipePage(Frame);

impl PipePage {
    /// Takes a page, whose bytes are whatever they were.
    pub fn new() -> Option<Self> {
        frame::alloc(Owner::Pipe).map(Self)
    }

    /// The same for the only page of somebody, which is given as long as programs are given theirs.
    pub fn first() -> Option<Self> {
        Self::new().or_else(|| frame::alloc_first_buffer(Owner::Pipe).map(Self))
    }

    /// Takes `2^order` pages that follow each other.
    pub(super) fn run(order: usize) -> Option<impl Iterator<Item = Self>> {
        let first = frame::alloc_singles(Owner::Pipe, order)?.number();
        Some((first..first + (1 << order)).map(|number| Self(Frame::new(number))))
    }

    /// Returns the frame.
    #[inline]
    pub fn frame(&self) -> Frame {
        self.0
    }

    /// Returns whether nobody else has it.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        frame::refs(self.0) == 1
    }
}

impl Clone for PipePage {
    fn clone(&self) -> Self {
        frame::get(self.0);
        Self(self.0)
    }
}

impl Drop for PipePage {
    fn drop(&mut self) {
        frame::put(self.0);
    }
}

const _: () = assert!(pipebuf::PAGE as u64 == PAGE_SIZE);
