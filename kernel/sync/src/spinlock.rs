//! The spinning lock: interrupts stay off on this CPU as long as it is held.
//!
//! A holder must not sleep. Waiting for the lock, on the other hand, is done with interrupts as
//! the caller had them: the holder may be waiting for this CPU to answer an interrupt (TLB-12).
//!
//! Who waits takes no place in a queue: with interrupts on a waiter may be interrupted, or another task may
//! run in its place, and everybody behind it would wait for that. Instead a waiter that has waited long
//! becomes *impatient*, and newcomers let the impatient go first. So nobody starves, and an interrupt that
//! wants the lock that the code below it waits for gets it, late.
//!
//! # Invariants
//! `locked` is set exactly as long as one [`SpinGuard`] of the lock lives, or its guard was
//! [handed over](SpinGuard::hand_over) and not adopted yet.
#![expect(
    unsafe_code,
    reason = "a guard gives access to what the lock protects, and can be handed over"
)]

use core::any::type_name;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

use crate::base::{AtomicBool, AtomicU32, Cell, Ordering, PATIENCE};
use crate::hooks::{Hooks, Order};
use crate::rank::{Held, assert_nests};

/// A spinning lock of rank `R` around a `T`.
pub struct SpinLock<T, const R: u8, H: Hooks> {
    locked: AtomicBool,
    /// Waiters that newcomers let go first.
    impatient: AtomicU32,
    value: Cell<T>,
    hooks: PhantomData<fn() -> H>,
}

// SAFETY: one guard at a time gives access, so that sharing the lock only sends the value around.
unsafe impl<T: Send, const R: u8, H: Hooks> Sync for SpinLock<T, R, H> {}

/// Access to what a [`SpinLock`] protects; interrupts are off while it lives.
///
/// It stays on the CPU that took it: it is not `Send`.
#[must_use = "the lock is given back as soon as its guard is dropped"]
pub struct SpinGuard<'a, T, const R: u8, H: Hooks> {
    lock: &'a SpinLock<T, R, H>,
    irq: H::Irq,
    stays_on_cpu: PhantomData<*const ()>,
}

impl<T, const R: u8, H: Hooks> SpinLock<T, R, H> {
    const_fn! {
        /// Makes an unlocked lock.
        pub const fn new(value: T) -> Self {
            Self {
                locked: AtomicBool::new(false),
                impatient: AtomicU32::new(0),
                value: Cell::new(value),
                hooks: PhantomData,
            }
        }
    }

