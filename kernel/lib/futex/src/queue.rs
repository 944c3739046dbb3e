//! Those who wait in one bucket, first come first served.

use alloc::vec::Vec;

/// Waiters for words whose names fell into one bucket.
#[derive(Debug)]
pub struct Queue<K, W> {
    entries: Vec<Entry<K, W>>,
}

#[derive(Debug)]
struct Entry<K, W> {
    key: K,
    bits: u32,
    waiter: W,
}

/// There is no memory for another waiter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoRoom;

impl<K: PartialEq + Copy, W> Queue<K, W> {
    /// Nobody waits.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// Adds a waiter for the word `key`, whom wake-ups with one of `bits` reach.
    pub fn push(&mut self, key: K, bits: u32, waiter: W) -> Result<(), NoRoom> {
        self.entries.try_reserve(1).map_err(|_| NoRoom)?;
        self.entries.push(Entry { key, bits, waiter });
        Ok(())
    }

    /// Takes out the one that waits longest for `key` with one of `bits`.
    pub fn take(&mut self, key: K, bits: u32) -> Option<W> {
        let is_it = |entry: &Entry<K, W>| entry.key == key && entry.bits & bits != 0;
        let found = self.entries.iter().position(is_it)?;
        Some(self.entries.remove(found).waiter)
    }

    /// Takes out a waiter that gives up; `None` if it was taken out before.
    pub fn remove(&mut self, is_it: impl Fn(&W) -> bool) -> Option<W> {
        let found = self.entries.iter().position(|entry| is_it(&entry.waiter))?;
        Some(self.entries.remove(found).waiter)
    }

    /// Returns how many wait for `key` with one of `bits`.
    pub fn count(&self, key: K, bits: u32) -> usize {
        let is_it = |entry: &&Entry<K, W>| entry.key == key && entry.bits & bits != 0;
        self.entries.iter().filter(is_it).count()
    }

    /// Lets those who wait for `from`, but the first `skip`, wait for `to` in this same bucket, at most `most`; returns
    /// how many. They keep their places among all.
    pub fn rename(&mut self, from: K, to: K, skip: usize, most: usize) -> usize {
        let waiting = self.entries.iter_mut().filter(|entry| entry.key == from);
        let moved = waiting.skip(skip).take(most);
        moved.map(|entry| entry.key = to).count()
    }

    /// The same where `to` falls into the bucket `target`; calls `moved` for each.
    pub fn move_to(
        &mut self,
        target: &mut Self,
        (from, to): (K, K),
        skip: usize,
        most: usize,
        mut moved: impl FnMut(&W),
    ) -> Result<usize, NoRoom> {
        let count = self.count(from, u32::MAX).saturating_sub(skip).min(most);
        target.entries.try_reserve(count).map_err(|_| NoRoom)?;
        let (mut seen, mut left) = (0, count);
        let goes = |entry: &mut Entry<K, W>| {
            if entry.key != from || left == 0 {
                return false;
            }
            seen += 1;
            let goes = seen > skip;
            left -= usize::from(goes);
            goes
        };
        for entry in self.entries.extract_if(.., goes) {
            moved(&entry.waiter);
            target.entries.push(Entry { key: to, ..entry });
        }
        Ok(count)
    }
}

impl<K: PartialEq + Copy, W> Default for Queue<K, W> {
    fn default() -> Self {
        Self::new()
    }
}
