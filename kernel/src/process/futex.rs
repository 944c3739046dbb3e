//! Futexes: sleeping on a word of user memory until somebody says that it changed.
//!
//! A waiter is in the table before it looks at the word, and whoever changes the word wakes those
//! in the table afterwards: one of the two sees the other. A word is named by its address space and
//! its address; sharing one between address spaces is not supported.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool,
    Ordering::{Acquire, Release},
};

use crate::locks::{SpinLock, WaitQueue, rank};
use crate::mm::uaccess;
use crate::time;

/// The bits of an ordinary wait and wake: everybody's.
pub const ANY: u32 = u32::MAX;

static WAITERS: SpinLock<Vec<Arc<Waiter>>, { rank::SOURCE }> = SpinLock::new(Vec::new());

/// Names a word of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    mm: u64,
    addr: u64,
}

struct Waiter {
    key: Key,
    bits: u32,
    woken: AtomicBool,
    queue: WaitQueue,
}

/// Why a wait did not end in a wake-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FutexError {
    /// The word is not readable.
    BadAddress,
    /// The word had changed already.
    Changed,
    /// The time was up first.
    TimedOut,
    /// The process has to end.
    Interrupted,
    /// No memory.
    OutOfMemory,
}

impl Key {
    /// Names the word at `addr` in the address space with number `mm`.
    pub fn new(mm: u64, addr: u64) -> Self {
        Self { mm, addr }
    }
}

/// Sleeps until somebody wakes this word with one of `bits`, unless it is not `expected` any more.
pub fn wait(key: Key, expected: u32, bits: u32, deadline: Option<u64>) -> Result<(), FutexError> {
    let waiter = Arc::new(Waiter {
        key,
        bits,
        woken: AtomicBool::new(false),
        queue: WaitQueue::new(),
    });
    enqueue(&waiter)?;
    let outcome = match uaccess::read_user::<u32>(key.addr) {
        Err(_) => Err(FutexError::BadAddress),
        Ok(value) if value != expected => Err(FutexError::Changed),
        Ok(_) => waiter.sleep(deadline),
    };
    // A wake-up that was given to this waiter is not lost, whatever else ended the wait.
    match dequeue(&waiter) {
        true => outcome,
        false => Ok(()),
    }
}

/// Wakes at most `count` of those who wait for the word with one of `bits`; returns how many.
pub fn wake(key: Key, count: usize, bits: u32) -> usize {
    let mut woken = 0;
    while woken < count {
        let Some(waiter) = take(key, bits) else { break };
        waiter.woken.store(true, Release);
        waiter.queue.wake_all();
        woken += 1;
    }
    woken
}

impl Waiter {
    fn sleep(&self, deadline: Option<u64>) -> Result<(), FutexError> {
        let is_over = || deadline.is_some_and(|deadline| time::now_ns() >= deadline);
        let is_woken = || self.woken.load(Acquire);
        let _timer = deadline.map(time::wake_at);
        let waited = self
            .queue
            .wait_until_interruptible(|| is_woken() || is_over());
        match waited {
            _ if is_woken() => Ok(()),
            Ok(()) => Err(FutexError::TimedOut),
            Err(_) => Err(FutexError::Interrupted),
        }
    }
}

fn enqueue(waiter: &Arc<Waiter>) -> Result<(), FutexError> {
    let mut waiters = WAITERS.lock();
    waiters
        .try_reserve(1)
        .map_err(|_| FutexError::OutOfMemory)?;
    waiters.push(waiter.clone());
    Ok(())
}

/// Takes a waiter out; returns false where a wake-up has done so already.
fn dequeue(waiter: &Arc<Waiter>) -> bool {
    let mut waiters = WAITERS.lock();
    let found = waiters.iter().position(|other| Arc::ptr_eq(other, waiter));
    let removed = found.map(|at| waiters.remove(at));
    drop(waiters);
    removed.is_some()
}

fn take(key: Key, bits: u32) -> Option<Arc<Waiter>> {
    let mut waiters = WAITERS.lock();
    let found = waiters
        .iter()
        .position(|waiter| waiter.key == key && waiter.bits & bits != 0)?;
    Some(waiters.remove(found))
}
