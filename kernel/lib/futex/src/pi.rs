//! Locks with priority inheritance: what becomes of their word, which names the owner.

use abi::linux::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};

/// What a wish for a lock leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Take {
    /// It is the caller's once the word is this.
    Taken(u32),
    /// It is the caller's already.
    Own,
    /// It is this thread's; the caller waits once the word is that.
    Wait {
        /// Whose it is.
        owner: u32,
        /// What the word must be, so that the owner gives the lock back through the kernel.
        word: u32,
    },
}

/// The lock is not the caller's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotOwner;

/// Decides what becomes of `word` when thread `tid` wants the lock; `waited_for` says whether others wait.
pub fn take(word: u32, tid: u32, waited_for: bool) -> Take {
    let waiters = if waited_for { FUTEX_WAITERS } else { 0 };
    match word & FUTEX_TID_MASK {
        0 => Take::Taken(word & FUTEX_OWNER_DIED | waiters | tid),
        owner if owner == tid => Take::Own,
        owner => Take::Wait {
            owner,
            word: word | FUTEX_WAITERS,
        },
    }
}

/// Decides what becomes of the word when thread `tid` gives the lock back and `next` is to have it.
pub fn give(word: u32, tid: u32, next: Option<u32>) -> Result<u32, NotOwner> {
    if word & FUTEX_TID_MASK != tid {
        return Err(NotOwner);
    }
    Ok(next.map_or(0, |next| next | FUTEX_WAITERS))
}

/// Decides what becomes of the word when its owner `tid` has ended and `next` is to have the lock; `None` if somebody else has it.
pub fn inherit(word: u32, tid: u32, next: u32) -> Option<u32> {
    let owner = word & FUTEX_TID_MASK;
    (owner == tid || owner == 0).then_some(next | FUTEX_WAITERS | FUTEX_OWNER_DIED)
}
