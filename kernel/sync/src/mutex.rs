//! The sleeping lock: who finds it taken gives up the CPU.
//!
//! A newcomer may overtake a task that was just woken: the order among waiters is not promised.
//!
//! # Invariants
//! `owner` is not `FREE` exactly as long as one [`MutexGuard`] of the lock lives.
#![expect(unsafe_code, reason = "a guard gives access to what the lock protects")]

use core::any::type_name;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use crate::base::{AtomicU32, Cell, Ordering};
use crate::hooks::{Hooks, Order};
use crate::rank::{Held, WAIT, assert_nests};
use crate::wait_queue::WaitQueue;

/// Nobody owns the lock.
const FREE: u32 = 0;
/// Somebody does who has no number: before there are tasks.
const NAMELESS: u32 = u32::MAX;

/// A sleeping lock of rank `R` around a `T`.
pub struct Mutex<T, const R: u8, H: Hooks> {
    /// [`FREE`], the owner's number, or [`NAMELESS`].
    owner: AtomicU32,
    value: Cell<T>,
    waiters: WaitQueue<H>,
}

// SAFETY: one guard at a time gives access, so that sharing the lock only sends the value around.
unsafe impl<T: Send, const R: u8, H: Hooks> Sync for Mutex<T, R, H> {}

/// Access to what a [`Mutex`] protects.
#[must_use = "the lock is given back as soon as its guard is dropped"]
pub struct MutexGuard<'a, T, const R: u8, H: Hooks> {
    lock: &'a Mutex<T, R, H>,
    /// The record of held ranks belongs to the task.
    stays_in_task: PhantomData<*const ()>,
}

impl<T, const R: u8, H: Hooks> Mutex<T, R, H> {
    const_fn! {
        /// Makes an unlocked lock.
        pub const fn new(value: T) -> Self {
            const { assert_nests(R, WAIT) };
            Self {
                owner: AtomicU32::new(FREE),
                value: Cell::new(value),
                waiters: WaitQueue::new(),
            }
        }
    }

    /// Takes the lock, sleeping until it is free.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T, R, H> {
        H::assert_may_sleep();
        H::acquired(R, type_name::<T>(), Order::Deeper);
        if !self.take() {
            self.wait();
        }
        self.guard()
    }

    /// Takes the lock inside another one; the pair is checked at compile time.
    pub fn lock_under<const OUTER: u8>(
        &self,
        _outer: &impl Held<OUTER>,
    ) -> MutexGuard<'_, T, R, H> {
        const { assert_nests(OUTER, R) };
        self.lock()
    }

    /// Takes the lock if it is free now, in any order.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T, R, H>> {
        if !self.take() {
            return None;
        }
        H::acquired(R, type_name::<T>(), Order::Try);
        Some(self.guard())
    }

    /// Returns the value; a unique reference needs no lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Returns the number of the task that has the lock, if anybody has it who has a number.
    pub fn owner(&self) -> Option<u32> {
        let owner = self.owner.load(Ordering::Relaxed);
        (owner != FREE && owner != NAMELESS).then_some(owner)
    }

    /// Says whether somebody sleeps until the lock is free.
    pub fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }

    #[inline]
    fn take(&self) -> bool {
        let me = match H::task_id() {
            FREE => NAMELESS,
            id => id,
        };
        let taken = self
            .owner
            .compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
    }

    #[cold]
    fn wait(&self) {
        let since = H::now();
        H::waits(R, self.owner().unwrap_or(0));
        self.waiters.wait_until(|| self.take());
        H::waited(R, H::now().saturating_sub(since));
    }

    fn guard(&self) -> MutexGuard<'_, T, R, H> {
        MutexGuard {
            lock: self,
            stays_in_task: PhantomData,
        }
    }
}

impl<T, const R: u8, H: Hooks> Deref for MutexGuard<'_, T, R, H> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is ours as long as the guard lives, and the guard is borrowed.
        unsafe { &*self.lock.value.for_reading() }
    }
}

impl<T, const R: u8, H: Hooks> DerefMut for MutexGuard<'_, T, R, H> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is ours as long as the guard lives, and the guard is borrowed mutably.
        unsafe { &mut *self.lock.value.for_writing() }
    }
}

impl<T, const R: u8, H: Hooks> Drop for MutexGuard<'_, T, R, H> {
    #[inline]
    fn drop(&mut self) {
        self.lock.owner.store(FREE, Ordering::Release);
        H::released(R);
        self.lock.waiters.wake_one();
    }
}

impl<T, const R: u8, H: Hooks> Held<R> for MutexGuard<'_, T, R, H> {}

impl<T: Default, const R: u8, H: Hooks> Default for Mutex<T, R, H> {
    fn default() -> Self {
        Self::new(T::default())
    }
}
