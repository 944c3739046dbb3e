//! Allocating by splitting and freeing by merging.

use core::ops::Range;

use crate::lists::Lists;
use crate::node::{Node, Nodes};
use crate::{MAX_ORDER, frames};

/// The allocator's own state; the rest is in the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Buddy {
    pub(crate) lists: Lists,
}

impl Buddy {
    /// Makes an allocator that has no memory.
    pub const fn new() -> Self {
        Self {
            lists: Lists::new(),
        }
    }

    /// Gives frames to the allocator that it never had; their nodes are [`Node::INSIDE`].
    ///
    /// # Panics
    /// When the range reaches beyond the frame table.
    pub fn add_range(&mut self, nodes: &mut impl Nodes, range: Range<u32>) {
        let last_exists = range.is_empty() || nodes.exists(range.end - 1);
        assert!(last_exists, "memory is added that has no node: {range:?}");
        let mut at = range.start;
        while at < range.end {
            let order = largest_block(at, range.end);
            self.merge(nodes, at, order);
            at += frames(order);
        }
    }

    /// Takes `2^order` frames, aligned to as many; `None` when no such run is free.
    #[inline]
    pub fn alloc(&mut self, nodes: &mut impl Nodes, order: usize) -> Option<u32> {
        let found = self.lists.smallest_from(order)?;
        let frame = self.lists.pop(nodes, found);
        for half in (order..found).rev() {
            self.lists.push(nodes, frame + frames(half), half);
        }
        nodes.set_node(frame, Node::allocated(order));
        Some(frame)
    }

    /// Gives back what [`alloc`](Self::alloc) returned for the same order.
    ///
    /// # Panics
    /// When the block is not allocated in this order: a double free, or one of a part of a block.
    #[inline]
    pub fn free(&mut self, nodes: &mut impl Nodes, frame: u32, order: usize) {
        let node = nodes.exists(frame).then(|| nodes.node(frame));
        assert!(
            node.is_some_and(|node| node.is_allocated(order)),
            "only an allocated block is freed, once and whole: frame {frame:#x} order {order} is {node:?}"
        );
        self.merge(nodes, frame, order);
    }

    /// Makes an allocated block as many single frames, which are then freed one by one.
    ///
    /// # Panics
    /// When the block is not allocated in this order.
    pub fn shatter(&mut self, nodes: &mut impl Nodes, frame: u32, order: usize) {
        assert!(
            nodes.exists(frame) && nodes.node(frame).is_allocated(order),
            "only an allocated block is made single frames: frame {frame:#x} order {order}"
        );
        for single in frame..frame + frames(order) {
            nodes.set_node(single, Node::allocated(0));
        }
    }

    /// Returns how many frames are free.
    pub fn free_frames(&self) -> u64 {
        self.lists.free_frames()
    }

    /// Returns how many free blocks of exactly this order there are.
    pub fn free_blocks(&self, order: usize) -> u64 {
        u64::from(self.lists.blocks(order))
    }

    /// Frees a block, together with its buddy as long as that is free too.
    #[inline]
    fn merge(&mut self, nodes: &mut impl Nodes, mut frame: u32, mut order: usize) {
        while order < MAX_ORDER {
            let buddy = buddy_of(frame, order);
            if !nodes.exists(buddy) || !nodes.node(buddy).is_free(order) {
                break;
            }
            self.lists.unlink(nodes, buddy, order);
            nodes.set_node(frame.max(buddy), Node::INSIDE);
            frame = frame.min(buddy);
            order += 1;
        }
        self.lists.push(nodes, frame, order);
    }
}

impl Default for Buddy {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the other half of the next larger block.
#[inline]
pub(crate) fn buddy_of(frame: u32, order: usize) -> u32 {
    frame ^ frames(order)
}

/// Returns the order of the largest block that begins at `start` and ends by `end`.
fn largest_block(start: u32, end: u32) -> usize {
    let aligned = start.trailing_zeros();
    let fitting = (end - start).ilog2();
    aligned.min(fitting).min(MAX_ORDER as u32) as usize
}
