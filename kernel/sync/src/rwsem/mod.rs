//! The sleeping reader-writer semaphore, fair to both sides.
//!
//! - `turns`: who may go in, as counters;
//! - `peek`: who may look inside for a moment, without going in;
//! - `guards` (unsafe): the value, and the guards that give access to it;
//! - this file: sleeping until it is one's turn.
//!
//! Readers go in together; a writer goes alone. A reader waits for at most one writer, and a
//! writer for the writers before it and, between any two of them, for the readers that came
//! meanwhile. A task therefore must not read-lock twice: a writer may have come in between.

mod guards;
mod peek;
mod turns;

use core::any::type_name;

use guards::Guarded;
pub use guards::{PeekGuard, ReadGuard, WriteGuard};
use peek::PeekGate;
use turns::Turns;

use crate::base::{AtomicU32, Ordering};
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
    /// Shut while a writer is inside, unless it [opens](WriteGuard::opened) it.
    peeks: PeekGate,
    /// The number of the task that is inside as a writer, or 0; for reports.
    owner: AtomicU32,
    readers: WaitQueue<H>,
    /// Writers waiting for their turn, and the one waiting for the readers inside to leave.
    writers: WaitQueue<H>,
}

/// How a reader went in, which is how it has to leave.
#[derive(Clone, Copy)]
enum Entry {
    /// Counted in this slot: no writer was about.
    Slot(usize),
    /// Counted with the writers' turns.
    Turn,
}

impl<T, const R: u8, H: Hooks> RwSem<T, R, H> {
    const_fn! {
        /// Makes an unlocked semaphore.
        pub const fn new(value: T) -> Self {
            const { assert_nests(R, WAIT) };
            Self {
                value: Guarded::new(value),
                gate: Gate {
                    turns: Turns::new(),
                    peeks: PeekGate::new(),
                    owner: AtomicU32::new(0),
                    readers: WaitQueue::new(),
                    writers: WaitQueue::new(),
                },
            }
        }
    }

    /// Takes the semaphore for reading, sleeping until no writer is inside or before us.
    #[inline]
    pub fn read(&self) -> ReadGuard<'_, T, R, H> {
        H::assert_may_sleep();
        H::acquired(R, type_name::<T>(), Order::Deeper);
        let slot = H::slot();
        if self.gate.turns.try_enter_slot(slot) {
            return self.read_guard(Entry::Slot(slot));
        }
        self.gate.enter_reading(R);
        self.read_guard(Entry::Turn)
    }

    /// Looks inside for a moment, though a writer may be there: `None` if it has shut peeks out and does not
    /// open again soon.
    ///
    /// Until the guard is dropped the task stays on its CPU, and must not sleep.
    #[inline]
    pub fn peek(&self) -> Option<PeekGuard<'_, T, R, H>> {
        let slot = self.gate.peeks.enter::<H>(&self.gate.turns.slots)?;
        H::acquired(R, type_name::<T>(), Order::Try);
        Some(self.peek_guard(slot))
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
        self.gate.enter_writing(R);
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
        let slot = H::slot();
        if !self.gate.turns.try_enter_slot(slot) {
            self.gate.gave_way();
            return None;
        }
        H::acquired(R, type_name::<T>(), Order::Try);
        Some(self.read_guard(Entry::Slot(slot)))
    }

    /// Returns the number of the task that is inside as a writer, if one is.
    pub fn owner(&self) -> Option<u32> {
        let owner = self.gate.owner.load(Ordering::Relaxed);
        (owner != 0).then_some(owner)
    }

    /// Says whether nobody is inside or on the way in; only true for longer where nobody else can run.
    pub fn is_idle(&self) -> bool {
        self.gate.turns.is_idle() && self.gate.peeks.is_idle(&self.gate.turns.slots)
    }

    /// Returns the value; a unique reference needs no lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<H: Hooks> Gate<H> {
    #[cold]
    fn enter_reading(&self, rank: u8) {
        self.gave_way();
        let phase = self.turns.arrive_reading();
        if !self.turns.may_read(phase) {
            self.wait_in(&self.readers, rank, || self.turns.may_read(phase));
        }
    }

    /// A writer may have waited for the reader that was counted and gave way.
    fn gave_way(&self) {
        self.writers.wake_all();
    }

    #[inline]
    fn leave_reading(&self, entry: Entry) {
        match entry {
            Entry::Slot(slot) => self.turns.leave_slot(slot),
            Entry::Turn => self.turns.leave_reading(),
        }
        self.writers.wake_all_after_exchange();
    }

    fn enter_writing(&self, rank: u8) {
        let ticket = self.turns.arrive_writing();
        if !self.turns.is_turn_of(ticket) {
            self.wait_in(&self.writers, rank, || self.turns.is_turn_of(ticket));
        }
        let inside = self.turns.close_to_readers(ticket);
        if !self.turns.have_left(inside) {
            self.wait_in(&self.writers, rank, || self.turns.have_left(inside));
        }
        self.owner.store(H::task_id(), Ordering::Relaxed);
        self.shut_peeks();
    }

    fn shut_peeks(&self) {
        self.peeks.shut::<H>(&self.turns.slots);
    }

    fn leave_writing(&self) {
        self.peeks.open();
        self.owner.store(0, Ordering::Relaxed);
        self.turns.leave_writing();
        self.readers.wake_all();
        self.writers.wake_all();
    }

    fn downgrade(&self) -> Entry {
        self.peeks.open();
        self.owner.store(0, Ordering::Relaxed);
        self.turns.downgrade();
        self.readers.wake_all();
        self.writers.wake_all();
        Entry::Turn
    }

    #[cold]
    fn wait_in(&self, queue: &WaitQueue<H>, rank: u8, condition: impl FnMut() -> bool) {
        let since = H::now();
        H::waits(rank, self.owner.load(Ordering::Relaxed));
        queue.wait_until(condition);
        H::waited(rank, H::now().saturating_sub(since));
    }
}

impl<T: Default, const R: u8, H: Hooks> Default for RwSem<T, R, H> {
    fn default() -> Self {
        Self::new(T::default())
    }
}
