//! The value inside a semaphore and the two guards that give access to it.
//!
//! # Invariants
//! A [`ReadGuard`] exists only between its task's entering and leaving as a reader, a
//! [`WriteGuard`] only between entering and leaving as a writer; `Turns` never lets a writer in
//! together with anybody else. A [`PeekGuard`] exists only between entering and leaving through the gate
//! of peeks, which a writer shuts, and waits until nobody peeks, before it touches the value; while it has opened it
//! again, it is borrowed and only shows the value.
#![expect(
    unsafe_code,
    reason = "guards give access to what the semaphore protects"
)]

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

use super::{Entry, RwSem};
use crate::base::Cell;
use crate::hooks::Hooks;
use crate::rank::Held;

/// A value that only the guards look into.
pub(super) struct Guarded<T>(Cell<T>);

// SAFETY: shared access comes from read guards (so `T: Sync`), exclusive access from a write
// guard, which amounts to sending the value there and back (so `T: Send`).
unsafe impl<T: Send + Sync> Sync for Guarded<T> {}

impl<T> Guarded<T> {
    const_fn! {
        pub(super) const fn new(value: T) -> Self {
            Self(Cell::new(value))
        }
    }

    pub(super) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

/// Shared access to what an [`RwSem`] protects.
#[must_use = "the semaphore is given back as soon as its guard is dropped"]
pub struct ReadGuard<'a, T, const R: u8, H: Hooks> {
    sem: &'a RwSem<T, R, H>,
    entry: Entry,
    stays_in_task: PhantomData<*const ()>,
}

/// Shared access to what an [`RwSem`] protects, for a moment.
#[must_use = "the peek ends as soon as its guard is dropped"]
pub struct PeekGuard<'a, T, const R: u8, H: Hooks> {
    sem: &'a RwSem<T, R, H>,
    slot: usize,
    stays_on_cpu: PhantomData<*const ()>,
}

/// Exclusive access to what an [`RwSem`] protects.
#[must_use = "the semaphore is given back as soon as its guard is dropped"]
pub struct WriteGuard<'a, T, const R: u8, H: Hooks> {
    sem: &'a RwSem<T, R, H>,
    stays_in_task: PhantomData<*const ()>,
}

impl<T, const R: u8, H: Hooks> RwSem<T, R, H> {
    /// Wraps up a reader that went in.
    pub(super) fn read_guard(&self, entry: Entry) -> ReadGuard<'_, T, R, H> {
        ReadGuard {
            sem: self,
            entry,
            stays_in_task: PhantomData,
        }
    }

    /// Wraps up a peek that was counted in at `slot`.
    #[inline]
    pub(super) fn peek_guard(&self, slot: usize) -> PeekGuard<'_, T, R, H> {
        PeekGuard {
            sem: self,
            slot,
            stays_on_cpu: PhantomData,
        }
    }

    /// Wraps up a writer that went in.
    pub(super) fn write_guard(&self) -> WriteGuard<'_, T, R, H> {
        WriteGuard {
            sem: self,
            stays_in_task: PhantomData,
        }
    }
}

impl<'a, T, const R: u8, H: Hooks> WriteGuard<'a, T, R, H> {
    /// Turns the writer into a reader, without letting another writer in between.
    pub fn downgrade(self) -> ReadGuard<'a, T, R, H> {
        let sem = ManuallyDrop::new(self).sem;
        sem.read_guard(sem.gate.downgrade())
    }

    /// Lets others peek during `work`, which must be right beside whatever those do who peek.
    pub fn opened<O>(&mut self, work: impl FnOnce(&T) -> O) -> O {
        // SAFETY: this writer is inside, so nobody changes the value, and the guard is borrowed.
        let value = unsafe { &*self.sem.value.0.for_reading() };
        self.sem.gate.peeks.open();
        let outcome = work(value);
        self.sem.gate.shut_peeks();
        outcome
    }
}

impl<T, const R: u8, H: Hooks> Deref for ReadGuard<'_, T, R, H> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this reader is inside, so no writer is, and the guard is borrowed.
        unsafe { &*self.sem.value.0.for_reading() }
    }
}

impl<T, const R: u8, H: Hooks> Deref for PeekGuard<'_, T, R, H> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this peek is counted in, so no writer has the gate shut, and the guard is borrowed.
        unsafe { &*self.sem.value.0.for_reading() }
    }
}

impl<T, const R: u8, H: Hooks> Deref for WriteGuard<'_, T, R, H> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this writer is inside, so nobody else is, and the guard is borrowed.
        unsafe { &*self.sem.value.0.for_reading() }
    }
}

impl<T, const R: u8, H: Hooks> DerefMut for WriteGuard<'_, T, R, H> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this writer is inside, so nobody else is, and the guard is borrowed mutably.
        unsafe { &mut *self.sem.value.0.for_writing() }
    }
}

impl<T, const R: u8, H: Hooks> Drop for ReadGuard<'_, T, R, H> {
    fn drop(&mut self) {
        H::released(R);
        self.sem.gate.leave_reading(self.entry);
    }
}

impl<T, const R: u8, H: Hooks> Drop for PeekGuard<'_, T, R, H> {
    #[inline]
    fn drop(&mut self) {
        H::released(R);
        let gate = &self.sem.gate;
        gate.peeks.leave::<H>(&gate.turns.slots, self.slot);
    }
}

impl<T, const R: u8, H: Hooks> Drop for WriteGuard<'_, T, R, H> {
    fn drop(&mut self) {
        H::released(R);
        self.sem.gate.leave_writing();
    }
}

impl<T, const R: u8, H: Hooks> Held<R> for ReadGuard<'_, T, R, H> {}

impl<T, const R: u8, H: Hooks> Held<R> for PeekGuard<'_, T, R, H> {}

impl<T, const R: u8, H: Hooks> Held<R> for WriteGuard<'_, T, R, H> {}
