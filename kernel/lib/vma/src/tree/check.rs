//! Whether the tree's invariants hold.

use super::Tree;
use super::node::Node;
use super::slots::SPARSE;

/// The height of a sound tree, or what is wrong with it.
type Height = Result<usize, &'static str>;

impl<B> Tree<B> {
    /// Looks at every node; returns what is wrong, in words.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let Some(root) = &self.root else {
            return match self.len {
                0 => Ok(()),
                _ => Err("an empty tree says it is not"),
            };
        };
        if matches!(root, Node::Inner(children) if children.len() < 2) {
            return Err("an inner root has one child");
        }
        root.check()?;
        if self.iter_from(addr::Page::new(0)).count() == self.len {
            Ok(())
        } else {
            Err("the number of mappings is not what is kept")
        }
    }
}

impl<B> Node<B> {
    fn check(&self) -> Height {
        if self.is_empty() {
            return Err("a node is empty");
        }
        let (keys, height) = match self {
            Self::Leaf(vmas) => (vmas.keys_are_right(), 1),
            Self::Inner(children) => {
                let mut heights = children.items().iter().map(|child| child.node.check());
                let first = heights.next().expect("the node is not empty")?;
                for height in heights {
                    if height? != first {
                        return Err("the leaves are not on one level");
                    }
                }
                for pair in children.items().windows(2) {
                    if pair[0].node.len() + pair[1].node.len() <= SPARSE {
                        return Err("two neighbouring nodes hold next to nothing");
                    }
                }
                if !children.items().iter().all(|child| child.span_is_right()) {
                    return Err("a child extends otherwise than its parent knows");
                }
                (children.keys_are_right(), first + 1)
            }
        };
        if keys {
            Ok(height)
        } else {
            Err("a key is not where its item ends")
        }
    }
}
