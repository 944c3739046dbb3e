//! Robust futexes: the words of locks that a thread held when it ended.
//!
//! The thread keeps a list of them in its own memory. Its end marks each word, so that the next owner learns of it.

use abi::linux::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};

/// Entries of a list that are looked at: it may have been made a ring, or be damaged.
pub const LIMIT: usize = 2048;

/// What becomes of a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Nothing: it is not the dead thread's.
    Kept,
    /// It stays, but somebody may wait for it whom the thread was about to wake.
    Woken,
    /// It becomes this, and if `wakes` one of those who wait is woken.
    Marked {
        /// The new value.
        value: u32,
        /// Whether somebody waits.
        wakes: bool,
    },
}

/// Decides about a word that thread `tid` had on its list; `pending` for one that it was about to take or give back.
pub fn fate(word: u32, tid: u32, pending: bool) -> Fate {
    if pending && word == 0 {
        return Fate::Woken;
    }
    if word & FUTEX_TID_MASK != tid {
        return Fate::Kept;
    }
    let waiters = word & FUTEX_WAITERS;
    Fate::Marked {
        value: waiters | FUTEX_OWNER_DIED,
        wakes: waiters != 0,
    }
}
