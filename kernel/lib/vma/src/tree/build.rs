//! Making a tree of mappings that come in order, without looking for their places.

use alloc::boxed::Box;
use core::mem;

use arrayvec::ArrayVec;

use super::Tree;
use super::node::{Child, Node};
use super::slots::Slots;
use crate::Vma;

/// Levels above the leaves: as many as full nodes need for a mapping of each page there is.
const LEVELS: usize = 13;

type Levels<B> = ArrayVec<Box<Slots<Child<B>>>, LEVELS>;

/// A tree that is being built, as its right edge: the nodes that are not full yet.
pub(crate) struct Builder<B> {
    leaf: Box<Slots<Vma<B>>>,
    /// The inner nodes above it, from below.
    levels: Levels<B>,
    len: usize,
}

impl<B> Builder<B> {
    /// Begins with no mapping.
    pub(crate) fn new() -> Self {
        Self {
            leaf: Box::new(Slots::new()),
            levels: ArrayVec::new(),
            len: 0,
        }
    }

    /// Adds a mapping above all others.
    pub(crate) fn push(&mut self, vma: Vma<B>) {
        if self.leaf.is_full() {
            let full = mem::replace(&mut self.leaf, Box::new(Slots::new()));
            close(&mut self.levels, 0, Node::Leaf(full));
        }
        self.leaf.push(vma);
        self.len += 1;
    }

    /// Returns the tree.
    pub(crate) fn finish(mut self) -> Tree<B> {
        if self.len == 0 {
            return Tree::new();
        }
        let mut root = Node::Leaf(self.leaf);
        while !self.levels.is_empty() {
            close(&mut self.levels, 0, root);
            root = Node::Inner(self.levels.remove(0));
        }
        Tree {
            root: Some(root),
            len: self.len,
        }
    }
}

/// Hands a node to the open node at `level`, which goes to the level above itself if it is full.
fn close<B>(levels: &mut Levels<B>, level: usize, node: Node<B>) {
    let child = Child::new(node);
    match levels.get_mut(level) {
        Some(parent) if !parent.is_full() => parent.push(child),
        Some(parent) => {
            let full = mem::replace(parent, one(child));
            close(levels, level + 1, Node::Inner(full));
        }
        None => levels.push(one(child)),
    }
}

/// Makes a node of one child.
fn one<B>(child: Child<B>) -> Box<Slots<Child<B>>> {
    let mut children = Box::new(Slots::new());
    children.push(child);
    children
}
