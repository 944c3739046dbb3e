//! Those who wait, smallest key first, and among equals in the order they came.
//!
//! A binary heap in a vector: O(log n) to queue and to pick, O(n) to find somebody in the middle, which only a change
//! of a task's parameters and a move to another CPU need. Queueing allocates only beyond what was reserved.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// Somebody who waits.
#[derive(Clone, Debug)]
pub struct Waiter<T> {
    /// What it is ordered by; wraps around, so keys are compared by their difference.
    pub key: u64,
    /// What equal keys are ordered by.
    order: u64,
    /// Who.
    pub task: T,
}

/// Those who wait.
#[derive(Clone, Debug)]
pub struct Heap<T> {
    waiters: Vec<Waiter<T>>,
    /// The order of the next one at the end of its equals.
    next: u64,
    /// The order of the last one that was put before its equals.
    first: u64,
}

/// Returns whether `key` comes before `other`, across the wrap.
#[inline]
pub fn before(key: u64, other: u64) -> bool {
    key.wrapping_sub(other).cast_signed() < 0
}

impl<T> Waiter<T> {
    #[inline]
    fn before(&self, other: &Self) -> bool {
        match self.key.wrapping_sub(other.key).cast_signed() {
            0 => self.order < other.order,
            difference => difference < 0,
        }
    }
}

impl<T> Heap<T> {
    /// Makes an empty heap.
    pub const fn new() -> Self {
        const MIDDLE: u64 = 1 << 63;
        Self {
            waiters: Vec::new(),
            next: MIDDLE,
            first: MIDDLE,
        }
    }

    /// Returns for how many there is room without allocating.
    pub fn capacity(&self) -> usize {
        self.waiters.capacity()
    }

    /// Puts those who wait into `room`, which must be empty and have at least [`len`](Self::len) places, and returns the old
    /// one: the caller allocates and frees where it may.
    pub fn swap_room(&mut self, mut room: Vec<Waiter<T>>) -> Vec<Waiter<T>> {
        debug_assert!(room.is_empty() && room.capacity() >= self.len());
        room.append(&mut self.waiters);
        core::mem::replace(&mut self.waiters, room)
    }

    /// Allocates room for [`swap_room`](Self::swap_room).
    ///
    /// # Errors
    /// There is no memory.
    pub fn room(waiters: usize) -> Result<Vec<Waiter<T>>, TryReserveError> {
        let mut room = Vec::new();
        room.try_reserve_exact(waiters)?;
        Ok(room)
    }

    /// Queues a task behind its equals.
    pub fn push(&mut self, key: u64, task: T) {
        let order = self.next;
        self.next += 1;
        self.insert(Waiter { key, order, task });
    }

    /// Queues a task before its equals.
    pub fn push_first(&mut self, key: u64, task: T) {
        self.first -= 1;
        let order = self.first;
        self.insert(Waiter { key, order, task });
    }

    /// Returns who is first.
    #[inline]
    pub fn first(&self) -> Option<&Waiter<T>> {
        self.waiters.first()
    }

    /// Takes the first one out.
    #[inline]
    pub fn pop(&mut self) -> Option<Waiter<T>> {
        if self.waiters.is_empty() {
            return None;
        }
        let first = self.waiters.swap_remove(0);
        if self.waiters.len() > 1 {
            self.sift_down(0);
        }
        Some(first)
    }

    /// Takes out the first in order of those that `fits` says yes to.
    pub fn remove_first(&mut self, fits: impl Fn(&Waiter<T>) -> bool) -> Option<Waiter<T>> {
        let mut best: Option<usize> = None;
        for (at, waiter) in self.waiters.iter().enumerate() {
            if fits(waiter) && best.is_none_or(|best| waiter.before(&self.waiters[best])) {
                best = Some(at);
            }
        }
        best.map(|at| self.remove_at(at))
    }

    /// Takes out the one for which `worth` is largest.
    pub fn remove_best(&mut self, worth: impl Fn(&Waiter<T>) -> Option<u64>) -> Option<Waiter<T>> {
        let worths = self.waiters.iter().enumerate();
        let (at, _) = worths
            .filter_map(|(at, waiter)| worth(waiter).map(|worth| (at, worth)))
            .max_by_key(|(_, worth)| *worth)?;
        Some(self.remove_at(at))
    }

    /// Returns how many wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Says whether nobody waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Walks over those who wait, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Waiter<T>> {
        self.waiters.iter()
    }

    fn insert(&mut self, waiter: Waiter<T>) {
        let at = self.waiters.len();
        self.waiters.push(waiter);
        self.sift_up(at);
    }

    fn remove_at(&mut self, at: usize) -> Waiter<T> {
        let removed = self.waiters.swap_remove(at);
        // The one from the end may belong above or below its new place.
        self.sift_down(at);
        self.sift_up(at);
        removed
    }

    fn sift_up(&mut self, mut at: usize) {
        while at > 0 && at < self.waiters.len() {
            let parent = (at - 1) / 2;
            if !self.waiters[at].before(&self.waiters[parent]) {
                return;
            }
            self.waiters.swap(at, parent);
            at = parent;
        }
    }

    fn sift_down(&mut self, mut at: usize) {
        let len = self.waiters.len();
        loop {
            let left = 2 * at + 1;
            if left >= len {
                return;
            }
            let right = left + 1;
            let child = match right < len && self.waiters[right].before(&self.waiters[left]) {
                true => right,
                false => left,
            };
            if !self.waiters[child].before(&self.waiters[at]) {
                return;
            }
            self.waiters.swap(at, child);
            at = child;
        }
    }
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self::new()
    }
}
