//! Futexes: sleeping on a word of user memory until somebody says that it changed.
//!
//! A waiter is in its bucket before it looks at the word, and whoever changes the word wakes those in the
//! bucket afterwards: one of the two sees the other. Waiters of one word share a bucket, and many words may; a waiter that
//! is made to wait for another word moves to that one's.
//!
//! Whoever takes a waiter out of its bucket marks it as woken before the bucket's lock is free again. So a waiter
//! that does not find itself any more was woken, and no mark comes later than that.

use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
    fence,
};

use futex::queue::{NoRoom, Queue};

use super::thread::{Thread, current_thread, thread_of};
use crate::locks::{SpinLock, rank};
use crate::mm::remote::{RemoteFault, WordPlace};
use crate::mm::{Mm, uaccess};
use crate::task::{self, TaskRef};
use crate::{sched, time};

pub use futex::op::ANY;

/// Buckets; a power of two.
const BUCKETS: usize = 256;

type Bucket = SpinLock<Queue<Key, TaskRef>, { rank::SOURCE }>;

static WAITERS: [Bucket; BUCKETS] = [const { SpinLock::new(Queue::new()) }; BUCKETS];

/// Names a word of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A word that one address space has: the address space's number and the address.
    Private(u64, u64),
    /// A word that others may have as well: device and inode of the source, and the byte in it.
    Shared(u64, u64, u64),
}

/// What a thread that waits is told.
#[derive(Default)]
pub struct Waiting {
    /// The bucket it is in; changed under the locks of the old one and the new one.
    bucket: AtomicUsize,
    /// Whether it was taken out; set under the bucket's lock.
    woken: AtomicBool,
}

/// Why a wait did not end in a wake-up, or nobody was moved.
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

impl From<NoRoom> for FutexError {
    fn from(NoRoom: NoRoom) -> Self {
        Self::OutOfMemory
    }
}

impl From<RemoteFault> for FutexError {
    fn from(RemoteFault: RemoteFault) -> Self {
        Self::BadAddress
    }
}

impl Key {
    /// Names the word at `addr` for the threads that share the address space with number `mm`.
    pub fn private(mm: u64, addr: u64) -> Self {
        Self::Private(mm, addr)
    }

    /// Names the word at `addr` for everybody who has it.
    pub fn shared(mm: &Mm, addr: u64) -> Result<Self, FutexError> {
        Ok(match mm.word_place(addr)? {
            WordPlace::Own => Self::Private(mm.id().as_u64(), addr),
            WordPlace::Of(source, at) => Self::Shared(source.dev, source.ino, at),
        })
    }

