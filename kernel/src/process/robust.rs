//! The locks that a thread held when it ended: their words are marked, so that the next owner learns of it.
//!
//! The list of them is the thread's own, in its memory; whatever it holds, the walk ends and harms nobody else.

use core::sync::atomic::Ordering::Relaxed;

use addr::USER_END;
use futex::robust::{Fate, LIMIT, fate};
use zerocopy::{FromBytes, IntoBytes};

use super::futex::{self as waiters, Key};
use super::thread::Thread;
use crate::mm::{Mm, uaccess};
use crate::task;

/// `struct robust_list_head`.
#[derive(Clone, Copy, FromBytes, IntoBytes)]
#[repr(C)]
struct Head {
    first: u64,
    /// From an entry to its word.
    offset: u64,
    /// An entry that was about to be added or removed.
    pending: u64,
}

/// The bit of a pointer that marks a lock with priority inheritance.
const PI: u64 = 1;

/// The walk is over: something could not be read.
struct Unreadable;

impl Thread {
    /// Marks the words of the locks that it holds, while its memory is still there.
    pub(super) fn give_up_robust_list(&self) {
        let head = self.robust_list.swap(0, Relaxed);
        if head != 0
            && let Some(mm) = task::current_mm()
        {
            // A damaged list is the program's own affair.
            let _ = self.walk(&mm, head);
        }
    }

    fn walk(&self, mm: &Mm, at: u64) -> Result<(), Unreadable> {
        let head: Head = read(at)?;
        let mut entry = head.first;
        for _ in 0..LIMIT {
            if entry & !PI == at {
                break;
            }
            // Once its word is marked, the entry may be gone.
            let next: Result<u64, Unreadable> = read(entry & !PI);
            if entry & !PI != head.pending & !PI {
                self.mark(mm, entry, head.offset, false)?;
            }
            entry = next?;
        }
        match head.pending & !PI {
            0 => Ok(()),
            _ => self.mark(mm, head.pending, head.offset, true),
        }
    }

    fn mark(&self, mm: &Mm, entry: u64, offset: u64, pending: bool) -> Result<(), Unreadable> {
        let addr = (entry & !PI).wrapping_add(offset);
        if !addr.is_multiple_of(4) || addr >= USER_END {
            return Err(Unreadable);
        }
        let decide = |word: u32| fate(word, self.tid(), pending);
        if decide(read(addr)?) == Fate::Kept {
            return Ok(());
        }
        let before = mm.update_word(addr, |word| match decide(word) {
            Fate::Marked { value, .. } => Some(value),
            Fate::Kept | Fate::Woken => None,
        });
        let wakes = match decide(before.map_err(|_| Unreadable)?) {
            Fate::Marked { wakes, .. } => wakes,
            Fate::Woken => true,
            Fate::Kept => false,
        };
        if wakes
            && entry & PI == 0
            && let Ok(key) = Key::shared(mm, addr)
        {
            waiters::wake(key, 1, waiters::ANY);
        }
        Ok(())
    }
}

fn read<T: FromBytes>(addr: u64) -> Result<T, Unreadable> {
    uaccess::read_user(addr).map_err(|_| Unreadable)
}
