//! Waiting for several files at once.
//!
//! Every file whose readiness can change has a [`PollQueue`]: who changes it tells the queue what may hold now
//! ([`PollQueue::notify`]), after the change and with no lock held, and the queue tells its watchers. A watcher only
//! notes that there is something to look at; what is really so, the file is asked ([`File::readiness`]).
//!
//! No wake-up is lost: a watcher registers first and looks then, a change is made first and told then.
//!
//! [`File::readiness`]: super::file::File::readiness

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound::{Excluded, Included};
use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{AcqRel, Release, SeqCst},
    fence,
};

use super::file::{OpenFile, Readiness};
use super::rank;
use crate::locks::{Interrupted, SpinLock, WaitQueue};
use crate::time;

/// Who is told that a file's readiness may have changed.
pub trait Watcher: Send + Sync {
    /// Takes notice; may be called in an interrupt. Returns whether somebody is on the way to look.
    fn notify(&self, what: Readiness) -> bool;
}

/// The watchers of a file, or of several that change together.
pub struct PollQueue {
    watches: SpinLock<Watches, { rank::POLL }>,
    /// How many there are, written under the lock; read without it by who tells, who mostly finds none.
    count: AtomicUsize,
}

struct Watches {
    next: u64,
    list: BTreeMap<u64, Watch>,
}

#[derive(Clone)]
struct Watch {
    watcher: Arc<dyn Watcher>,
    /// What it wants to be told of.
    wanted: Readiness,
    /// Whether it need not be told once another such watcher was.
    exclusive: bool,
}

impl PollQueue {
    /// Makes a queue that nobody watches.
    pub const fn new() -> Self {
        Self {
            watches: SpinLock::new(Watches {
                next: 1,
                list: BTreeMap::new(),
            }),
            count: AtomicUsize::new(0),
        }
    }

    /// Adds a watcher; errors and hang-ups are always told. Returns the number to remove it by.
    pub fn add(&self, watcher: Arc<dyn Watcher>, wanted: Readiness, exclusive: bool) -> u64 {
        let watch = Watch {
            watcher,
            wanted: wanted | Readiness::ALWAYS,
            exclusive,
        };
        let mut watches = self.watches.lock();
        let id = watches.next;
        watches.next += 1;
        watches.list.insert(id, watch);
        self.count.store(watches.list.len(), Release);
        drop(watches);
        // Pairs with the fence in `notify`: of a watcher that looks and a change one sees the other.
        fence(SeqCst);
        id
    }

    /// Removes a watcher; one that is gone already stays so.
    pub fn remove(&self, id: u64) {
        let mut watches = self.watches.lock();
        let gone = watches.list.remove(&id);
        self.count.store(watches.list.len(), Release);
        drop(watches);
        drop(gone);
    }

    /// Returns whether nobody watches.
    pub fn is_empty(&self) -> bool {
        self.count.load(SeqCst) == 0
    }

    /// Tells the watchers that `what` may hold now. The caller holds no lock that a watcher's file needs.
    #[inline]
    pub fn notify(&self, what: Readiness) {
        fence(SeqCst);
        if self.count.load(SeqCst) != 0 {
            self.tell(what);
        }
    }

    #[cold]
    fn tell(&self, what: Readiness) {
        let last = self.watches.lock().next;
        let (mut at, mut exclusive_told) = (0, false);
        // One after the other with the lock given back: a watcher may have watchers of its own.
        while let Some((id, watch)) = self.after(at, last) {
            at = id;
            if !watch.wanted.intersects(what) || (watch.exclusive && exclusive_told) {
                continue;
            }
            let told = watch.watcher.notify(what);
            exclusive_told |= told && watch.exclusive;
        }
    }

    fn after(&self, at: u64, last: u64) -> Option<(u64, Watch)> {
        let watches = self.watches.lock();
        let mut rest = watches.list.range((Excluded(at), Included(last)));
        rest.next().map(|(id, watch)| (*id, watch.clone()))
    }
}

impl Default for PollQueue {
    fn default() -> Self {
        Self::new()
    }
}

/// A task that sleeps until it is told of a change.
#[derive(Default)]
pub struct Sleeper {
    told: AtomicBool,
    queue: WaitQueue,
}

impl Sleeper {
    /// Forgets what it was told so far; then is the time to look.
    pub fn reset(&self) {
        self.told.swap(false, AcqRel);
    }

    /// Sleeps until it is told of something, or `deadline` (ns since boot; `None` for never) has passed.
    ///
    /// Returns whether it was told.
    pub fn sleep(&self, deadline: Option<u64>) -> Result<bool, Interrupted> {
        let is_over = || deadline.is_some_and(|deadline| time::now_ns() >= deadline);
        let _timer = deadline.map(time::wake_at);
        let told = || self.told.load(SeqCst);
        self.queue
            .wait_until_interruptible(|| told() || is_over())?;
        Ok(told())
    }
}

impl Watcher for Sleeper {
    fn notify(&self, _: Readiness) -> bool {
        self.told.store(true, SeqCst);
        self.queue.wake_all();
        true
    }
}

/// Watches of one sleeper, which end with this.
struct Registered<'a>(Vec<(&'a PollQueue, u64)>);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        for (queue, id) in &self.0 {
            queue.remove(*id);
        }
    }
}

/// Sleeps until `look` finds something, or `deadline` (ns since boot; `None` for never) has passed.
///
/// What `look` finds may only come true by changes of these `files` that are told as what is wanted of them. Returns
/// whether it found something.
pub fn wait<'a>(
    deadline: Option<u64>,
    files: impl Iterator<Item = (&'a OpenFile, Readiness)>,
    mut look: impl FnMut() -> bool,
) -> Result<bool, Interrupted> {
    if look() {
        return Ok(true);
    }
    if deadline.is_some_and(|deadline| time::now_ns() >= deadline) {
        return Ok(false);
    }
    let sleeper = Arc::new(Sleeper::default());
    let mut registered = Registered(Vec::new());
    for (file, wanted) in files {
        if let Some(queue) = file.file().poll_queue() {
            let id = queue.add(sleeper.clone(), wanted, false);
            registered.0.push((queue, id));
        }
    }
    loop {
        sleeper.reset();
        if look() {
            return Ok(true);
        }
        if !sleeper.sleep(deadline)? {
            return Ok(look());
        }
    }
}

/// Sleeps until `look` finds something, which comes true by changes that `queue` tells as `wanted`.
pub fn wait_on(
    queue: &PollQueue,
    wanted: Readiness,
    mut look: impl FnMut() -> bool,
) -> Result<(), Interrupted> {
    let sleeper = Arc::new(Sleeper::default());
    let id = queue.add(sleeper.clone(), wanted, false);
    let _registered = Registered(alloc::vec![(queue, id)]);
    loop {
        sleeper.reset();
        if look() {
            return Ok(());
        }
        sleeper.sleep(None)?;
    }
}

/// Returns which of the `wanted` events hold; errors and hang-ups are always told.
pub fn events(readiness: Readiness, wanted: Readiness) -> Readiness {
    readiness & (wanted | Readiness::ALWAYS)
}
