//! The contents of one node: a few items in order, and a row of keys to find them by.

use alloc::boxed::Box;

use addr::Page;
use arrayvec::ArrayVec;

use super::span::{Span, Spanned};

/// The most items in a node. [`Slots::rank`] is made for this number.
pub(super) const CAPACITY: usize = 16;
/// Two nodes are made one if they hold no more together. Less than a node can hold, so
/// that taking one away and putting it back does not join and split the same nodes again.
pub(super) const SPARSE: usize = CAPACITY * 3 / 4;
/// How many items go into a new node along with one at the edge of a full node.
const EDGE: usize = 3;
/// The key of a slot without an item, above all pages.
const UNUSED: Page = Page::new(u64::MAX);

/// The items of a node, lowest first.
#[derive(Clone, Debug)]
pub(super) struct Slots<T> {
    /// Where each item ends; [`UNUSED`] where there is none.
    ends: [Page; CAPACITY],
    items: ArrayVec<T, CAPACITY>,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Self {
            ends: [UNUSED; CAPACITY],
            items: ArrayVec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.items.is_full()
    }

    pub(super) fn items(&self) -> &[T] {
        &self.items
    }

    /// Returns how many items end at or below `page`.
    ///
    /// Halving over a fixed number of keys needs no branches and no length.
    #[inline]
    pub(super) fn rank(&self, page: Page) -> usize {
        let mut rank = 0;
        for step in [8, 4, 2, 1, 1] {
            if self.ends[rank + step - 1] <= page {
                rank += step;
            }
        }
        rank
    }

    /// Returns the first item that ends above `page`.
    #[inline]
    pub(super) fn first_above(&self, page: Page) -> Option<&T> {
        self.items.get(self.rank(page))
    }

    /// Returns the last item that ends at or below `page`.
    pub(super) fn last_up_to(&self, page: Page) -> Option<&T> {
        self.items.get(self.rank(page).wrapping_sub(1))
    }

    /// Returns the items from the first that ends above `page` on.
    #[inline]
    pub(super) fn from(&self, page: Page) -> &[T] {
        self.items.get(self.rank(page)..).unwrap_or(&[])
    }
}

impl<T: Spanned> Slots<T> {
    /// Returns the extent of all items; there is at least one.
    pub(super) fn span(&self) -> Span {
        let spans = self.items.iter().map(Spanned::span);
        spans.reduce(Span::with).expect("a node holds something")
    }

    /// Puts `item` at place `at`. If there is no room, the upper items go into new slots.
    ///
    /// At either edge the old node keeps most: mappings that are made one below the other fill
    /// their nodes. The new one gets a few as well, so that it does not come and go with a
    /// mapping at the border.
    pub(super) fn insert(&mut self, at: usize, item: T) -> Option<Box<Self>> {
        if !self.is_full() {
            self.put(at, item);
            return None;
        }
        let middle = match at {
            0 => EDGE,
            CAPACITY => CAPACITY - EDGE,
            _ => CAPACITY / 2,
        };
        let mut upper = self.split_off(middle);
        if at <= middle {
            self.put(at, item);
        } else {
            upper.put(at - middle, item);
        }
        Some(upper)
    }

    /// Takes out the item at place `at`.
    pub(super) fn remove(&mut self, at: usize) -> T {
        let item = self.items.remove(at);
        self.ends.copy_within(at + 1.., at);
        self.ends[CAPACITY - 1] = UNUSED;
        item
    }

    /// Lets `change` change the item at place `at`.
    pub(super) fn update<R>(&mut self, at: usize, change: impl FnOnce(&mut T) -> R) -> R {
        let item = &mut self.items[at];
        let result = change(item);
        self.ends[at] = item.span().end;
        result
    }

    /// Adds an item above all others; there is room.
    pub(super) fn push(&mut self, item: T) {
        self.ends[self.items.len()] = item.span().end;
        self.items.push(item);
    }

    /// Adds the items of `upper` above all others; there is room.
    pub(super) fn append(&mut self, upper: &mut Self) {
        for item in upper.items.drain(..) {
            self.push(item);
        }
    }

    /// Takes the only item out, if there is one and no other.
    pub(super) fn pop_only(&mut self) -> Option<T> {
        (self.len() == 1).then(|| self.remove(0))
    }

    /// Puts `item` at place `at`; there is room.
    fn put(&mut self, at: usize, item: T) {
        self.ends.copy_within(at..CAPACITY - 1, at + 1);
        self.ends[at] = item.span().end;
        self.items.insert(at, item);
    }

    /// Takes out the items from place `at` on.
    fn split_off(&mut self, at: usize) -> Box<Self> {
        let mut upper = Box::new(Self::new());
        for item in self.items.drain(at..) {
            upper.push(item);
        }
        self.ends[at..].fill(UNUSED);
        upper
    }

    /// Says whether the keys are those of the items.
    pub(super) fn keys_are_right(&self) -> bool {
        let ends = self.items.iter().map(|item| item.span().end);
        let unused = core::iter::repeat_n(UNUSED, CAPACITY - self.len());
        self.ends.iter().copied().eq(ends.chain(unused))
    }
}
