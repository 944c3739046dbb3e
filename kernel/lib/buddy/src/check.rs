//! The walk over everything that must hold, for tests and audits.

use crate::buddy::{Buddy, buddy_of};
use crate::node::{NIL, Node, Nodes};
use crate::{MAX_ORDER, frames};

impl Buddy {
    /// Walks all free lists; says in words which invariant is broken.
    ///
    /// It reads the node of every free frame.
    pub fn check(&self, nodes: &impl Nodes) -> Result<(), &'static str> {
        let mut free = 0;
        for order in 0..=MAX_ORDER {
            free += u64::from(self.check_list(nodes, order)?) * u64::from(frames(order));
        }
        ensure(
            free == self.free_frames(),
            "the count of free frames is wrong",
        )
    }

    /// Walks one list; returns its length.
    fn check_list(&self, nodes: &impl Nodes, order: usize) -> Result<u32, &'static str> {
        let expected = self.lists.blocks(order);
        let (mut at, mut prev, mut length) = (self.lists.head(order), NIL, 0);
        while at != NIL {
            ensure(length < expected, "a free list is longer than its count")?;
            let node = check_block(nodes, at, order)?;
            ensure(node.prev == prev, "a free list's links do not match")?;
            (at, prev, length) = (node.next, at, length + 1);
        }
        let found = self.lists.smallest_from(order) == Some(order);
        ensure(
            found == (length > 0),
            "an order's bit does not match its list",
        )?;
        ensure(length == expected, "a free list is shorter than its count")?;
        Ok(length)
    }
}

fn check_block(nodes: &impl Nodes, frame: u32, order: usize) -> Result<Node, &'static str> {
    ensure(
        frame.is_multiple_of(frames(order)),
        "a free block is not aligned to its size",
    )?;
    let mut block = frame..frame + frames(order);
    ensure(
        block.clone().all(|frame| nodes.exists(frame)),
        "a free block reaches beyond the frame table",
    )?;
    ensure(
        nodes.node(frame).is_free(order),
        "a block in a free list is not marked free",
    )?;
    block.next();
    ensure(
        block.clone().all(|frame| nodes.node(frame) == Node::INSIDE),
        "a free block has another block inside",
    )?;
    ensure(
        order == MAX_ORDER || !is_free_block(nodes, buddy_of(frame, order), order),
        "two free buddies are not merged",
    )?;
    Ok(nodes.node(frame))
}

fn is_free_block(nodes: &impl Nodes, frame: u32, order: usize) -> bool {
    nodes.exists(frame) && nodes.node(frame).is_free(order)
}

fn ensure(holds: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(otherwise) }
}
