//! The free lists: one doubly linked list of blocks per order, threaded through the nodes.

use crate::node::{NIL, Node, Nodes};
use crate::{MAX_ORDER, frames};

/// The heads of the free lists, and how much is in them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lists {
    heads: [u32; MAX_ORDER + 1],
    blocks: [u32; MAX_ORDER + 1],
    /// Bit `o` is set when the list of order `o` is not empty.
    occupied: u16,
    free_frames: u64,
}

impl Lists {
    pub(crate) const fn new() -> Self {
        Self {
            heads: [NIL; MAX_ORDER + 1],
            blocks: [0; MAX_ORDER + 1],
            occupied: 0,
            free_frames: 0,
        }
    }

    pub(crate) fn head(&self, order: usize) -> u32 {
        self.heads[order]
    }

    pub(crate) fn blocks(&self, order: usize) -> u32 {
        self.blocks[order]
    }

    pub(crate) fn free_frames(&self) -> u64 {
        self.free_frames
    }

    /// Returns the smallest order, at least `order`, of which there is a free block.
    #[inline]
    pub(crate) fn smallest_from(&self, order: usize) -> Option<usize> {
        let fitting = self.occupied.checked_shr(order as u32).unwrap_or(0);
        (fitting != 0).then(|| order + fitting.trailing_zeros() as usize)
    }

    /// Takes the first block out of a list that is not empty.
    #[inline]
    pub(crate) fn pop(&mut self, nodes: &mut impl Nodes, order: usize) -> u32 {
        let frame = self.heads[order];
        self.unlink(nodes, frame, order);
        frame
    }

    /// Puts a block in front of its list.
    #[inline]
    pub(crate) fn push(&mut self, nodes: &mut impl Nodes, frame: u32, order: usize) {
        let next = self.heads[order];
        let node = Node {
            next,
            prev: NIL,
            order: order as u8,
            free: true,
        };
        nodes.set_node(frame, node);
        if next != NIL {
            let prev = frame;
            let node = nodes.node(next);
            nodes.set_node(next, Node { prev, ..node });
        }
        self.heads[order] = frame;
        self.blocks[order] += 1;
        self.occupied |= 1 << order;
        self.free_frames += u64::from(frames(order));
    }

    /// Takes a block out of its list; its node is the caller's to write.
    #[inline]
    pub(crate) fn unlink(&mut self, nodes: &mut impl Nodes, frame: u32, order: usize) {
        let Node { next, prev, .. } = nodes.node(frame);
        if next != NIL {
            let node = nodes.node(next);
            nodes.set_node(next, Node { prev, ..node });
        }
        if prev != NIL {
            let node = nodes.node(prev);
            nodes.set_node(prev, Node { next, ..node });
        } else {
            self.heads[order] = next;
        }
        self.blocks[order] -= 1;
        if self.heads[order] == NIL {
            self.occupied &= !(1 << order);
        }
        self.free_frames -= u64::from(frames(order));
    }
}
