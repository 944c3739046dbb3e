//! What the tree promises beyond what the set shows: its shape, and how many nodes are visited.

use alloc::vec::Vec;
use core::cell::Cell;
use std::thread_local;

use addr::{Page, PageRange};

use super::node::Node;
use super::{Builder, Tree};
use crate::{VmFlags, Vma};

thread_local! {
    /// Nodes visited on this thread.
    pub(super) static VISITS: Cell<usize> = const { Cell::new(0) };
}

/// As many mappings as Linux allows an address space.
const MANY: u64 = 65_530;

/// Makes a mapping of one page, two pages for each number, so that there is a hole above it.
fn page(number: u64) -> Vma<()> {
    let start = Page::new(2 * number);
    Vma {
        range: PageRange::new(start, start.next()),
        flags: VmFlags::empty(),
        backing: (),
    }
}

/// Makes a tree of `len` mappings at once.
fn built(len: u64) -> Tree<()> {
    let mut tree = Builder::new();
    for number in 0..len {
        tree.push(page(number));
    }
    tree.finish()
}

/// Makes a tree one by one, of the mappings that are not there already.
fn grown(numbers: impl Iterator<Item = u64>) -> Tree<()> {
    let mut tree = Tree::new();
    for number in numbers {
        tree.insert(page(number));
    }
    tree
}

/// Returns the numbers up to `MANY`, not in order.
fn scattered() -> impl Iterator<Item = u64> {
    // 65,537 is prime, and 3 generates all its residues but 0.
    let powers = core::iter::successors(Some(1), |last| Some(last * 3 % 65_537));
    powers
        .take(65_536)
        .map(|power| power - 1)
        .filter(|number| *number < MANY)
}

/// Returns how many nodes `what` visits.
fn visits<R>(what: impl FnOnce() -> R) -> usize {
    let before = VISITS.get();
    what();
    VISITS.get() - before
}

fn numbers(tree: &Tree<()>) -> Vec<u64> {
    let all = tree.iter_from(Page::new(0));
    all.map(|vma| vma.range.start.number() / 2).collect()
}

/// Counts the leaves.
fn leaves(node: &Node<()>) -> usize {
    match node {
        Node::Leaf(_) => 1,
        Node::Inner(children) => {
            let children = children.items().iter();
            children.map(|child| leaves(&child.node)).sum()
        }
    }
}

#[test]
fn a_tree_of_any_size_is_built_with_every_mapping_in_its_place() {
    for len in (0..600).chain([4096, 4097, 65_536, 65_537]) {
        let tree = built(len);
        assert_eq!(tree.check(), Ok(()), "{len} mappings");
        assert!(numbers(&tree).into_iter().eq(0..len), "{len} mappings");
    }
}

#[test]
fn any_mapping_can_be_taken_out_and_put_back() {
    for len in (1..60).chain([256, 257, 300]) {
        for number in 0..len {
            let mut tree = built(len);
            assert_eq!(tree.remove(Page::new(2 * number)), page(number));
            assert_eq!(tree.check(), Ok(()), "{len} mappings without {number}");
            tree.insert(page(number));
            assert_eq!(tree.check(), Ok(()), "{len} mappings with {number}");
            assert!(numbers(&tree).into_iter().eq(0..len));
        }
    }
}

#[test]
fn a_tree_keeps_its_shape_until_it_is_empty() {
    type Order = fn(usize) -> usize;
    let orders: [Order; 3] = [|_| 0, |left| left - 1, |left| left * 2 / 3];
    for order in orders {
        let mut left: Vec<u64> = scattered().filter(|number| *number < 2000).collect();
        let mut tree = grown(left.iter().copied());
        left.sort_unstable();
        while !left.is_empty() {
            let number = left.remove(order(left.len()));
            assert_eq!(tree.remove(Page::new(2 * number)), page(number));
            assert_eq!(tree.check(), Ok(()));
            assert_eq!(numbers(&tree), left);
        }
    }
}

/// Mappings are made from the top down, each below the last.
#[test]
fn mappings_made_in_order_fill_their_nodes() {
    for tree in [grown(0..MANY), grown((0..MANY).rev())] {
        assert_eq!(tree.check(), Ok(()));
        let leaves = tree.root.as_ref().map_or(0, leaves);
        assert!(leaves <= (MANY as usize).div_ceil(13), "{leaves} leaves");
    }
}

#[test]
fn a_look_up_among_many_visits_few_nodes() {
    for tree in [
        built(MANY),
        grown(0..MANY),
        grown((0..MANY).rev()),
        grown(scattered()),
    ] {
        assert_eq!(tree.check(), Ok(()));
        for number in (0..MANY).step_by(97) {
            let at = Page::new(2 * number);
            assert!(visits(|| tree.find_from(at)) <= 5);
            assert!(visits(|| tree.prev_of(at)) <= 5);
        }
    }
    let few = built(10);
    assert_eq!(visits(|| few.find_from(Page::new(9))), 1);
}

#[test]
fn a_place_among_many_is_found_by_visiting_few_nodes() {
    let mut tree = grown(scattered());
    let top = Page::new(2 * MANY);
    let near = visits(|| assert!(tree.find_gap(1, Page::new(0), top).is_some()));
    assert!(near <= 5, "{near} nodes for the highest hole");
    let none = visits(|| assert_eq!(tree.find_gap(2, Page::new(0), top), None));
    assert_eq!(none, 1, "no node has two free pages in a row");
    for number in [1, MANY / 3, MANY - 2] {
        let vma = tree.remove(Page::new(2 * number));
        let hole = Page::new(2 * number - 1);
        for ceiling in [top, Page::new(2 * number + 2), Page::new(MANY)] {
            let found = (hole.number() + 3 <= ceiling.number()).then_some(hole);
            let visited = visits(|| {
                assert_eq!(tree.find_gap(3, Page::new(0), ceiling), found);
            });
            assert!(visited <= 10, "{visited} nodes for the hole at {number}");
        }
        tree.insert(vma);
    }
}

#[test]
fn a_change_among_many_visits_few_nodes() {
    let mut tree = grown(scattered());
    for number in (0..MANY).step_by(97) {
        let at = Page::new(2 * number);
        assert!(visits(|| tree.update(at, |_| ())) <= 5);
        let vma = tree.remove(at);
        assert!(visits(|| tree.insert(vma)) <= 5);
        assert!(visits(|| tree.remove(at)) <= 5);
        tree.insert(page(number));
    }
    assert_eq!(tree.check(), Ok(()));
}
