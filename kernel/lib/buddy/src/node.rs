//! What the allocator keeps for each frame.

/// No frame: the end of a list.
pub const NIL: u32 = u32::MAX;

/// Set in [`Node::order`] of an allocated block's first frame.
const ALLOCATED: u8 = 0x80;

/// One frame's place in the allocator. Only the first frame of a block has a meaningful one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// The next free block of the same order, or [`NIL`]. While the block is allocated the links
    /// are the owner's to use.
    pub next: u32,
    /// The previous free block of the same order, or [`NIL`].
    pub prev: u32,
    /// The order of the block, with the top bit set while it is allocated.
    pub order: u8,
    /// Whether the block is free.
    pub free: bool,
}

impl Node {
    /// A frame inside a block, or one the allocator was never given. All zeroes, so that a
    /// cleared frame table is a valid beginning.
    pub const INSIDE: Self = Self {
        next: 0,
        prev: 0,
        order: 0,
        free: false,
    };

    /// The first frame of an allocated block.
    pub(crate) const fn allocated(order: usize) -> Self {
        Self {
            next: NIL,
            prev: NIL,
            order: order as u8 | ALLOCATED,
            free: false,
        }
    }

    /// Says whether this is the first frame of an allocated block of this order.
    pub(crate) fn is_allocated(self, order: usize) -> bool {
        !self.free && self.order == Self::allocated(order).order
    }

    /// Says whether this is the first frame of a free block of this order.
    pub(crate) fn is_free(self, order: usize) -> bool {
        self.free && usize::from(self.order) == order
    }
}

/// The store of all nodes: a frame table. What is set is what is read back, except for the links
/// of allocated blocks.
pub trait Nodes {
    /// Returns the node of a frame that [exists](Self::exists).
    fn node(&self, frame: u32) -> Node;

    /// Stores the node of a frame that [exists](Self::exists).
    fn set_node(&mut self, frame: u32, node: Node);

    /// Says whether the table has a node for this frame.
    fn exists(&self, frame: u32) -> bool;
}
