//! Visiting mappings in order.

use addr::Page;

use super::Tree;
use crate::Vma;

/// Visits the mappings of a tree, lowest first.
///
/// At the end of each leaf it comes down from the root again: no node knows its neighbour.
#[derive(Clone, Debug)]
pub(crate) struct Iter<'a, B> {
    tree: &'a Tree<B>,
    /// The rest of the present leaf.
    leaf: &'a [Vma<B>],
    /// Where to carry on after it.
    next: Page,
}

impl<'a, B> Iter<'a, B> {
    pub(super) fn new(tree: &'a Tree<B>, page: Page) -> Self {
        Self {
            tree,
            leaf: &[],
            next: page,
        }
    }
}

impl<'a, B> Iterator for Iter<'a, B> {
    type Item = &'a Vma<B>;

    fn next(&mut self) -> Option<&'a Vma<B>> {
        if self.leaf.is_empty() {
            self.leaf = self.tree.leaf_from(self.next);
        }
        let (vma, rest) = self.leaf.split_first()?;
        self.leaf = rest;
        self.next = vma.range.end;
        Some(vma)
    }
}
