//! Where an interrupted call goes on if no handler runs (`restart_syscall`, SY-7).
//!
//! A call with a relative time cannot simply be made again: it would wait anew. What it
//! still has to do is kept here, with the point in time.

use super::Thread;

/// What is left of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestartBlock {
    /// A sleep; `rest` is where to store what remains, 0 for nowhere.
    Sleep {
        /// When it ends, in ns since boot.
        deadline: u64,
        /// User address of a `timespec`.
        rest: u64,
    },
    /// A poll.
    Poll {
        /// User address of the entries.
        fds: u64,
        /// How many.
        count: u64,
        /// When it ends, in ns since boot; `None` for never.
        deadline: Option<u64>,
    },
    /// A wait for a futex.
    Futex {
        /// User address of the word.
        addr: u64,
        /// What the word must be.
        expected: u32,
        /// Whose wake-ups count.
        bits: u32,
        /// Whether only threads of the same address space wake it.
        private: bool,
        /// When it ends, in ns since boot.
        deadline: u64,
    },
}

impl Thread {
    /// Notes where the current call goes on.
    pub fn set_restart(&self, block: RestartBlock) {
        *self.restart.lock() = Some(block);
    }

    /// Takes what is left of a call.
    #[inline]
    pub fn take_restart(&self) -> Option<RestartBlock> {
        self.restart.lock().take()
    }
}
