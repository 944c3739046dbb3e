//! Epoll: a file that tells which of the files that it watches are ready. What it tells when is `event::interest`'s.
//!
//! A watched file does not keep the epoll, nor the epoll the file: with the last descriptor of either the interest ends
//! ([`close_hooks`] for the file's side). A watch registered with a file's [`PollQueue`] only puts it into the queue
//! of those that may be ready, from an interrupt too; whether they are, [`Epoll::tell_events`] asks with no lock held.
//!
//! One epoll may watch another. [`nesting`](self::check_nesting) keeps that from going in circles, and from going deep.

mod counted;
mod shown;

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};

use abi::file::OpenFlags;
use event::Interests;
use event::interest::{is_exclusive, may_add};

pub use event::Presence;

use self::counted::Counted;
use super::eventfd::{anonymous, downcast};
use super::file::{File, OpenFile, Readiness};
use super::inode::Metadata;
use super::poll::{PollQueue, Watcher};
use super::rank;
use crate::locks::{Interrupted, Mutex, SpinLock, WaitQueue};
use crate::mm::frame;
use crate::time;

/// How many epolls may watch one another in a row.
const DEEPEST: usize = 5;

/// Which file, and by which descriptor: the same file may be watched by two.
type Key = (usize, i32);

/// Held while interests of epolls in epolls are added.
static NESTING: Mutex<(), { rank::EPOLL_NESTING }> = Mutex::new(());

/// Why an interest was not added or changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlError {
    /// It is there already, or is not, or must not be asked for in this way.
    Presence(Presence),
    /// Such a file is always ready and tells no changes.
    NotPollable,
    /// Epolls would watch each other in a circle, or too deep.
    Loop,
    /// As much memory as may be is taken by watches.
    TooMany,
    /// No memory.
    OutOfMemory,
}

/// An open epoll.
pub struct Epoll(Arc<Core>);

/// What the watches share with the epoll.
struct Core {
    interests: SpinLock<Interests<Key, Arc<Watch>>, { rank::INTERESTS }>,
    /// How many files may be ready, written under the lock; read by who goes to sleep.
    candidates: AtomicUsize,
    /// Held while an interest is added, changed or removed.
    changes: Mutex<(), { rank::EPOLL }>,
    waiters: WaitQueue,
    pollers: PollQueue,
    /// The epolls that watch this one, under [`NESTING`].
    above: SpinLock<Vec<Weak<Core>>, { rank::INTERESTS }>,
}

/// The watch of one file.
pub struct Watch {
    core: Arc<Core>,
    file: Weak<OpenFile>,
    key: Key,
    id: u64,
    /// Its number in the file's queue; 0 until it has one.
    registered: AtomicU64,
    _counted: Counted,
}

/// Makes an epoll that watches nothing.
pub fn epoll() -> Arc<OpenFile> {
    let core = Arc::new(Core {
        interests: SpinLock::new(Interests::new()),
        candidates: AtomicUsize::new(0),
        changes: Mutex::new(()),
        waiters: WaitQueue::new(),
        pollers: PollQueue::new(),
        above: SpinLock::new(Vec::new()),
    });
    OpenFile::new(Epoll(core), OpenFlags::RDWR)
}

/// Ends the interests in a file whose last descriptor has gone.
pub(super) fn close_hooks(file: &dyn File, hooks: Vec<Arc<Watch>>) {
    for watch in hooks {
        if let Some(queue) = file.poll_queue() {
            queue.remove(watch.registered.load(Relaxed));
        }
        // It may have been removed, or the epoll have gone, meanwhile.
        let gone = watch.core.with(|interests| interests.remove(&watch.key));
        drop(gone);
    }
}

fn key(file: &Arc<OpenFile>, fd: i32) -> Key {
    (Arc::as_ptr(file).addr(), fd)
}

impl Core {
    /// Works on the interests, and tells how many candidates there are.
    fn with<R>(&self, work: impl FnOnce(&mut Interests<Key, Arc<Watch>>) -> R) -> R {
        let mut interests = self.interests.lock();
        let result = work(&mut interests);
        self.candidates.store(interests.candidates(), SeqCst);
        result
    }

