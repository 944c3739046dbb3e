//! Whose turn it is: a phase-fair ticket lock as counters, without the waiting.
//!
//! The idea is Brandenburg and Anderson's phase-fair reader-writer lock ("Spin-based
//! reader-writer synchronization for multiprocessor real-time systems", 2010). Every condition a
//! task waits for stays true once it is true until that task has gone in, so that a late wake does
//! no harm and nobody can be overtaken.
//!
//! While no writer is about, readers count themselves in one of several [`Slots`] instead, so that CPUs do
//! not pass one cache line around. A reader counts itself in and then looks for a writer; a writer makes
//! itself known and then looks at all slots: of the two at least one sees the other, and the reader
//! gives way. Each slot only ever falls while a writer waits for it, but for readers that give way at once.

use crate::base::{AtomicU32, Ordering, Slots, fence, fence_of_exchange};

/// One reader, above the two bits that writers use.
const READER: u32 = 4;
/// A writer is inside or waits for the readers to leave.
const WRITER: u32 = 2;
/// The writer's phase, which alternates from one writer to the next.
const PHASE: u32 = 1;
/// Both bits of a writer.
const WRITER_BITS: u32 = WRITER | PHASE;

/// The counters of one semaphore. They wrap; only equality is ever asked.
pub(super) struct Turns {
    /// Readers that came, times [`READER`], and the bits of the writer whose turn it is.
    readers_in: AtomicU32,
    /// Readers that left, times [`READER`].
    readers_out: AtomicU32,
    /// The next writer's ticket.
    writers_in: AtomicU32,
    /// The ticket of the writer whose turn it is.
    writers_out: AtomicU32,
    /// Readers inside who found no writer, each in the slot where it came; and who peeks ([`super::peek`]).
    pub(super) slots: Slots,
}

/// The bits of the writer a reader found when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase(u32);

/// A writer's place among the writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u32);

/// The count of readers a writer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadersBefore(u32);

