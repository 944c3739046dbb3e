//! Locks on parts of files: who holds which, what is in whose way, who waits for whom.
//!
//! Of one owner's locks no two overlap, and neighbours of one kind are one. A new lock takes the place of
//! what its owner had there, whatever that was: that is how locks are changed, split and given back.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;

/// What a lock keeps others from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Writing: others may hold such locks as well.
    Shared,
    /// Everything.
    Exclusive,
}

/// Bytes of a file, from the first to the last; the highest number stands for all that may come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
}

impl Range {
    /// The last byte that any file can have.
    pub const END: u64 = i64::MAX as u64;
    /// Every byte there is and will be.
    pub const ALL: Self = Self {
        first: 0,
        last: Self::END,
    };

    /// Makes the range that `len` bytes from `start` on are, or, if that is negative, before it; 0 stands for all that follow.
    pub fn new(start: i64, len: i64) -> Result<Self, BadRange> {
        let first = u64::try_from(start).map_err(|_| BadRange::Negative)?;
        match len {
            0 => Ok(Self {
                first,
                last: Self::END,
            }),
            1.. => {
                let last = start.checked_add(len - 1).ok_or(BadRange::TooFar)?;
                let last = last.cast_unsigned();
                Ok(Self { first, last })
            }
            _ => {
                let begin = start.checked_add(len).ok_or(BadRange::Negative)?;
                Ok(Self {
                    first: u64::try_from(begin).map_err(|_| BadRange::Negative)?,
                    last: first - 1,
                })
            }
        }
    }

    /// Returns the number of bytes as programs are told it: 0 for all that follow.
    pub fn bytes(self) -> u64 {
        match self.last {
            Self::END => 0,
            last => last - self.first + 1,
        }
    }

    const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Whether the two are one piece.
    const fn touches(self, other: Self) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }
}

/// Why there is no such range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadRange {
    /// It would begin before the file.
    Negative,
    /// It would end where no file does.
    TooFar,
}

/// A lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lock<O> {
    /// Who holds it.
    pub owner: O,
    /// What it keeps others from.
    pub kind: Kind,
    /// What it is about.
    pub range: Range,
}

/// The locks on one file, those of one owner in ascending order.
#[derive(Clone, Debug)]
pub struct Locks<O>(Vec<Lock<O>>);

impl<O> Default for Locks<O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<O> Locks<O> {
    /// Makes a file without locks.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns all of them.
    pub fn iter(&self) -> impl Iterator<Item = &Lock<O>> {
        self.0.iter()
    }
}

/// There is no memory for another lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

impl<O: Copy + Eq> Locks<O> {
    /// Makes room for what one [`set`](Self::set) adds at most: a lock that is cut in two, and a new one between.
    pub fn reserve(&mut self) -> Result<(), NoMemory> {
        self.0.try_reserve(2).map_err(|_| NoMemory)
    }

    /// Returns the first lock of `owner` in a range.
    pub fn of(&self, owner: O, range: Range) -> Option<Lock<O>> {
        let mut own = self.iter().filter(|lock| lock.owner == owner);
        own.find(|lock| lock.range.overlaps(range)).copied()
    }

    /// Returns the first lock of somebody else that is in the way of `wanted`.
    pub fn conflict(&self, wanted: Lock<O>) -> Option<Lock<O>> {
        let conflicts = |lock: &&Lock<O>| {
            lock.owner != wanted.owner
                && lock.range.overlaps(wanted.range)
                && (lock.kind == Kind::Exclusive || wanted.kind == Kind::Exclusive)
        };
        self.0
            .iter()
            .filter(conflicts)
            .min_by_key(|lock| lock.range.first)
            .copied()
    }

    /// Gives `owner` a lock of this kind there, or none, in place of what it had; nobody may be in the way.
    pub fn set(&mut self, owner: O, kind: Option<Kind>, range: Range) {
        let mut new = range;
        let mut pieces: Vec<Lock<O>> = Vec::new();
        self.0.retain(|lock| {
            let own = lock.owner == owner;
            let joins = Some(lock.kind) == kind && lock.range.touches(new);
            if own && joins {
                new.first = new.first.min(lock.range.first);
                new.last = new.last.max(lock.range.last);
                return false;
            }
            if !own || !lock.range.overlaps(range) {
                return true;
            }
            if lock.range.first < range.first {
                let left = Range {
                    last: range.first - 1,
                    ..lock.range
                };
                pieces.push(Lock {
                    range: left,
                    ..*lock
                });
            }
            if lock.range.last > range.last {
                let right = Range {
                    first: range.last + 1,
                    ..lock.range
                };
                pieces.push(Lock {
                    range: right,
                    ..*lock
                });
            }
            false
        });
        if let Some(kind) = kind {
            pieces.push(Lock {
                owner,
                kind,
                range: new,
            });
        }
        for piece in pieces {
            let after =
                |lock: &Lock<O>| lock.owner == owner && lock.range.first > piece.range.first;
            let at = self.0.iter().position(after).unwrap_or(self.0.len());
            self.0.insert(at, piece);
        }
    }

    /// Takes all locks of `owner` away; returns whether there were any.
    pub fn release(&mut self, owner: O) -> bool {
        let before = self.0.len();
        self.0.retain(|lock| lock.owner != owner);
        self.0.len() < before
    }
}

/// Who waits for whom.
#[derive(Debug)]
pub struct Waits<O>(Vec<(O, O)>);

/// Two or more would wait for each other for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadlock;

impl<O> Default for Waits<O> {
    fn default() -> Self {
        Self::new()
    }
}

impl<O> Waits<O> {
    /// Makes a table in which nobody waits.
    pub const fn new() -> Self {
        Self(Vec::new())
    }
}

impl<O: Copy + Eq> Waits<O> {
    /// Notes that `waiter` waits for `holder`, unless that one waits for it, if only through others.
    pub fn begin(&mut self, waiter: O, holder: O) -> Result<(), Deadlock> {
        let mut reached = Vec::from([holder]);
        let mut next = 0;
        while let Some(owner) = reached.get(next).copied() {
            next += 1;
            if owner == waiter {
                return Err(Deadlock);
            }
            for (_, holder) in self.0.iter().filter(|(waiter, _)| *waiter == owner) {
                if !reached.contains(holder) {
                    reached.push(*holder);
                }
            }
        }
        self.0.push((waiter, holder));
        Ok(())
    }

    /// Forgets that.
    pub fn end(&mut self, waiter: O, holder: O) {
        if let Some(at) = self.0.iter().position(|wait| *wait == (waiter, holder)) {
            self.0.swap_remove(at);
        }
    }
}