    /// A file may be ready for `what`.
    fn notify(&self, id: u64, what: Readiness) -> bool {
        let counts = self.with(|interests| interests.notify(id, what.bits().into()));
        if !counts {
            return false;
        }
        let woken = self.waiters.wake_one();
        self.pollers.notify(Readiness::READABLE);
        woken || !self.pollers.is_empty()
    }

    fn is_idle(&self) -> bool {
        self.candidates.load(SeqCst) == 0
    }
}

impl Watcher for Watch {
    fn notify(&self, what: Readiness) -> bool {
        self.core.notify(self.id, what)
    }
}

impl Watch {
    /// Returns what the file is ready for; nothing if it has gone.
    fn look(&self) -> u32 {
        self.file
            .upgrade()
            .map_or(0, |file| file.file().readiness().bits().into())
    }

    /// Takes the watch from the file; the interest is gone already.
    fn leave(self: &Arc<Self>) {
        let Some(file) = self.file.upgrade() else {
            return;
        };
        if let Some(queue) = file.file().poll_queue() {
            queue.remove(self.registered.load(Relaxed));
        }
        file.with_hooks(|hooks| hooks.retain(|hook| !Arc::ptr_eq(hook, self)));
        if let Some(inner) = downcast::<Epoll>(&file) {
            let above = Arc::downgrade(&self.core);
            inner.0.forget_above(&above);
        }
    }
}

impl Core {
    fn forget_above(&self, gone: &Weak<Core>) {
        let mut above = self.above.lock();
        let found = above.iter().position(|core| core.ptr_eq(gone));
        let removed = found.map(|at| above.swap_remove(at));
        drop(above);
        drop(removed);
    }

    /// The epolls that this one watches.
    fn below(&self) -> Vec<Arc<Core>> {
        let interests = self.interests.lock();
        let files: Vec<_> = interests
            .iter()
            .filter_map(|(_, watch, ..)| watch.file.upgrade())
            .collect();
        drop(interests);
        files
            .iter()
            .filter_map(|file| downcast::<Epoll>(file).map(|epoll| epoll.0.clone()))
            .collect()
    }

    /// How many epolls lie in a row from this one on down, this one included; `None` if `forbidden` is among them, or
    /// there are too many.
    fn depth_below(&self, forbidden: &Arc<Core>, level: usize) -> Option<usize> {
        if core::ptr::eq(self, Arc::as_ptr(forbidden)) || level > DEEPEST {
            return None;
        }
        self.below().iter().try_fold(1, |deepest: usize, inner| {
            Some(deepest.max(1 + inner.depth_below(forbidden, level + 1)?))
        })
    }

    /// How many epolls lie in a row from this one on up, this one included.
    fn depth_above(&self, level: usize) -> usize {
        if level > DEEPEST {
            return 1;
        }
        let above: Vec<_> = self.above.lock().iter().filter_map(Weak::upgrade).collect();
        let depths = above.iter().map(|outer| 1 + outer.depth_above(level + 1));
        depths.max().unwrap_or(1)
    }
}

/// Fails if `outer` must not watch `inner`.
fn check_nesting(outer: &Arc<Core>, inner: &Arc<Core>) -> Result<(), ControlError> {
    let below = inner.depth_below(outer, 1).ok_or(ControlError::Loop)?;
    match below + outer.depth_above(1) <= DEEPEST {
        true => Ok(()),
        false => Err(ControlError::Loop),
    }
}

impl Epoll {
    /// Begins to watch `file` as descriptor `fd`.
    pub fn add(
        &self,
        file: &Arc<OpenFile>,
        fd: i32,
        events: u32,
        data: u64,
    ) -> Result<(), ControlError> {
        let inner = downcast::<Self>(file);
        if !may_add(events, inner.is_some()) {
            return Err(ControlError::Presence(Presence::Invalid));
        }
        let _nesting = inner.map(|_| NESTING.lock());
        if let Some(inner) = inner {
            check_nesting(&self.0, &inner.0)?;
        }
        let queue = file.file().poll_queue().ok_or(ControlError::NotPollable)?;
        let _changes = self.0.changes.lock();
        let key = key(file, fd);
        let counted = Counted::new().ok_or(ControlError::TooMany)?;
        if !frame::can_spare(1) {
            return Err(ControlError::OutOfMemory);
        }
        let make = |id| {
            Arc::new(Watch {
                core: self.0.clone(),
                file: Arc::downgrade(file),
                key,
                id,
                registered: AtomicU64::new(0),
                _counted: counted,
            })
        };
        let watch = self
            .0
            .with(|interests| interests.add(key, events, data, make))?;
        let wanted = Readiness::all();
        let number = queue.add(watch.clone(), wanted, is_exclusive(events));
        watch.registered.store(number, Relaxed);
        file.with_hooks(|hooks| hooks.push(watch.clone()));
        if let Some(inner) = inner {
            inner.0.above.lock().push(Arc::downgrade(&self.0));
        }
        self.0.notify(watch.id, file.file().readiness());
        Ok(())
    }

