//! A frame table in a `Vec`, and the naive model: one flag per frame.

use buddy::{Buddy, MAX_ORDER, Node, Nodes, frames};

/// The frame table of the tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table(pub(crate) Vec<Node>);

impl Table {
    pub(crate) fn new(frames: u32) -> Self {
        Self(vec![Node::INSIDE; frames as usize])
    }
}

impl Nodes for Table {
    fn node(&self, frame: u32) -> Node {
        self.0[frame as usize]
    }

    fn set_node(&mut self, frame: u32, node: Node) {
        self.0[frame as usize] = node;
    }

    fn exists(&self, frame: u32) -> bool {
        (frame as usize) < self.0.len()
    }
}

/// An allocator beside a bitmap that says which frames it may hand out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Checked {
    pub(crate) buddy: Buddy,
    pub(crate) table: Table,
    pub(crate) free: Vec<bool>,
    pub(crate) blocks: Vec<(u32, usize)>,
}

impl Checked {
    pub(crate) fn new(size: u32, ranges: &[std::ops::Range<u32>]) -> Self {
        let mut new = Self {
            buddy: Buddy::new(),
            table: Table::new(size),
            free: vec![false; size as usize],
            blocks: Vec::new(),
        };
        for range in ranges {
            new.buddy.add_range(&mut new.table, range.clone());
            new.free[range.start as usize..range.end as usize].fill(true);
        }
        new.check();
        new
    }

    /// Has all of its frames.
    pub(crate) fn whole(size: u32) -> Self {
        Self::new(size, std::slice::from_ref(&(0..size)))
    }

    /// Allocates, and holds the answer against the bitmap.
    pub(crate) fn alloc(&mut self, order: usize) -> Option<u32> {
        let size = frames(order) as usize;
        let possible = self
            .free
            .chunks_exact(size)
            .any(|run| run.iter().all(|f| *f));
        let got = self.buddy.alloc(&mut self.table, order);
        assert_eq!(got.is_some(), possible, "order {order}");
        let frame = got?;
        assert!(frame.is_multiple_of(frames(order)), "aligned to its size");
        let run = &mut self.free[frame as usize..][..size];
        assert!(run.iter().all(|free| *free), "handed out twice");
        run.fill(false);
        self.blocks.push((frame, order));
        self.use_links(frame);
        self.check();
        Some(frame)
    }

    /// Overwrites the links of an allocated block, as its owner may.
    fn use_links(&mut self, frame: u32) {
        let node = self.table.node(frame);
        let (next, prev) = (frame, 0);
        self.table.set_node(frame, Node { next, prev, ..node });
    }

    /// Frees the block at this place among the allocated ones.
    pub(crate) fn free(&mut self, at: usize) {
        let (frame, order) = self.blocks.remove(at);
        self.buddy.free(&mut self.table, frame, order);
        self.free[frame as usize..][..frames(order) as usize].fill(true);
        self.check();
    }

    /// Makes the block at this place single frames.
    pub(crate) fn shatter(&mut self, at: usize) {
        let (first, order) = self.blocks.remove(at);
        self.buddy.shatter(&mut self.table, first, order);
        for frame in first..first + frames(order) {
            self.blocks.push((frame, 0));
            self.use_links(frame);
        }
        self.check();
    }

    fn check(&self) {
        self.buddy.check(&self.table).unwrap();
        let free = self.free.iter().filter(|free| **free).count() as u64;
        assert_eq!(self.buddy.free_frames(), free);
        let listed: u64 = (0..=MAX_ORDER)
            .map(|order| self.buddy.free_blocks(order) * u64::from(frames(order)))
            .sum();
        assert_eq!(listed, free);
    }
}
