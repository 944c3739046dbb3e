//! How much of what a socket has sent is still on its way, and who waits for less.
//!
//! A message is charged to its sender until it is dropped, wherever it waits. Linux charges its buffers with their
//! overhead; what fits is about the same here.

use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use super::super::file::Readiness;
use super::super::poll::PollQueue;
use crate::locks::WaitQueue;

/// What may be on its way unless a program says otherwise (`SO_SNDBUF`).
pub const DEFAULT: usize = 212_992;
/// What a message costs besides its bytes, and at least.
const OVERHEAD: usize = 576;
const LEAST: usize = 768;

/// A sender's account.
pub struct Outgoing {
    used: AtomicUsize,
    pub limit: AtomicUsize,
    /// Who waits until there is room.
    pub room: WaitQueue,
    /// Who polls the sender.
    pub pollers: PollQueue,
}

/// The charge of one message, given back when it is dropped.
pub struct Charge {
    outgoing: Arc<Outgoing>,
    amount: usize,
}

impl Outgoing {
    /// Makes an account with nothing in it.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            used: AtomicUsize::new(0),
            limit: AtomicUsize::new(DEFAULT),
            room: WaitQueue::new(),
            pollers: PollQueue::new(),
        })
    }

    /// Returns whether another message may be sent.
    pub fn has_room(&self) -> bool {
        self.used.load(Acquire) < self.limit.load(Relaxed)
    }

    /// Returns whether there is so much room that who polls is told.
    pub fn is_writable(&self) -> bool {
        self.used.load(Acquire) * 4 <= self.limit.load(Relaxed)
    }

    /// Returns what is on its way, with what it costs.
    pub fn used(&self) -> usize {
        self.used.load(Acquire)
    }

    /// Charges a message of `len` bytes.
    pub fn charge(self: &Arc<Self>, len: usize) -> Charge {
        let amount = (len + OVERHEAD).max(LEAST);
        self.used.fetch_add(amount, AcqRel);
        Charge {
            outgoing: self.clone(),
            amount,
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.outgoing.used.fetch_sub(self.amount, AcqRel);
        self.outgoing.room.wake_all();
        if self.outgoing.is_writable() {
            self.outgoing
                .pollers
                .notify(Readiness::WRITABLE | Readiness::WRITE_BAND);
        }
    }
}