    /// Changes what is asked of a file.
    pub fn change(
        &self,
        file: &Arc<OpenFile>,
        fd: i32,
        events: u32,
        data: u64,
    ) -> Result<(), ControlError> {
        let _changes = self.0.changes.lock();
        let change =
            |interests: &mut Interests<_, _>| interests.change(&key(file, fd), events, data);
        let (_, id) = self.0.with(change)?;
        self.0.notify(id, file.file().readiness());
        Ok(())
    }

    /// Ends the interest in a file.
    pub fn remove(&self, file: &Arc<OpenFile>, fd: i32) -> Result<(), ControlError> {
        let _changes = self.0.changes.lock();
        let watch = self.0.with(|interests| interests.remove(&key(file, fd)))?;
        watch.leave();
        Ok(())
    }

    /// Gives up to `max` events, one by one, to `tell`, which fails if the program cannot be told; returns how many it was
    /// told, `None` if it could not be told the first.
    pub fn tell_events(&self, max: usize, mut tell: impl FnMut(u32, u64) -> bool) -> Option<usize> {
        let mut told = 0;
        // A file that goes to the end of the queue is not looked at again in this round.
        for _ in 0..self.0.candidates.load(SeqCst) {
            if told == max {
                break;
            }
            let Some((id, watch, asked)) = self.0.with(Interests::take) else {
                break;
            };
            let found = watch.look();
            let Some((events, data)) = self.0.with(|interests| interests.looked(id, found)) else {
                continue;
            };
            if !tell(events, data) {
                self.0.with(|interests| interests.untold(id, asked));
                return (told > 0).then_some(told);
            }
            told += 1;
        }
        if !self.0.is_idle() {
            // What is left is for the next who waits.
            self.0.waiters.wake_one();
        }
        Some(told)
    }

    /// Sleeps until there may be something to tell, or `deadline` has passed; returns whether it has not.
    pub fn wait(&self, deadline: Option<u64>) -> Result<bool, Interrupted> {
        let is_over = || deadline.is_some_and(|deadline| time::now_ns() >= deadline);
        if is_over() {
            return Ok(false);
        }
        let _timer = deadline.map(time::wake_at);
        let has_some = || !self.0.is_idle();
        self.0
            .waiters
            .wait_until_interruptible(|| has_some() || is_over())?;
        Ok(has_some())
    }
}

impl File for Epoll {
    fn metadata(&self) -> Metadata {
        anonymous()
    }

    fn describe(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        shown::write(&self.0, out)
    }

    /// Is readable while a file it watches is ready; who is not, is no candidate any more.
    fn readiness(&self) -> Readiness {
        for _ in 0..self.0.candidates.load(SeqCst) {
            let first = self.0.interests.lock().queued().next();
            let Some((id, watch, asked)) = first else {
                break;
            };
            if watch.look() & asked != 0 {
                return Readiness::READABLE;
            }
            let taken = self.0.with(|interests| interests.unready(id));
            if taken && watch.look() & asked != 0 {
                // It became ready between the look and the removal.
                self.0.notify(id, Readiness::all());
            }
        }
        Readiness::empty()
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        Some(&self.0.pollers)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }

    fn name(&self) -> &'static str {
        "anon_inode:[eventpoll]"
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        while let Some(watch) = self.0.with(Interests::remove_any) {
            watch.leave();
        }
    }
}

impl From<Presence> for ControlError {
    fn from(presence: Presence) -> Self {
        Self::Presence(presence)
    }
}
