//! Futexes with priority inheritance: locks whose word names the owner, and whose waiters lend it their priority.
//!
//! Who waits is kept here, in buckets by the lock's name, with the owner's number. The owner gives the lock to the waiter of the
//! highest priority, first come first served among equals: the word then names that one, before it wakes. The word changes under the
//! bucket's lock, where nothing can be faulted in: if its page is not there, all is begun anew.
//!
//! A real-time waiter raises its owner, but not whoever that one waits for.

use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool,
    Ordering::{Relaxed, Release},
};

use futex::pi::{self, Take};
use runq::Params;

use super::futex::{self as futexes, FutexError, Key};
use super::thread::{Thread, current_thread, thread_of};
use super::{Field, tree};
use crate::locks::{SpinLock, rank};
use crate::mm::remote::RemoteFault;
use crate::mm::{Mm, MmUserRef};
use crate::sched::{self, policy};
use crate::task::{self, TaskRef};

/// Buckets; a power of two.
const BUCKETS: usize = 64;

static WAITERS: [SpinLock<Vec<Entry>, { rank::SOURCE }>; BUCKETS] =
    [const { SpinLock::new(Vec::new()) }; BUCKETS];

/// Somebody who waits for a lock.
struct Entry {
    key: Key,
    task: TaskRef,
    tid: u32,
    /// Whose the lock is.
    owner: u32,
    /// Where the word is.
    mm: MmUserRef,
    addr: u64,
}

/// A thread's part in it.
#[derive(Default)]
pub struct PiState {
    /// Whether the lock that it waits for was given to it; set under the bucket's lock.
    granted: AtomicBool,
    /// Whether somebody has waited for a lock of its.
    is_waited_for: AtomicBool,
    /// What it asked the scheduler for itself, while it has a waiter's priority.
    base: Lent,
}

struct Lent(Field<Option<Params>>);

impl Default for Lent {
    fn default() -> Self {
        Self(SpinLock::new(None))
    }
}

/// Why a lock was not taken, or not given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PiError {
    /// Something that other futexes have as well.
    Futex(FutexError),
    /// It is the caller's own.
    Deadlock,
    /// It is somebody else's.
    Taken,
    /// The owner has gone.
    NoOwner,
    /// It is not the caller's to give back.
    NotOwner,
}

impl From<FutexError> for PiError {
    fn from(error: FutexError) -> Self {
        Self::Futex(error)
    }
}

impl From<RemoteFault> for PiError {
    fn from(error: RemoteFault) -> Self {
        Self::Futex(error.into())
    }
}

fn bucket(key: Key) -> &'static SpinLock<Vec<Entry>, { rank::SOURCE }> {
    &WAITERS[key.bucket() % BUCKETS]
}

/// Takes the lock, waiting for it if `sleeps`; at most until `deadline` (ns since boot).
pub fn lock(
    key: Key,
    addr: u64,
    mm: &MmUserRef,
    deadline: Option<u64>,
    sleeps: bool,
) -> Result<(), PiError> {
    let thread: &Thread = &current_thread();
    let tid = thread.tid();
    loop {
        // Brings the page in, and says whom to look for.
        let seen = mm.update_word(addr, |_| None)?;
        let owner = match pi::take(seen, tid, false) {
            Take::Wait { owner, .. } => match find(owner) {
                Some(task) => Some((owner, task)),
                // Who is not there any more may have given the lock back before it ended.
                None if mm.update_word(addr, |_| None)? != seen => continue,
                None => return Err(PiError::NoOwner),
            },
            Take::Own => return Err(PiError::Deadlock),
            Take::Taken(_) => None,
        };
        let mut waiters = bucket(key).lock();
        let waited_for = waiters.iter().any(|entry| entry.key == key);
        let change = |word| match pi::take(word, tid, waited_for) {
            Take::Taken(new) => Some(new),
            Take::Wait { word, .. } if sleeps => Some(word),
            _ => None,
        };
        let Some(before) = mm.poke_word(addr, change) else {
            continue;
        };
        match pi::take(before, tid, waited_for) {
            Take::Taken(_) => return Ok(()),
            Take::Own => return Err(PiError::Deadlock),
            Take::Wait { .. } if !sleeps => return Err(PiError::Taken),
            Take::Wait { owner: now, .. } => {
                let Some((_, task)) = owner.filter(|(owner, _)| *owner == now) else {
                    continue;
                };
                waiters
                    .try_reserve(1)
                    .map_err(|_| FutexError::OutOfMemory)?;
                thread.pi.granted.store(false, Relaxed);
                waiters.push(Entry {
                    key,
                    task: task::current_ref(),
                    tid,
                    owner: now,
                    mm: mm.clone(),
                    addr,
                });
                drop(waiters);
                return wait(thread, key, &task, deadline);
            }
        }
    }
}

/// Waits until the lock is given to this thread, whose priority the owner has meanwhile.
fn wait(thread: &Thread, key: Key, owner: &TaskRef, deadline: Option<u64>) -> Result<(), PiError> {
    lend(owner);
    // An owner that ended meanwhile did not look any more.
    if thread_of(owner).is_some_and(|thread| find(thread.tid()).is_none()) {
        give_up(thread_of(owner).map_or(0, Thread::tid));
    }
    let outcome = futexes::sleep(&thread.pi.granted, deadline);
    let Err(error) = outcome else { return Ok(()) };
    let mut waiters = bucket(key).lock();
    let own = waiters
        .iter()
        .position(|entry| task::current().is(&entry.task));
    let removed = own.map(|at| waiters.remove(at));
    drop(waiters);
    // Given to it in the last moment, it is its own.
    let Some(entry) = removed else { return Ok(()) };
    drop(entry);
    take_back(owner);
    Err(PiError::Futex(error))
}

