//! Sleeping until a condition holds.
//!
//! A sleeper first marks itself blocked, then enqueues, then tests its condition, and only then
//! gives up the CPU. A waker first makes the condition true, then looks for sleepers. Whatever
//! the interleaving, either the sleeper sees the condition or the waker sees the sleeper, and a
//! wake that comes before the sleep makes the sleep return at once.
//!
//! The condition is tested while the task counts as blocked: it must not sleep itself. Wakers
//! hold no lock of rank [`WAIT`] or deeper.

use alloc::collections::VecDeque;
use core::fmt;

use crate::base::{AtomicUsize, Ordering, fence, fence_of_exchange};
use crate::hooks::Hooks;
use crate::rank::WAIT;
use crate::spinlock::SpinLock;

/// Tasks that sleep until somebody wakes them, first come first served.
pub struct WaitQueue<H: Hooks> {
    /// Each sleeper once. Grown outside the lock, never shrunk.
    sleepers: SpinLock<VecDeque<H::Waiter>, WAIT, H>,
    /// How many sleep, written under the lock; read without it by wakers, who mostly find none.
    len: AtomicUsize,
}

/// The wait was given up since the task has something else to do, or has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl<H: Hooks> WaitQueue<H> {
    const_fn! {
        /// Makes an empty queue.
        pub const fn new() -> Self {
            Self {
                sleepers: SpinLock::new(VecDeque::new()),
                len: AtomicUsize::new(0),
            }
        }
    }

    /// Sleeps until `condition` holds.
    pub fn wait_until(&self, mut condition: impl FnMut() -> bool) {
        self.wait_for(|| condition().then_some(()));
    }

    /// Sleeps until `condition` holds or the task has to end; nothing less interrupts it.
    pub fn wait_until_killable(
        &self,
        mut condition: impl FnMut() -> bool,
    ) -> Result<(), Interrupted> {
        self.wait(|| condition().then_some(()), H::killed)
    }

    /// Sleeps until `condition` holds or the task is interrupted.
    pub fn wait_until_interruptible(
        &self,
        mut condition: impl FnMut() -> bool,
    ) -> Result<(), Interrupted> {
        self.wait_for_interruptible(|| condition().then_some(()))
    }

    /// Sleeps until `poll` yields a value.
    pub fn wait_for<V>(&self, poll: impl FnMut() -> Option<V>) -> V {
        H::deaf(true);
        let end = self.wait(poll, || false);
        H::deaf(false);
        match end {
            Ok(value) => value,
            Err(Interrupted) => unreachable!("this wait is never given up"),
        }
    }

    /// Sleeps until `poll` yields a value or the task is interrupted.
    pub fn wait_for_interruptible<V>(
        &self,
        poll: impl FnMut() -> Option<V>,
    ) -> Result<V, Interrupted> {
        self.wait(poll, H::interrupted)
    }

    /// Wakes the task that waits longest; says whether there was one.
    #[inline]
    pub fn wake_one(&self) -> bool {
        !self.is_empty() && self.wake_next()
    }

    fn wake_next(&self) -> bool {
        let next = self.pop();
        next.inspect(H::wake).is_some()
    }

    /// As [`wake_all`](Self::wake_all), right after the atomic exchange that made the condition true.
    #[inline]
    pub(crate) fn wake_all_after_exchange(&self) {
        fence_of_exchange();
        if self.len.load(Ordering::Relaxed) != 0 {
            self.wake_all();
        }
    }

    /// Wakes every task that waits now.
    #[inline]
    pub fn wake_all(&self) {
        if !self.is_empty() {
            self.wake_those();
        }
    }

    fn wake_those(&self) {
        // Bounded, since a woken task may enqueue again before the last one is woken.
        for _ in 0..self.len.load(Ordering::Relaxed) {
            if !self.wake_one() {
                return;
            }
        }
    }

    /// Says whether nobody waits, as seen after everything the caller wrote before.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // Pairs with the fence in `enqueue`: of a sleeper and a waker one sees the other.
        fence(Ordering::SeqCst);
        self.len.load(Ordering::Relaxed) == 0
    }

    fn wait<V>(
        &self,
        mut poll: impl FnMut() -> Option<V>,
        gives_up: impl Fn() -> bool,
    ) -> Result<V, Interrupted> {
        H::assert_may_sleep();
        loop {
            if let Some(value) = poll() {
                return Ok(value);
            }
            if let Some(end) = self.sleep_unless(|| match poll() {
                None if gives_up() => Some(Err(Interrupted)),
                polled => polled.map(Ok),
            }) {
                return end;
            }
        }
    }

    /// Sleeps once, unless `ready` yields a reason not to.
    fn sleep_unless<V>(&self, ready: impl FnOnce() -> Option<V>) -> Option<V> {
        let me = H::current();
        H::prepare_to_sleep();
        self.enqueue(me.clone());
        let reason = ready();
        match reason {
            Some(_) => H::cancel_sleep(),
            None => H::sleep(),
        }
        let was_woken = !self.remove(&me);
        if was_woken && reason.is_some() {
            // The wake was meant for a sleeper, and this task does not need it.
            self.wake_one();
        }
        reason
    }

    fn enqueue(&self, me: H::Waiter) {
        let mut spare = VecDeque::new();
        loop {
            let mut sleepers = self.sleepers.lock();
            let needed = sleepers.len() + 1;
            if sleepers.capacity() < needed && spare.capacity() >= needed {
                spare.append(&mut sleepers);
                core::mem::swap(&mut *sleepers, &mut spare);
            }
            if sleepers.capacity() >= needed {
                sleepers.push_back(me);
                self.len.store(needed, Ordering::Relaxed);
                break;
            }
            drop(sleepers);
            spare.reserve(needed.next_power_of_two().max(4));
        }
        fence(Ordering::SeqCst);
    }

    fn pop(&self) -> Option<H::Waiter> {
        let mut sleepers = self.sleepers.lock();
        let first = sleepers.pop_front();
        self.len.store(sleepers.len(), Ordering::Relaxed);
        first
    }

    /// Takes a task out; says whether it was still there, that is, whether nobody woke it.
    fn remove(&self, me: &H::Waiter) -> bool {
        let mut sleepers = self.sleepers.lock();
        let found = sleepers.iter().position(|waiter| waiter == me);
        let removed = found.and_then(|at| sleepers.remove(at));
        self.len.store(sleepers.len(), Ordering::Relaxed);
        drop(sleepers);
        removed.is_some()
    }
}

impl<H: Hooks> Default for WaitQueue<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wait interrupted")
    }
}

impl core::error::Error for Interrupted {}
