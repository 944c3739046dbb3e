//! The names in a directory, and the order in which they are listed.
//!
//! Every name has a cookie: a number that only grows. A listing goes from cookie to cookie, so that
//! it shows a name that stays exactly once, whatever comes and goes meanwhile.
//!
//! # Invariants
//! `names` and `order` hold the same pairs of name and cookie.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::ops::Bound::{Excluded, Unbounded};

/// A name; shared with whoever shows it.
pub type Name = Arc<[u8]>;

/// Cookies below this one stand for `.` and `..`.
const FIRST_COOKIE: u64 = 2;

/// The names in a directory, without `.` and `..`, and what they stand for.
pub struct Entries<N> {
    names: BTreeMap<Name, (u64, N)>,
    order: BTreeMap<u64, Name>,
    last: u64,
}

/// The name is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken;

impl<N> Default for Entries<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N> Entries<N> {
    /// Makes an empty directory.
    pub const fn new() -> Self {
        Self {
            names: BTreeMap::new(),
            order: BTreeMap::new(),
            last: FIRST_COOKIE,
        }
    }

    /// Returns whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns how many names there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns what a name stands for.
    pub fn get(&self, name: &[u8]) -> Option<&N> {
        self.names.get(name).map(|(_, node)| node)
    }

    /// Adds a name.
    pub fn insert(&mut self, name: Name, node: N) -> Result<(), Taken> {
        if self.names.contains_key(&name) {
            return Err(Taken);
        }
        self.last += 1;
        self.order.insert(self.last, name.clone());
        self.names.insert(name, (self.last, node));
        Ok(())
    }

    /// Makes a name stand for something else, where it stands; returns what it stood for.
    pub fn replace(&mut self, name: &[u8], node: N) -> Option<N> {
        let (_, place) = self.names.get_mut(name)?;
        Some(core::mem::replace(place, node))
    }

    /// Removes a name; returns what it stood for.
    pub fn remove(&mut self, name: &[u8]) -> Option<N> {
        let (cookie, node) = self.names.remove(name)?;
        self.order.remove(&cookie);
        Some(node)
    }

    /// Returns the first name whose cookie is above `cookie`, with its own cookie.
    pub fn after(&self, cookie: u64) -> Option<(u64, &Name, &N)> {
        let (cookie, name) = self.order.range((Excluded(cookie), Unbounded)).next()?;
        let (_, node) = self.names.get(name)?;
        Some((*cookie, name, node))
    }

    /// Calls `each` with everything that a name stands for.
    pub fn for_each(&self, mut each: impl FnMut(&N)) {
        self.names.values().for_each(|(_, node)| each(node));
    }
}
