//! The interest list of an epoll, and which of the files on it may be ready.
//!
//! A file that changes is put into the queue of those that may be ready ([`Interests::notify`]). Who waits takes the files out
//! one by one ([`Interests::take`]), asks each what is so, and says what it found ([`Interests::looked`]); that decides
//! whether there is an event to tell, and whether the file goes back to the end of the queue: it does if it is watched
//! by level. So each file gets its turn before one is told of again.

use alloc::collections::{BTreeMap, VecDeque};

/// Errors and hang-ups are told though nobody asked.
const ALWAYS: u32 = 0x18;
/// Told once, then silent until it is changed.
const ONESHOT: u32 = 1 << 30;
/// Told when it changes, not as long as it is so.
const EDGE: u32 = 1 << 31;
/// One of several who watch the same file is enough.
const EXCLUSIVE: u32 = 1 << 28;
/// The machine stays awake meanwhile; it always does.
const WAKEUP: u32 = 1 << 29;
/// The bits of a request that are no events.
const HOW: u32 = ONESHOT | EDGE | EXCLUSIVE | WAKEUP;
/// What may be asked together with [`EXCLUSIVE`]: in, out, the errors, and how.
const WITH_EXCLUSIVE: u32 = 0x1 | 0x4 | ALWAYS | WAKEUP | EDGE | EXCLUSIVE;

/// The files that are watched: each has a key, and a payload for who owns the list.
#[derive(Debug)]
pub struct Interests<K, T> {
    items: BTreeMap<u64, Item<K, T>>,
    by_key: BTreeMap<K, u64>,
    /// Those that may be ready, each once.
    ready: VecDeque<u64>,
    next: u64,
}

#[derive(Debug)]
struct Item<K, T> {
    key: K,
    payload: T,
    events: u32,
    data: u64,
    is_queued: bool,
}

/// Why an interest cannot be added or changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// The file is watched already.
    Exists,
    /// The file is not watched.
    Missing,
    /// It cannot be watched, or changed, in this way.
    Invalid,
}

/// Says whether a new interest may ask for these events; `nested` if the file is an epoll itself.
pub const fn may_add(events: u32, nested: bool) -> bool {
    events & EXCLUSIVE == 0 || (events & !WITH_EXCLUSIVE == 0 && !nested)
}

/// Says whether these events ask for one of several watchers only.
pub const fn is_exclusive(events: u32) -> bool {
    events & EXCLUSIVE != 0
}

impl<K: Ord + Clone, T: Clone> Interests<K, T> {
    /// Watches nothing.
    pub const fn new() -> Self {
        Self {
            items: BTreeMap::new(),
            by_key: BTreeMap::new(),
            ready: VecDeque::new(),
            next: 1,
        }
    }

    /// Adds a file; `make` makes the payload out of the number that the file has here.
    pub fn add(
        &mut self,
        key: K,
        events: u32,
        data: u64,
        make: impl FnOnce(u64) -> T,
    ) -> Result<T, Presence> {
        if self.by_key.contains_key(&key) {
            return Err(Presence::Exists);
        }
        let id = self.next;
        self.next += 1;
        let payload = make(id);
        let item = Item {
            key: key.clone(),
            payload: payload.clone(),
            events: events | ALWAYS,
            data,
            is_queued: false,
        };
        self.items.insert(id, item);
        self.by_key.insert(key, id);
        Ok(payload)
    }

    /// Changes what is asked of a file; returns its payload and number.
    pub fn change(&mut self, key: &K, events: u32, data: u64) -> Result<(T, u64), Presence> {
        let id = *self.by_key.get(key).ok_or(Presence::Missing)?;
        let item = self.items.get_mut(&id).ok_or(Presence::Missing)?;
        if item.events & EXCLUSIVE != 0 || events & EXCLUSIVE != 0 {
            return Err(Presence::Invalid);
        }
        item.events = events | ALWAYS;
        item.data = data;
        Ok((item.payload.clone(), id))
    }

    /// Forgets a file; returns its payload.
    pub fn remove(&mut self, key: &K) -> Result<T, Presence> {
        let id = self.by_key.remove(key).ok_or(Presence::Missing)?;
        let item = self.items.remove(&id).ok_or(Presence::Missing)?;
        if item.is_queued {
            self.ready.retain(|queued| *queued != id);
        }
        Ok(item.payload)
    }

    /// Forgets some file; returns its payload, `None` if there is none left.
    pub fn remove_any(&mut self) -> Option<T> {
        let key = self.by_key.keys().next()?.clone();
        self.remove(&key).ok()
    }

    /// Notes that of a file `what` may be so now; says whether there is something to look at.
    pub fn notify(&mut self, id: u64, what: u32) -> bool {
        let Some(item) = self.items.get_mut(&id) else {
            return false;
        };
        if !item.is_on() || item.events & what == 0 {
            return false;
        }
        self.queue(id);
        true
    }

    /// Returns how many files may be ready.
    pub fn candidates(&self) -> usize {
        self.ready.len()
    }

    /// Takes the file out that waits longest for a look: its number, its payload and what is asked of it.
    pub fn take(&mut self) -> Option<(u64, T, u32)> {
        let id = self.ready.pop_front()?;
        let item = self.items.get_mut(&id)?;
        item.is_queued = false;
        Some((id, item.payload.clone(), item.asked()))
    }

    /// Says what was found of a file that was taken; returns the events to tell, with the data that goes with them.
    pub fn looked(&mut self, id: u64, found: u32) -> Option<(u32, u64)> {
        let item = self.items.get_mut(&id)?;
        let events = found & item.asked();
        if events == 0 {
            return None;
        }
        let told = (events, item.data);
        match item.events {
            how if how & ONESHOT != 0 => item.events &= HOW,
            how if how & EDGE != 0 => {}
            _ => self.queue(id),
        }
        Some(told)
    }

    /// Takes a look back that nobody was told of: the file is the first again, as it was asked for before.
    pub fn untold(&mut self, id: u64, asked: u32) {
        if let Some(item) = self.items.get_mut(&id) {
            item.events |= asked;
            if !item.is_queued {
                item.is_queued = true;
                self.ready.push_front(id);
            }
        }
    }

    /// Notes that a file was looked at and is not ready; says whether it was a candidate.
    pub fn unready(&mut self, id: u64) -> bool {
        match self.items.get_mut(&id) {
            Some(item) if item.is_queued => {
                item.is_queued = false;
                self.ready.retain(|queued| *queued != id);
                true
            }
            _ => false,
        }
    }

    /// Returns the payloads of the files that may be ready, with their numbers and what is asked.
    pub fn queued(&self) -> impl Iterator<Item = (u64, T, u32)> {
        let item = |id: &u64| {
            let item = self.items.get(id)?;
            Some((*id, item.payload.clone(), item.asked()))
        };
        self.ready.iter().filter_map(item)
    }

    /// Returns all files: what is asked of each and the data, with its key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &T, u32, u64)> {
        let items = self.items.values();
        items.map(|item| (&item.key, &item.payload, item.events, item.data))
    }

    fn queue(&mut self, id: u64) {
        if let Some(item) = self.items.get_mut(&id)
            && !item.is_queued
        {
            item.is_queued = true;
            self.ready.push_back(id);
        }
    }
}

impl<K, T> Item<K, T> {
    /// Whether it is to be told of at all: a one-shot that was told is not.
    fn is_on(&self) -> bool {
        self.events & !HOW != 0
    }

    fn asked(&self) -> u32 {
        self.events & !HOW
    }
}

impl<K: Ord + Clone, T: Clone> Default for Interests<K, T> {
    fn default() -> Self {
        Self::new()
    }
}