    /// Takes the lock, spinning until it is free.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T, R, H> {
        self.lock_in(Order::Deeper)
    }

    /// Takes the lock where interrupts are on, as they are in a system call that holds no other one.
    #[inline]
    pub fn lock_irq(&self) -> SpinGuard<'_, T, R, H> {
        if self.impatient.load(Ordering::Relaxed) == 0
            && let Some(guard) = {
                H::irq_off();
                self.attempt_after(H::IRQ_ON, Order::Deeper)
            }
        {
            return guard;
        }
        // What interrupts were is known: no need to look when the guard goes.
        let _ = self.wait(Order::Deeper).hand_over();
        SpinGuard::new(self, H::IRQ_ON)
    }

    /// Takes the lock inside another one; the pair is checked at compile time.
    #[inline]
    pub fn lock_under<const OUTER: u8>(&self, _outer: &impl Held<OUTER>) -> SpinGuard<'_, T, R, H> {
        const { assert_nests(OUTER, R) };
        self.lock_in(Order::Deeper)
    }

    /// Takes the lock beside one of the same rank; the caller has an order of its own for the two.
    #[inline]
    pub fn lock_nested(&self, _beside: &impl Held<R>) -> SpinGuard<'_, T, R, H> {
        self.lock_in(Order::Nested)
    }

    /// Takes the lock if it is free now, in any order.
    #[inline]
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T, R, H>> {
        self.attempt(Order::Try)
    }

    /// Returns the value; a unique reference needs no lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Says whether somebody holds the lock at this moment.
    pub fn is_locked(&self) -> bool {
        self.locked.load(Ordering::Relaxed)
    }

    /// Makes a guard again of one that was handed over; interrupts go back to `irq` at its end.
    ///
    /// # Safety
    /// A guard of this lock was [handed over](SpinGuard::hand_over) on this CPU and has not been
    /// adopted since, and interrupts are still off.
    #[inline]
    pub unsafe fn adopt(&self, irq: H::Irq) -> SpinGuard<'_, T, R, H> {
        SpinGuard::new(self, irq)
    }

    /// Breaks the lock open, for a panic that must get its message out.
    ///
    /// # Safety
    /// Whoever holds the lock never runs again: other CPUs are stopped, and this one does not
    /// return to the holder.
    pub unsafe fn bust(&self) {
        self.locked.store(false, Ordering::Release);
    }

    #[inline]
    fn lock_in(&self, order: Order) -> SpinGuard<'_, T, R, H> {
        if self.impatient.load(Ordering::Relaxed) == 0
            && let Some(guard) = self.attempt(order)
        {
            return guard;
        }
        self.wait(order)
    }

    /// Spins with interrupts as the caller had them, and has the attempts counted.
    #[cold]
    #[inline(never)]
    fn wait(&self, order: Order) -> SpinGuard<'_, T, R, H> {
        let mut turns = 0_u32;
        let guard = loop {
            let is_patient = turns < PATIENCE;
            let gives_way = is_patient && self.impatient.load(Ordering::Relaxed) != 0;
            if !gives_way
                && !self.is_locked()
                && let Some(guard) = self.attempt(order)
            {
                break guard;
            }
            H::relax();
            turns = turns.saturating_add(1);
            if is_patient && turns == PATIENCE {
                self.impatient.fetch_add(1, Ordering::Relaxed);
            }
        };
        if turns >= PATIENCE {
            self.impatient.fetch_sub(1, Ordering::Relaxed);
        }
        H::spun(R, turns);
        guard
    }

    #[inline]
    fn attempt(&self, order: Order) -> Option<SpinGuard<'_, T, R, H>> {
        self.attempt_after(H::irq_save(), order)
    }

    #[inline]
    fn attempt_after(&self, irq: H::Irq, order: Order) -> Option<SpinGuard<'_, T, R, H>> {
        H::acquired(R, type_name::<T>(), order);
        let taken = self
            .locked
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
        if taken.is_ok() {
            return Some(SpinGuard::new(self, irq));
        }
        H::released(R);
        H::irq_restore(irq);
        None
    }
}

impl<'a, T, const R: u8, H: Hooks> SpinGuard<'a, T, R, H> {
    /// Leaves the lock taken and interrupts off, for [`SpinLock::adopt`] in another task.
    ///
    /// A context switch uses it: the run queue is locked by the task switched out and unlocked by
    /// the one switched in, on the same CPU. Returns what interrupts were before the lock.
    #[inline]
    pub fn hand_over(self) -> H::Irq {
        ManuallyDrop::new(self).irq
    }

    #[inline]
    fn new(lock: &'a SpinLock<T, R, H>, irq: H::Irq) -> Self {
        Self {
            lock,
            irq,
            stays_on_cpu: PhantomData,
        }
    }
}

impl<T, const R: u8, H: Hooks> Deref for SpinGuard<'_, T, R, H> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is ours as long as the guard lives, and the guard is borrowed.
        unsafe { &*self.lock.value.for_reading() }
    }
}

impl<T, const R: u8, H: Hooks> DerefMut for SpinGuard<'_, T, R, H> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is ours as long as the guard lives, and the guard is borrowed mutably.
        unsafe { &mut *self.lock.value.for_writing() }
    }
}

impl<T, const R: u8, H: Hooks> Drop for SpinGuard<'_, T, R, H> {
    #[inline]
    fn drop(&mut self) {
        self.lock.locked.store(false, Ordering::Release);
        H::released(R);
        H::irq_restore(self.irq);
    }
}

impl<T, const R: u8, H: Hooks> Held<R> for SpinGuard<'_, T, R, H> {}

impl<T: Default, const R: u8, H: Hooks> Default for SpinLock<T, R, H> {
    fn default() -> Self {
        Self::new(T::default())
    }
}
