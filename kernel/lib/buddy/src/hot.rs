//! The single frames that were freed last, kept in front of the lists.
//!
//! Most frames come and go one by one, and most of them soon: splitting a block for each, and merging it
//! again, would be work for nothing, and what was used last is what the caches still hold. So single
//! frames are taken from this stack and given back to it; only what does not fit goes on to the lists,
//! and only when nothing is left does the next block come from there. To the lists a frame in the stack is
//! an allocated block of one.
//!
//! Each CPU has a stack of its own, and the lists are everybody's: so a stack moves frames from and to them only
//! when it is told to, by who has both locks.

use crate::buddy::Buddy;
use crate::node::Nodes;
use crate::{MAX_ORDER, frames};

/// How many frames it holds: what a process of some size leaves when it ends.
pub const CAPACITY: usize = 512;

/// The largest block it takes from the lists; larger ones are split.
const REFILL_ORDER: usize = 5;

/// How many frames that is, and the least room it has.
const LEAST: usize = 1 << REFILL_ORDER;

/// A stack of free frames.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hot {
    frames: [u32; CAPACITY],
    len: usize,
    /// How much of the capacity is not to be used.
    unused: usize,
}

impl Hot {
    /// Makes an empty one.
    pub const fn new() -> Self {
        Self {
            frames: [0; CAPACITY],
            len: 0,
            unused: 0,
        }
    }

    /// Lets it hold as many frames, within its capacity; at least as many as a block that it takes.
    pub fn set_room(&mut self, frames: usize) {
        self.unused = CAPACITY - frames.clamp(LEAST, CAPACITY);
    }

    /// Takes the frame that was given last; `None` if it has none, and needs a [`refill`](Self::refill).
    #[inline]
    pub fn pop(&mut self) -> Option<u32> {
        self.len = self.len.checked_sub(1)?;
        Some(self.frames[self.len])
    }

    /// Gives a frame back that came from [`pop`](Self::pop), or as a block of order 0 from the lists.
    ///
    /// # Panics
    /// When the frame is not an allocated block of one, and when it [is full](Self::is_full) to its capacity.
    #[inline]
    pub fn push(&mut self, nodes: &impl Nodes, frame: u32) {
        assert!(
            nodes.exists(frame) && nodes.node(frame).is_allocated(0),
            "only an allocated block is freed, once and whole: frame {frame:#x}"
        );
        self.frames[self.len] = frame;
        self.len += 1;
    }

    /// Returns whether it holds all that it should, and must [`spill`](Self::spill) before the next.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len + self.unused >= CAPACITY
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

    /// Takes the smallest free block of the lists, or a piece of it; `None` if they have nothing.
    #[cold]
    pub fn refill(&mut self, buddy: &mut Buddy, nodes: &mut impl Nodes) -> Option<()> {
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

    /// Gives the `count` frames that have been here longest to the lists, or all.
    #[cold]
    pub fn spill(&mut self, buddy: &mut Buddy, nodes: &mut impl Nodes, count: usize) {
        let count = count.min(self.len);
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
