//! The mappings in order: a B+ tree whose nodes know the widest gap below them.
//!
//! Mappings live in the leaves, up to 16 in each; an inner node has up to 16 children and
//! for each child its [`Span`](span::Span): where its mappings begin and end, and the widest
//! free gap between two of them. A look-up therefore visits one node of each level, and so
//! does the search for a place: a child without a wide gap is passed over (VM-4).
//!
//! The tree knows what a mapping's pages are, not what they mean: joining and cutting is
//! done by its callers. It calls nobody but the allocator, for one node in many insertions.
//!
//! # Invariants
//!
//! 1. The mappings are disjoint and in order, and every node but an empty tree's root,
//!    which is none, holds something.
//! 2. All leaves are equally far from the root, and an inner root has two children or more.
//! 3. Two neighbouring children of one parent hold more than [`slots::SPARSE`] items together, so
//!    that a tree of n mappings is logarithmically high whatever was removed.
//! 4. What a node stores of its items and children (ends and spans) is what they say of
//!    themselves.
//!
//! Reading order: `span.rs`; `slots.rs` for the contents of one node; `node.rs` for changes,
//! down one path and back up; `gap.rs` for finding a place, `iter.rs`, `build.rs` for a copy.

mod build;
mod check;
mod gap;
mod iter;
mod node;
mod slots;
mod span;
#[cfg(test)]
mod tests;

use addr::Page;

use crate::Vma;
use node::Node;

pub(crate) use build::Builder;
pub(crate) use iter::Iter;

/// Disjoint mappings in order. See the module's head for the invariants.
#[derive(Clone, Debug)]
pub(crate) struct Tree<B> {
    root: Option<Node<B>>,
    len: usize,
}

impl<B> Tree<B> {
    /// Makes a tree without mappings; it allocates nothing.
    pub(crate) const fn new() -> Self {
        Self { root: None, len: 0 }
    }

    /// Returns the number of mappings.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the first mapping that ends above `page`, and those that follow it in the same
    /// leaf; nothing if no mapping ends above `page`.
    pub(crate) fn leaf_from(&self, page: Page) -> &[Vma<B>] {
        let mut next = self.root.as_ref();
        while let Some(node) = next {
            node.visited();
            match node {
                Node::Inner(children) => next = children.first_above(page).map(|child| &child.node),
                Node::Leaf(vmas) => return vmas.from(page),
            }
        }
        &[]
    }

    /// Returns the first mapping that ends above `page`.
    pub(crate) fn find_from(&self, page: Page) -> Option<&Vma<B>> {
        self.leaf_from(page).first()
    }

    /// Returns the last mapping that ends at or below `page`.
    pub(crate) fn prev_of(&self, page: Page) -> Option<&Vma<B>> {
        let mut next = self.root.as_ref();
        let mut before = None;
        while let Some(node) = next {
            node.visited();
            match node {
                Node::Inner(children) => {
                    before = children.last_up_to(page).or(before);
                    next = children.first_above(page).map(|child| &child.node);
                }
                Node::Leaf(vmas) => match vmas.last_up_to(page) {
                    Some(vma) => return Some(vma),
                    None => break,
                },
            }
        }
        before.map(|child| child.node.last())
    }

    /// Visits the mappings from the first that ends above `page` on, lowest first.
    pub(crate) fn iter_from(&self, page: Page) -> Iter<'_, B> {
        Iter::new(self, page)
    }

    /// Adds `vma`, whose pages are free.
    pub(crate) fn insert(&mut self, vma: Vma<B>) {
        self.len += 1;
        let Some(root) = &mut self.root else {
            self.root = Some(Node::leaf(vma));
            return;
        };
        match root.insert(vma) {
            None => self.settle(),
            Some(right) => {
                let left = self.root.take().expect("the root was just split");
                self.root = Some(Node::parent(left, right));
            }
        }
    }

    /// Takes out the mapping that contains `page`.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn remove(&mut self, page: Page) -> Vma<B> {
        let root = self.root.as_mut().expect("the mapping to remove is there");
        let vma = root.remove(page);
        self.len -= 1;
        self.settle();
        vma
    }

    /// Lets `change` change the mapping that contains `page` and returns what it returns. The
    /// mapping's edges may move over free pages and over `page`, but not over other mappings.
    ///
    /// # Panics
    /// If there is no such mapping.
    pub(crate) fn update<R>(&mut self, page: Page, change: impl FnOnce(&mut Vma<B>) -> R) -> R {
        let root = self.root.as_mut().expect("the mapping to change is there");
        root.update(page, change)
    }

    /// Takes away a root that holds nothing or one child.
    fn settle(&mut self) {
        let Some(root) = &mut self.root else { return };
        if root.is_empty() {
            self.root = None;
        } else if let Some(only) = root.only_child() {
            self.root = Some(only);
        }
    }
}