/// Gives the lock back, to whoever waits for it with the highest priority.
pub fn unlock(key: Key, addr: u64, mm: &Mm) -> Result<(), PiError> {
    let tid = current_thread().tid();
    loop {
        mm.update_word(addr, |_| None)?;
        let mut waiters = bucket(key).lock();
        let best = best(&waiters, key);
        let next = best.map(|at| waiters[at].tid);
        let Some(before) = mm.poke_word(addr, |word| pi::give(word, tid, next).ok()) else {
            continue;
        };
        pi::give(before, tid, next).map_err(|_| PiError::NotOwner)?;
        let woken = best.map(|at| hand_over(&mut waiters, at));
        drop(waiters);
        finish(woken);
        take_back(&task::current_ref());
        return Ok(());
    }
}

/// Returns the place of whoever is to have the lock next.
fn best(waiters: &[Entry], key: Key) -> Option<usize> {
    let rank = |entry: &Entry| policy::params(&entry.task).rank();
    let of_key = waiters
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.key == key);
    // Of equals the first: the last of the maxima from behind.
    of_key
        .rev()
        .max_by_key(|(_, entry)| rank(entry))
        .map(|(at, _)| at)
}

/// Takes a waiter out, to whom the lock is given; the others wait for it from now on.
fn hand_over(waiters: &mut Vec<Entry>, at: usize) -> Entry {
    let entry = waiters.remove(at);
    for other in waiters.iter_mut().filter(|other| other.key == entry.key) {
        other.owner = entry.tid;
    }
    if let Some(thread) = thread_of(&entry.task) {
        thread.pi.granted.store(true, Release);
        thread.pi.is_waited_for.store(true, Relaxed);
    }
    entry
}

fn finish(woken: Option<Entry>) {
    if let Some(entry) = woken {
        sched::wake(&entry.task);
        take_back(&entry.task);
    }
}

/// Gives what an ended thread held to those who wait for it, and says in the words that it has ended.
pub(super) fn give_up(tid: u32) {
    for bucket in &WAITERS {
        loop {
            let mut waiters = bucket.lock();
            let Some(left) = waiters.iter().find(|entry| entry.owner == tid) else {
                break;
            };
            let (key, mm, addr) = (left.key, left.mm.clone(), left.addr);
            let Some(at) = best(&waiters, key) else { break };
            let next = waiters[at].tid;
            match mm.poke_word(addr, |word| pi::inherit(word, tid, next)) {
                Some(before) if pi::inherit(before, tid, next).is_some() => {
                    let woken = hand_over(&mut waiters, at);
                    drop(waiters);
                    finish(Some(woken));
                }
                Some(before) => {
                    // Somebody took it meanwhile: they wait for that one.
                    let now = before & abi::linux::FUTEX_TID_MASK;
                    let waiting = waiters.iter_mut().filter(|entry| entry.key == key);
                    waiting.for_each(|entry| entry.owner = now);
                    drop(waiters);
                }
                None => {
                    drop(waiters);
                    if mm.update_word(addr, |_| None).is_err() {
                        // The word has gone; so have those who could say whose it is.
                        let mut waiters = bucket.lock();
                        let waiting = waiters.iter_mut().filter(|entry| entry.key == key);
                        waiting.for_each(|entry| entry.owner = 0);
                    }
                }
            }
            drop(mm);
        }
    }
}

impl Thread {
    /// Gives what it holds to those who wait for it: the end of the thread, whose number nobody finds any more.
    pub(super) fn give_up_locks(&self) {
        if self.pi.is_waited_for.load(Relaxed) {
            give_up(self.tid());
        }
    }
}

/// Lends the owner of a lock the current task's priority, if that is higher.
fn lend(owner: &TaskRef) {
    let Some(thread) = thread_of(owner) else {
        return;
    };
    thread.pi.is_waited_for.store(true, Relaxed);
    let (own, theirs) = (policy::params(&task::current()), policy::params(owner));
    if own.is_realtime() && own.rank() > theirs.rank() {
        thread.pi.base.0.lock().get_or_insert(theirs);
        policy::set_params(owner, own);
    }
}

/// Takes back what was lent to a task, as far as nobody waits any more who lent it.
fn take_back(owner: &TaskRef) {
    let Some(thread) = thread_of(owner) else {
        return;
    };
    let tid = thread.tid();
    let mut highest: Option<Params> = None;
    if thread.pi.is_waited_for.load(Relaxed) {
        for bucket in &WAITERS {
            for entry in bucket.lock().iter().filter(|entry| entry.owner == tid) {
                let theirs = policy::params(&entry.task);
                if highest.is_none_or(|highest| theirs.rank() > highest.rank()) {
                    highest = Some(theirs);
                }
            }
        }
    }
    let base = *thread.pi.base.0.lock();
    let own = base.unwrap_or_else(|| policy::params(owner));
    match highest.filter(|highest| highest.is_realtime() && highest.rank() > own.rank()) {
        Some(highest) => {
            thread.pi.base.0.lock().get_or_insert(own);
            policy::set_params(owner, highest);
        }
        None if base.is_some() => {
            *thread.pi.base.0.lock() = None;
            policy::set_params(owner, own);
        }
        None => {}
    }
}

fn find(tid: u32) -> Option<TaskRef> {
    tree::find_by_tid(tid)?.task_of(tid)
}
