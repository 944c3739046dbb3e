//! The single frames that were freed last, kept in front of the lists.
//!
//! Most frames come and go one by one, and most of them soon: splitting a block for each, and merging it
//! again, would be work for nothing, and what was used last is what the caches still hold. So single
//! frames are taken from this stack and given back to it; only what does not fit goes on to the lists,
//! and only when nothing is left does the next block come from there. To the lists a frame in the stack is
//! an allocated block of one.

use crate::buddy::Buddy;
use crate::node::Nodes;
use crate::{MAX_ORDER, frames};

/// How many frames it holds: what a process of some size leaves when it ends.
pub const CAPACITY: usize = 512;

/// How many go back to the lists at a time.
const SPILLED: usize = 64;

/// The largest block it takes from the lists, of 32 frames; larger ones are split.
const REFILL_ORDER: usize = 5;

/// A stack of free frames.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hot {
    frames: [u32; CAPACITY],
    len: usize,
}

impl Hot {
    /// Makes an empty one.
    pub const fn new() -> Self {
        Self {
            frames: [0; CAPACITY],
            len: 0,
        }
    }

    /// Takes the frame that was given last; from the lists only if it has none, and `None` if neither has.
    #[inline]
    pub fn take(&mut self, buddy: &mut Buddy, nodes: &mut impl Nodes) -> Option<u32> {
        if self.len == 0 {
            self.refill(buddy, nodes)?;
        }
        self.len -= 1;
        Some(self.frames[self.len])
    }

    /// Gives a frame back that came from [`take`](Self::take), or as a block of order 0 from the lists.
    ///
    /// # Panics
    /// When the frame is not an allocated block of one.
    #[inline]
    pub fn give(&mut self, buddy: &mut Buddy, nodes: &mut impl Nodes, frame: u32) {
        assert!(
            nodes.exists(frame) && nodes.node(frame).is_allocated(0),
            "only an allocated block is freed, once and whole: frame {frame:#x}"
        );
        if self.len == CAPACITY {
            self.spill(buddy, nodes, SPILLED);
        }
        self.frames[self.len] = frame;
        self.len += 1;
    }

    /// Gives everything to the lists, where frames merge.
    pub fn drain(&mut self, buddy: &mut Buddy, nodes: &mut impl Nodes) {
        self.spill(buddy, nodes, self.len);
    }

    /// Returns how many frames it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the frames that it holds (for audits).
    pub fn held(&self) -> &[u32] {
        &self.frames[..self.len]
    }

    /// Takes the smallest free block, or a piece of it.
    #[cold]
    fn refill(&mut self, buddy: &mut Buddy, nodes: &mut impl Nodes) -> Option<()> {
        let order = (0..=MAX_ORDER).find(|order| buddy.free_blocks(*order) > 0)?;
        let order = order.min(REFILL_ORDER);
        let first = buddy.alloc(nodes, order)?;
        buddy.shatter(nodes, first, order);
        // The lowest frame is taken first.
        for frame in (first..first + frames(order)).rev() {
            self.frames[self.len] = frame;
            self.len += 1;
        }
        Some(())
    }

    /// Gives the `count` frames that have been here longest to the lists.
    #[cold]
    fn spill(&mut self, buddy: &mut Buddy, nodes: &mut impl Nodes, count: usize) {
        for frame in &self.frames[..count] {
            buddy.free(nodes, *frame, 0);
        }
        self.frames.copy_within(count..self.len, 0);
        self.len -= count;
    }
}

impl Default for Hot {
    fn default() -> Self {
        Self::new()
    }
}
