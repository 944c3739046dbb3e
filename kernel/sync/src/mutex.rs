//! The sleeping lock: who finds it taken gives up the CPU.
//!
//! A newcomer may overtake a task that was just woken: the order among waiters is not promised.

use core::any::type_name;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use spin::mutex::{SpinMutex, SpinMutexGuard};

use crate::hooks::{Hooks, Order};
use crate::rank::{Held, WAIT, assert_nests};
use crate::wait_queue::WaitQueue;

/// A sleeping lock of rank `R` around a `T`.
pub struct Mutex<T, const R: u8, H: Hooks> {
    /// Only ever tried, never spun on.
    value: SpinMutex<T>,
    waiters: WaitQueue<H>,
}

/// Access to what a [`Mutex`] protects.
#[must_use = "the lock is given back as soon as its guard is dropped"]
pub struct MutexGuard<'a, T, const R: u8, H: Hooks> {
    // In this order: fields are dropped from the top, and the wake comes after the unlock.
    value: SpinMutexGuard<'a, T>,
    _wake: WakeNext<'a, R, H>,
}

/// Wakes the next waiter when it is dropped.
struct WakeNext<'a, const R: u8, H: Hooks> {
    waiters: &'a WaitQueue<H>,
    /// The record of held ranks belongs to the task.
    stays_in_task: PhantomData<*const ()>,
}

impl<T, const R: u8, H: Hooks> Mutex<T, R, H> {
    /// Makes an unlocked lock.
    pub const fn new(value: T) -> Self {
        const { assert_nests(R, WAIT) };
        Self {
            value: SpinMutex::new(value),
            waiters: WaitQueue::new(),
        }
    }

    /// Takes the lock, sleeping until it is free.
    pub fn lock(&self) -> MutexGuard<'_, T, R, H> {
        H::assert_may_sleep();
        H::acquired(R, type_name::<T>(), Order::Deeper);
        let free_now = self.value.try_lock();
        self.guard(free_now.unwrap_or_else(|| self.waiters.wait_for(|| self.value.try_lock())))
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
        let value = self.value.try_lock()?;
        H::acquired(R, type_name::<T>(), Order::Try);
        Some(self.guard(value))
    }

    /// Returns the value; a unique reference needs no lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    fn guard<'a>(&'a self, value: SpinMutexGuard<'a, T>) -> MutexGuard<'a, T, R, H> {
        MutexGuard {
            value,
            _wake: WakeNext {
                waiters: &self.waiters,
                stays_in_task: PhantomData,
            },
        }
    }
}

impl<T, const R: u8, H: Hooks> Deref for MutexGuard<'_, T, R, H> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T, const R: u8, H: Hooks> DerefMut for MutexGuard<'_, T, R, H> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<const R: u8, H: Hooks> Drop for WakeNext<'_, R, H> {
    fn drop(&mut self) {
        H::released(R);
        self.waiters.wake_one();
    }
}

impl<T, const R: u8, H: Hooks> Held<R> for MutexGuard<'_, T, R, H> {}

impl<T: Default, const R: u8, H: Hooks> Default for Mutex<T, R, H> {
    fn default() -> Self {
        Self::new(T::default())
    }
}
