//! Locks on files, which only those respect who ask for them: of ranges (`fcntl`), and of whole files (`flock`).
//!
//! A lock of a range belongs to a table of descriptors, and goes with the first descriptor for the file that
//! is closed in it; or to an open file, as those of whole files do, and goes with that. What is decided is
//! decided in the crate `filelock`.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use filelock::{Deadlock, Lock, Locks, NoMemory, Range, Waits};

use super::inode::Inode;
use super::rank;
use crate::locks::{Interrupted, SpinLock, WaitQueue};
use crate::mm::frame;

/// Who holds a lock.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The number of a table of descriptors, or where an open file is.
    id: u64,
    /// The process to be named to others; -1 for an open file.
    pub pid: i32,
}

impl PartialEq for Owner {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Owner {}

/// Which of a file's locks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// Those of ranges.
    Ranges,
    /// Those of the whole file.
    Whole,
}

/// Why there is no lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockError {
    /// Somebody else's is in the way.
    WouldBlock,
    /// Those who wait would wait for each other.
    Deadlock,
    /// The wait was interrupted.
    Interrupted,
    /// No memory.
    OutOfMemory,
}

/// A file's locks.
pub(super) struct Lockable {
    held: SpinLock<Held, { rank::FILE_LOCKS }>,
    waiting: WaitQueue,
    /// Whether there ever was one; most files never have any.
    was_locked: AtomicBool,
}

struct Held {
    ranges: Locks<Owner>,
    whole: Locks<Owner>,
}

/// Which tables of descriptors wait for which.
static WAITS: SpinLock<Waits<Owner>, { rank::LOCK_WAITS }> = SpinLock::new(Waits::new());
static NEXT_TABLE: AtomicU64 = AtomicU64::new(1);

/// Frames that must be free before a lock is kept.
const ROOM: u64 = 2;

/// Returns a number for a table of descriptors that is to hold locks.
pub(super) fn new_table() -> u64 {
    NEXT_TABLE.fetch_add(1, Relaxed)
}

impl Owner {
    /// The owner that a table of descriptors is, for a process.
    pub const fn table(id: u64, pid: u32) -> Self {
        let pid = pid.cast_signed();
        Self { id, pid }
    }

    /// The owner that the open file at this address is: no table has such a number.
    pub fn open_file<T>(file: &T) -> Self {
        let id = core::ptr::from_ref(file).addr() as u64;
        Self { id, pid: -1 }
    }
}

impl Held {
    fn of(&mut self, which: Which) -> &mut Locks<Owner> {
        match which {
            Which::Ranges => &mut self.ranges,
            Which::Whole => &mut self.whole,
        }
    }
}

impl Lockable {
    pub(super) const fn new() -> Self {
        Self {
            held: SpinLock::new(Held {
                ranges: Locks::new(),
                whole: Locks::new(),
            }),
            waiting: WaitQueue::new(),
            was_locked: AtomicBool::new(false),
        }
    }
}

/// Why a lock could not be had at once.
enum InTheWay {
    Holder(Owner),
    NoMemory,
}

impl Inode {
    /// Returns the first lock of a range that is in the way of `wanted`.
    pub fn conflicting_lock(&self, wanted: Lock<Owner>) -> Option<Lock<Owner>> {
        self.locks.held.lock().ranges.conflict(wanted)
    }

    /// Returns the first lock of `owner` in a range.
    pub fn lock_of(&self, owner: Owner, range: Range) -> Option<Lock<Owner>> {
        self.locks.held.lock().ranges.of(owner, range)
    }

    /// Gives `owner` a lock, in place of what it has there; waits until nobody is in the way if told to.
    ///
    /// # Errors
    /// A lock of a whole file that was to become another kind is lost if that one cannot be had, as on Linux.
    pub fn lock(&self, which: Which, wanted: Lock<Owner>, waits: bool) -> Result<(), LockError> {
        if !frame::can_spare(ROOM) {
            return Err(LockError::OutOfMemory);
        }
        self.locks.was_locked.store(true, Relaxed);
        if which == Which::Whole && self.gives_up_other_kind(wanted) {
            self.locks.waiting.wake_all();
        }
        loop {
            let holder = match self.try_lock(which, wanted) {
                Ok(()) => {
                    // A smaller or weaker lock than before lets others in.
                    self.locks.waiting.wake_all();
                    return Ok(());
                }
                Err(InTheWay::NoMemory) => return Err(LockError::OutOfMemory),
                Err(_) if !waits => return Err(LockError::WouldBlock),
                Err(InTheWay::Holder(holder)) => holder,
            };
            let can_lock_up = wanted.owner.pid >= 0 && holder.pid >= 0;
            if can_lock_up {
                WAITS.lock().begin(wanted.owner, holder)?;
            }
            let is_free = || self.locks.held.lock().of(which).conflict(wanted).is_none();
            let waited = self.locks.waiting.wait_until_interruptible(is_free);
            if can_lock_up {
                WAITS.lock().end(wanted.owner, holder);
            }
            waited?;
        }
    }

    /// Takes a lock if nothing is in the way.
    fn try_lock(&self, which: Which, wanted: Lock<Owner>) -> Result<(), InTheWay> {
        let mut held = self.locks.held.lock();
        let locks = held.of(which);
        match locks.conflict(wanted) {
            Some(lock) => Err(InTheWay::Holder(lock.owner)),
            None => {
                locks.reserve().map_err(|NoMemory| InTheWay::NoMemory)?;
                locks.set(wanted.owner, Some(wanted.kind), wanted.range);
                Ok(())
            }
        }
    }

    fn gives_up_other_kind(&self, wanted: Lock<Owner>) -> bool {
        let mut held = self.locks.held.lock();
        let other = |lock: &Lock<Owner>| lock.owner == wanted.owner && lock.kind != wanted.kind;
        held.whole.iter().any(other) && held.whole.release(wanted.owner)
    }

    /// Takes what `owner` has of a range away.
    ///
    /// # Errors
    /// There is no memory to cut a lock in two.
    pub fn unlock(&self, which: Which, owner: Owner, range: Range) -> Result<(), LockError> {
        let mut held = self.locks.held.lock();
        let locks = held.of(which);
        if range != Range::ALL {
            locks.reserve().map_err(|NoMemory| LockError::OutOfMemory)?;
        }
        locks.set(owner, None, range);
        drop(held);
        self.locks.waiting.wake_all();
        Ok(())
    }

    /// Takes all locks of `owner` away.
    pub(super) fn release_locks(&self, owner: Owner) {
        if !self.locks.was_locked.load(Relaxed) {
            return;
        }
        let released = {
            let mut held = self.locks.held.lock();
            let [ranges, whole] = [held.ranges.release(owner), held.whole.release(owner)];
            ranges || whole
        };
        if released {
            self.locks.waiting.wake_all();
        }
    }

    /// Calls `each` with every lock on the file, for `/proc/locks`.
    pub(super) fn each_lock(&self, mut each: impl FnMut(Which, &Lock<Owner>)) {
        if !self.locks.was_locked.load(Relaxed) {
            return;
        }
        let copy = {
            let held = self.locks.held.lock();
            [
                (Which::Ranges, held.ranges.clone()),
                (Which::Whole, held.whole.clone()),
            ]
        };
        for (which, locks) in &copy {
            locks.iter().for_each(|lock| each(*which, lock));
        }
    }
}

impl From<Deadlock> for LockError {
    fn from(Deadlock: Deadlock) -> Self {
        Self::Deadlock
    }
}

impl From<Interrupted> for LockError {
    fn from(Interrupted: Interrupted) -> Self {
        Self::Interrupted
    }
}