impl Turns {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                readers_in: AtomicU32::new(0),
                readers_out: AtomicU32::new(0),
                writers_in: AtomicU32::new(0),
                writers_out: AtomicU32::new(0),
                slots: Slots::new(),
            }
        }
    }

    /// Counts a reader in at `slot`, unless a writer is inside or waits for the readers.
    #[inline]
    pub(super) fn try_enter_slot(&self, slot: usize) -> bool {
        self.slots.of(slot).readers.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fence in `close_to_readers`.
        fence_of_exchange();
        if self.readers_in.load(Ordering::Acquire) & WRITER_BITS == 0 {
            return true;
        }
        self.leave_slot(slot);
        false
    }

    /// Counts a reader out that was counted in at `slot`.
    #[inline]
    pub(super) fn leave_slot(&self, slot: usize) {
        self.slots.of(slot).readers.fetch_sub(1, Ordering::Release);
    }

    /// Counts a reader in; it [may read](Self::may_read) when the writer it found has left.
    pub(super) fn arrive_reading(&self) -> Phase {
        Phase(self.readers_in.fetch_add(READER, Ordering::Acquire) & WRITER_BITS)
    }

    /// Says whether the writer that a reader found on arrival has left.
    #[inline]
    pub(super) fn may_read(&self, found: Phase) -> bool {
        let now = self.readers_in.load(Ordering::Acquire) & WRITER_BITS;
        found.0 == 0 || now != found.0
    }

    /// Counts a reader out.
    pub(super) fn leave_reading(&self) {
        self.readers_out.fetch_add(READER, Ordering::Release);
    }

    /// Says whether everyone who came has left.
    pub(super) fn is_idle(&self) -> bool {
        let same =
            |a: &AtomicU32, b: &AtomicU32| a.load(Ordering::Acquire) == b.load(Ordering::Acquire);
        same(&self.readers_in, &self.readers_out)
            && same(&self.writers_in, &self.writers_out)
            && self.slots_are_empty()
    }

    /// Draws a writer's ticket.
    pub(super) fn arrive_writing(&self) -> Ticket {
        Ticket(self.writers_in.fetch_add(1, Ordering::Relaxed))
    }

    /// Says whether every writer with an earlier ticket has left.
    #[inline]
    pub(super) fn is_turn_of(&self, ticket: Ticket) -> bool {
        self.writers_out.load(Ordering::Acquire) == ticket.0
    }

    /// Makes later readers wait for this writer; returns the readers it has to wait for.
    pub(super) fn close_to_readers(&self, ticket: Ticket) -> ReadersBefore {
        let bits = WRITER | (ticket.0 & PHASE);
        let before = ReadersBefore(self.readers_in.fetch_add(bits, Ordering::Acquire));
        // Pairs with the fence in `try_enter_slot`.
        fence(Ordering::SeqCst);
        before
    }

    /// Says whether all readers counted before the writer have left.
    #[inline]
    pub(super) fn have_left(&self, before: ReadersBefore) -> bool {
        self.readers_out.load(Ordering::Acquire) == before.0 && self.slots_are_empty()
    }

    #[inline]
    fn slots_are_empty(&self) -> bool {
        let mut slots = self.slots.all();
        slots.all(|slot| slot.readers.load(Ordering::Acquire) == 0)
    }

    /// Lets readers in again and gives the turn to the next writer.
    pub(super) fn leave_writing(&self) {
        self.readers_in.fetch_and(!WRITER_BITS, Ordering::Release);
        self.writers_out.fetch_add(1, Ordering::Release);
    }

    /// Turns the writer inside into a reader.
    pub(super) fn downgrade(&self) {
        // Counted before the next writer is let on, which therefore waits for it.
        self.readers_in.fetch_add(READER, Ordering::Relaxed);
        self.leave_writing();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_go_in_together() {
        let turns = Turns::new();
        let (one, two) = (turns.arrive_reading(), turns.arrive_reading());
        assert!(turns.may_read(one) && turns.may_read(two));
        assert!(turns.try_enter_slot(0) && turns.try_enter_slot(1));
    }

    #[test]
    fn a_writer_waits_for_the_readers_before_it_and_stops_those_after_it() {
        let turns = Turns::new();
        let _before = turns.arrive_reading();
        let ticket = turns.arrive_writing();
        assert!(turns.is_turn_of(ticket));
        let inside = turns.close_to_readers(ticket);
        let after = turns.arrive_reading();
        assert!(!turns.have_left(inside) && !turns.may_read(after));
        assert!(!turns.try_enter_slot(0));
        turns.leave_reading();
        assert!(turns.have_left(inside) && !turns.may_read(after));
        turns.leave_writing();
        assert!(turns.may_read(after));
    }

    #[test]
    fn a_writer_waits_for_the_readers_in_every_slot() {
        for slot in 0..crate::base::READER_SLOTS {
            let turns = Turns::new();
            assert!(turns.try_enter_slot(slot));
            let inside = turns.close_to_readers(turns.arrive_writing());
            assert!(!turns.have_left(inside) && !turns.is_idle());
            turns.leave_slot(slot);
            assert!(turns.have_left(inside));
        }
    }

    #[test]
    fn a_reader_that_gives_way_is_counted_nowhere() {
        let turns = Turns::new();
        let inside = turns.close_to_readers(turns.arrive_writing());
        assert!(!turns.try_enter_slot(3));
        assert!(turns.have_left(inside));
        turns.leave_writing();
        assert!(turns.is_idle());
    }

    #[test]
    fn a_reader_waits_for_one_writer_only() {
        let turns = Turns::new();
        let (first, second) = (turns.arrive_writing(), turns.arrive_writing());
        turns.close_to_readers(first);
        let reader = turns.arrive_reading();
        turns.leave_writing();
        assert!(turns.is_turn_of(second));
        let inside = turns.close_to_readers(second);
        assert!(turns.may_read(reader), "its writer has left");
        assert!(!turns.have_left(inside), "the second waits for the reader");
    }

    #[test]
    fn writers_go_in_the_order_of_their_tickets() {
        let turns = Turns::new();
        let (first, second) = (turns.arrive_writing(), turns.arrive_writing());
        assert!(turns.is_turn_of(first) && !turns.is_turn_of(second));
        turns.close_to_readers(first);
        turns.leave_writing();
        assert!(turns.is_turn_of(second));
    }

    #[test]
    fn a_downgraded_writer_lets_readers_in_and_keeps_writers_out() {
        let turns = Turns::new();
        turns.close_to_readers(turns.arrive_writing());
        let reader = turns.arrive_reading();
        turns.downgrade();
        assert!(turns.may_read(reader));
        let next = turns.arrive_writing();
        let inside = turns.close_to_readers(next);
        turns.leave_reading();
        assert!(!turns.have_left(inside), "the downgraded one still reads");
        turns.leave_reading();
        assert!(turns.have_left(inside));
    }

    #[test]
    fn idle_is_when_everyone_who_came_has_left() {
        let turns = Turns::new();
        assert!(turns.is_idle());
        turns.arrive_reading();
        assert!(!turns.is_idle(), "a reader is inside");
        let ticket = turns.arrive_writing();
        turns.leave_reading();
        assert!(!turns.is_idle(), "a writer waits");
        turns.close_to_readers(ticket);
        assert!(!turns.is_idle(), "a writer is inside");
        turns.leave_writing();
        assert!(turns.is_idle());
    }

    #[test]
    fn counters_may_wrap() {
        let turns = Turns::new();
        for count in [&turns.readers_in, &turns.readers_out] {
            count.store(
                0_u32.wrapping_sub(READER),
                core::sync::atomic::Ordering::Relaxed,
            );
        }
        for count in [&turns.writers_in, &turns.writers_out] {
            count.store(u32::MAX, core::sync::atomic::Ordering::Relaxed);
        }
        for _ in 0..3 {
            let reader = turns.arrive_reading();
            assert!(turns.may_read(reader));
            turns.leave_reading();
            let ticket = turns.arrive_writing();
            assert!(turns.is_turn_of(ticket));
            let inside = turns.close_to_readers(ticket);
            assert!(turns.have_left(inside));
            turns.leave_writing();
        }
    }
}