    pub(super) fn bucket(self) -> usize {
        let (a, b) = match self {
            Self::Private(mm, addr) => (mm, addr),
            Self::Shared(dev, ino, at) => (ino ^ dev << 48, at),
        };
        // The golden ratio's bits spread words that lie side by side.
        let mixed = (a.rotate_left(32) ^ b >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize % BUCKETS
    }
}

/// Sleeps until somebody wakes the word `key`, at `addr`, with one of `bits`, unless it is not `expected` any more.
pub fn wait(
    key: Key,
    addr: u64,
    expected: u32,
    bits: u32,
    deadline: Option<u64>,
) -> Result<(), FutexError> {
    let thread: &Thread = &current_thread();
    let waiting = &thread.waiting;
    waiting.woken.store(false, Relaxed);
    waiting.bucket.store(key.bucket(), Relaxed);
    WAITERS[key.bucket()]
        .lock()
        .push(key, bits, task::current_ref())?;
    let outcome = match uaccess::read_user::<u32>(addr) {
        Err(_) => Err(FutexError::BadAddress),
        Ok(value) if value != expected => Err(FutexError::Changed),
        Ok(_) => sleep(&waiting.woken, deadline),
    };
    // A wake-up that was given to this waiter is not lost, whatever else ended the wait.
    match outcome.is_err() && waiting.dequeue() {
        true => outcome,
        false => Ok(()),
    }
}

/// Wakes at most `count` of those who wait for the word with one of `bits`; returns how many.
pub fn wake(key: Key, count: usize, bits: u32) -> usize {
    let bucket = &WAITERS[key.bucket()];
    // Not those who come while others are woken: that might never end.
    let most = match count {
        0 | 1 => count,
        _ => count.min(bucket.lock().count(key, bits)),
    };
    (0..most)
        .take_while(|_| wake_one(bucket, key, bits))
        .count()
}

fn wake_one(bucket: &Bucket, key: Key, bits: u32) -> bool {
    let mut waiters = bucket.lock();
    let Some(task) = waiters.take(key, bits) else {
        return false;
    };
    waiting_of(&task).woken.store(true, Release);
    drop(waiters);
    sched::wake(&task);
    true
}

/// Wakes `wakes` of those who wait for `from` and lets `most` others wait for `to`; returns how many these are together.
///
/// With an `expected` word at an address nothing happens unless the word is there.
pub fn requeue(
    from: Key,
    to: Key,
    wakes: usize,
    most: usize,
    expected: Option<(&Mm, u64, u32)>,
) -> Result<usize, FutexError> {
    let moved = loop {
        match try_move(from, to, wakes, most, expected) {
            Ok(moved) => break moved?,
            Err(NotThere) => {
                let (_, addr, _) = expected.ok_or(FutexError::BadAddress)?;
                uaccess::read_user::<u32>(addr).map_err(|_| FutexError::BadAddress)?;
            }
        }
    };
    Ok(moved + wake(from, wakes, ANY))
}

/// The page of the word to look at has to be brought in first.
struct NotThere;

/// Moves those behind the first `skip`, as one step for all who lock the two buckets.
fn try_move(
    from: Key,
    to: Key,
    skip: usize,
    most: usize,
    expected: Option<(&Mm, u64, u32)>,
) -> Result<Result<usize, FutexError>, NotThere> {
    let (source, target) = (from.bucket(), to.bucket());
    let as_expected = || match expected {
        None => Ok(true),
        Some((mm, addr, value)) => mm.peek_word(addr).map(|word| word == value).ok_or(NotThere),
    };
    if source == target {
        let mut waiters = WAITERS[source].lock();
        return Ok(match as_expected()? {
            true => Ok(waiters.rename(from, to, skip, most)),
            false => Err(FutexError::Changed),
        });
    }
    let first = WAITERS[source.min(target)].lock();
    let second = WAITERS[source.max(target)].lock_nested(&first);
    let (mut waiters, mut others) = match source < target {
        true => (first, second),
        false => (second, first),
    };
    if !as_expected()? {
        return Ok(Err(FutexError::Changed));
    }
    let now_there = |task: &TaskRef| waiting_of(task).bucket.store(target, Relaxed);
    let moved = waiters.move_to(&mut others, (from, to), skip, most, now_there);
    Ok(moved.map_err(FutexError::from))
}

fn waiting_of(task: &TaskRef) -> &Waiting {
    let thread = thread_of(task);
    &thread.expect("only threads wait for futexes").waiting
}

/// Sleeps until `woken` is set, `deadline` has passed or a signal is to be looked at.
pub(super) fn sleep(woken: &AtomicBool, deadline: Option<u64>) -> Result<(), FutexError> {
    let is_over = || deadline.is_some_and(|deadline| time::now_ns() >= deadline);
    let _timer = deadline.map(time::wake_at);
    loop {
        sched::prepare_to_sleep();
        // Of a waker that marks and then looks, and this task that is marked as blocked and then looks, one sees the other.
        fence(SeqCst);
        let end = if woken.load(Acquire) {
            Ok(())
        } else if is_over() {
            Err(FutexError::TimedOut)
        } else if task::current().has_signal_work() {
            Err(FutexError::Interrupted)
        } else {
            sched::schedule();
            continue;
        };
        sched::cancel_sleep();
        return end;
    }
}

impl Waiting {
    /// Takes the current thread out; returns false where a wake-up has done so already.
    fn dequeue(&self) -> bool {
        loop {
            let bucket = self.bucket.load(Relaxed);
            let mut waiters = WAITERS[bucket].lock();
            let removed = waiters.remove(|task| task::current().is(task));
            let stays = self.bucket.load(Relaxed) == bucket;
            drop(waiters);
            if removed.is_some() || stays {
                return removed.is_some();
            }
        }
    }
}
