//! The sleeping reader-writer semaphore, fair to both sides.
//!
//! - `turns`: who may go in, as counters;
//! - `guards` (unsafe): the value, and the guards that give access to it;
//! - this file: sleeping until it is one's turn.
//!
//! Readers go in together; a writer goes alone. A reader waits for at most one writer, and a
//! writer for the writers before it and, between any two of them, for the readers that came
//! meanwhile. A task therefore must not read-lock twice: a writer may have come in between.

mod guards;
mod turns;

use core::any::type_name;

use guards::Guarded;
pub use guards::{ReadGuard, WriteGuard};
use turns::Turns;

use crate::hooks::{Hooks, Order};
use crate::rank::{Held, WAIT, assert_nests};
use crate::wait_queue::WaitQueue;

/// A sleeping reader-writer semaphore of rank `R` around a `T`.
pub struct RwSem<T, const R: u8, H: Hooks> {
    value: Guarded<T>,
    gate: Gate<H>,
}

/// The way in and out, the same for every value.
struct Gate<H: Hooks> {
    turns: Turns,
    readers: WaitQueue<H>,
    /// Writers waiting for their turn, and the one waiting for the readers inside to leave.
    writers: WaitQueue<H>,
}

impl<T, const R: u8, H: Hooks> RwSem<T, R, H> {
    /// Makes an unlocked semaphore.
    pub const fn new(value: T) -> Self {
        const { assert_nests(R, WAIT) };
        Self {
            value: Guarded::new(value),
            gate: Gate {
                turns: Turns::new(),
                readers: WaitQueue::new(),
                writers: WaitQueue::new(),
            },
        }
    }

    /// Takes the semaphore for reading, sleeping until no writer is inside or before us.
    #[inline]
    pub fn read(&self) -> ReadGuard<'_, T, R, H> {
        H::assert_may_sleep();
        H::acquired(R, type_name::<T>(), Order::Deeper);
        self.gate.enter_reading();
        self.read_guard()
    }

    /// Takes the semaphore for writing, sleeping until nobody is inside or before us.
    pub fn write(&self) -> WriteGuard<'_, T, R, H> {
        self.write_in(Order::Deeper)
    }

    /// Takes the semaphore for writing beside one of the same rank; the caller has an order of its own
    /// for the two.
    pub fn write_nested(&self, _beside: &impl Held<R>) -> WriteGuard<'_, T, R, H> {
        self.write_in(Order::Nested)
    }

    fn write_in(&self, order: Order) -> WriteGuard<'_, T, R, H> {
        H::assert_may_sleep();
        H::acquired(R, type_name::<T>(), order);
        self.gate.enter_writing();
        self.write_guard()
    }

    /// Takes the semaphore for reading inside another lock; the pair is checked at compile time.
    pub fn read_under<const OUTER: u8>(&self, _outer: &impl Held<OUTER>) -> ReadGuard<'_, T, R, H> {
        const { assert_nests(OUTER, R) };
        self.read()
    }

    /// Takes the semaphore for writing inside another lock; the pair is checked at compile time.
    pub fn write_under<const OUTER: u8>(
        &self,
        _outer: &impl Held<OUTER>,
    ) -> WriteGuard<'_, T, R, H> {
        const { assert_nests(OUTER, R) };
        self.write()
    }

    /// Takes the semaphore for reading if no writer is inside or waits, in any order.
    pub fn try_read(&self) -> Option<ReadGuard<'_, T, R, H>> {
        if !self.gate.turns.try_enter_reading() {
            return None;
        }
        H::acquired(R, type_name::<T>(), Order::Try);
        Some(self.read_guard())
    }

    /// Says whether nobody is inside or on the way in; only true for longer where nobody else can run.
    pub fn is_idle(&self) -> bool {
        self.gate.turns.is_idle()
    }

    /// Returns the value; a unique reference needs no lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<H: Hooks> Gate<H> {
    fn enter_reading(&self) {
        let phase = self.turns.arrive_reading();
        if !self.turns.may_read(phase) {
            self.readers.wait_until(|| self.turns.may_read(phase));
        }
    }

    fn leave_reading(&self) {
        self.turns.leave_reading();
        self.writers.wake_all();
    }

    fn enter_writing(&self) {
        let ticket = self.turns.arrive_writing();
        if !self.turns.is_turn_of(ticket) {
            self.writers.wait_until(|| self.turns.is_turn_of(ticket));
        }
        let inside = self.turns.close_to_readers(ticket);
        if !self.turns.have_left(inside) {
            self.writers.wait_until(|| self.turns.have_left(inside));
        }
    }

    fn leave_writing(&self) {
        self.turns.leave_writing();
        self.readers.wake_all();
        self.writers.wake_all();
    }

    fn downgrade(&self) {
        self.turns.downgrade();
        self.readers.wake_all();
        self.writers.wake_all();
    }
}

impl<T: Default, const R: u8, H: Hooks> Default for RwSem<T, R, H> {
    fn default() -> Self {
        Self::new(T::default())
    }
}
