//! One node, and the changes that go down one path and put right what lies on it.

use alloc::boxed::Box;

use addr::Page;

use super::slots::{SPARSE, Slots};
use super::span::{Span, Spanned};
use crate::Vma;

/// A node of the tree.
#[derive(Clone, Debug)]
pub(super) enum Node<B> {
    Leaf(Box<Slots<Vma<B>>>),
    Inner(Box<Slots<Child<B>>>),
}

/// A node as its parent knows it.
#[derive(Clone, Debug)]
pub(super) struct Child<B> {
    span: Span,
    pub(super) node: Node<B>,
}

impl<B> Spanned for Child<B> {
    fn span(&self) -> Span {
        self.span
    }
}

impl<B> Child<B> {
    pub(super) fn new(node: Node<B>) -> Self {
        let span = node.span();
        Self { span, node }
    }

    /// Says whether the node extends as is stored.
    pub(super) fn span_is_right(&self) -> bool {
        self.span == self.node.span()
    }

    /// Lets `change` change the node, and looks at its extent again.
    fn update<R>(&mut self, change: impl FnOnce(&mut Node<B>) -> R) -> R {
        let result = change(&mut self.node);
        if !self.node.is_empty() {
            self.span = self.node.span();
        }
        result
    }
}

impl<B> Node<B> {
    /// Makes a leaf with one mapping.
    pub(super) fn leaf(vma: Vma<B>) -> Self {
        let mut vmas = Box::new(Slots::new());
        vmas.push(vma);
        Self::Leaf(vmas)
    }

    /// Makes the parent of two nodes.
    pub(super) fn parent(left: Self, right: Self) -> Self {
        let mut children = Box::new(Slots::new());
        children.push(Child::new(left));
        children.push(Child::new(right));
        Self::Inner(children)
    }

    /// Returns the number of mappings or children right here.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Leaf(vmas) => vmas.len(),
            Self::Inner(children) => children.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the extent of what lies below; there is something.
    pub(super) fn span(&self) -> Span {
        match self {
            Self::Leaf(vmas) => vmas.span(),
            Self::Inner(children) => children.span(),
        }
    }

    /// Returns the last mapping below.
    pub(super) fn last(&self) -> &Vma<B> {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(vmas) => return vmas.items().last().expect("a leaf holds something"),
                Self::Inner(children) => {
                    let last = children.items().last();
                    node = &last.expect("an inner node holds something").node;
                }
            }
        }
    }

    /// Takes out the only child of an inner node, if it has no other.
    pub(super) fn only_child(&mut self) -> Option<Self> {
        match self {
            Self::Leaf(_) => None,
            Self::Inner(children) => children.pop_only().map(|child| child.node),
        }
    }

    /// Adds `vma`. Returns the upper half of this node if it had to be split.
    pub(super) fn insert(&mut self, vma: Vma<B>) -> Option<Self> {
        self.visited();
        match self {
            Self::Leaf(vmas) => {
                let upper = vmas.insert(vmas.rank(vma.range.start), vma);
                upper.map(Self::Leaf)
            }
            Self::Inner(children) => {
                let at = children.rank(vma.range.start).min(children.len() - 1);
                let right = children.update(at, |child| child.update(|node| node.insert(vma)));
                let Some(right) = right else {
                    settle(children, at);
                    return None;
                };
                let mut upper = children.insert(at + 1, Child::new(right));
                join_sparse(children);
                if let Some(upper) = &mut upper {
                    join_sparse(upper);
                }
                upper.map(Self::Inner)
            }
        }
    }

    /// Takes out the mapping that contains `page`, which may leave this node empty.
    pub(super) fn remove(&mut self, page: Page) -> Vma<B> {
        self.visited();
        match self {
            Self::Leaf(vmas) => vmas.remove(vmas.rank(page)),
            Self::Inner(children) => {
                let at = children.rank(page);
                let vma = children.update(at, |child| child.update(|node| node.remove(page)));
                settle(children, at);
                vma
            }
        }
    }

    /// Lets `change` change the mapping that contains `page`.
    pub(super) fn update<R>(&mut self, page: Page, change: impl FnOnce(&mut Vma<B>) -> R) -> R {
        self.visited();
        match self {
            Self::Leaf(vmas) => vmas.update(vmas.rank(page), change),
            Self::Inner(children) => children.update(children.rank(page), |child| {
                child.update(|node| node.update(page, change))
            }),
        }
    }

    /// Adds the contents of `upper`, a node of the same level, above all others.
    fn append(&mut self, upper: Self) {
        match (self, upper) {
            (Self::Leaf(vmas), Self::Leaf(mut upper)) => vmas.append(&mut upper),
            (Self::Inner(children), Self::Inner(mut upper)) => {
                let border = children.len();
                children.append(&mut upper);
                // These two were no neighbours: they had different parents.
                join_if_sparse(children, border.wrapping_sub(1));
            }
            _ => unreachable!("the children of one node are on one level"),
        }
    }

    /// Counts the visit in tests.
    #[inline]
    pub(super) fn visited(&self) {
        #[cfg(test)]
        super::tests::VISITS.with(|visits| visits.set(visits.get() + 1));
    }
}

/// Puts right what a change of the child at `at` left behind: an empty child goes, and one that
/// holds little joins a neighbour that does too.
fn settle<B>(children: &mut Slots<Child<B>>, at: usize) {
    match children.items()[at].node.len() {
        0 => {
            children.remove(at);
        }
        1..SPARSE => {
            join_if_sparse(children, at);
            join_if_sparse(children, at.wrapping_sub(1));
        }
        _ => {}
    }
}

/// Makes one node of any two neighbours that hold little.
fn join_sparse<B>(children: &mut Slots<Child<B>>) {
    for at in (1..children.len()).rev() {
        join_if_sparse(children, at - 1);
    }
}

/// Makes one node of the children at `at` and above it, if there are two and they hold little.
fn join_if_sparse<B>(children: &mut Slots<Child<B>>, at: usize) {
    let Some([lower, upper, ..]) = children.items().get(at..) else {
        return;
    };
    if lower.node.len() + upper.node.len() > SPARSE {
        return;
    }
    let upper = children.remove(at + 1);
    children.update(at, |child| child.update(|node| node.append(upper.node)));
}
