//! The run-time check of the lock order: which ranks one flow of control holds.
//!
//! The kernel keeps one [`HeldRanks`] per task in debug builds and reaches it from
//! [`Hooks::acquired`](crate::Hooks::acquired) and [`released`](crate::Hooks::released). Per task
//! and not per CPU because sleeping locks stay held across a switch. An interrupt never finds a
//! spin lock held, so that the interrupted task's record serves its handler too. The run-queue
//! lock is handed over in a switch: the task switched out holds it before and after its pause, and
//! a new task starts with [`HeldRanks::holding`] it.

use core::fmt;

use crate::hooks::Order;

/// How many locks one flow of control may hold at a time; those of one type, taken one after the other, are
/// one.
pub const MAX_HELD: usize = 16;

/// One lock that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldLock {
    /// The rank of its type.
    pub rank: u8,
    /// What it guards, as a type name.
    pub name: &'static str,
}

/// The locks one flow of control holds, oldest first.
#[derive(Clone, Debug)]
pub struct HeldRanks {
    held: [Option<HeldLock>; MAX_HELD],
    /// How many more of the same type follow each.
    more: [u8; MAX_HELD],
}

/// A lock was taken or given back against the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RankViolation {
    /// `wanted` was to be taken while `held`, which is as deep or deeper, is held.
    Inverted {
        /// The deepest lock held.
        held: HeldLock,
        /// The lock asked for.
        wanted: HeldLock,
    },
    /// More than [`MAX_HELD`] locks at a time.
    TooMany,
    /// A rank was released that is not held.
    NotHeld(u8),
}

impl HeldRanks {
    /// Holds nothing.
    pub const fn new() -> Self {
        Self {
            held: [None; MAX_HELD],
            more: [0; MAX_HELD],
        }
    }

    /// Holds one lock that another flow of control took and hands over.
    pub const fn holding(rank: u8, name: &'static str) -> Self {
        let mut new = Self::new();
        new.held[0] = Some(HeldLock { rank, name });
        new
    }

    /// Records a lock about to be taken, unless that breaks the order.
    pub fn acquire(
        &mut self,
        rank: u8,
        name: &'static str,
        order: Order,
    ) -> Result<(), RankViolation> {
        let wanted = HeldLock { rank, name };
        if let Some(held) = self.deepest()
            && !order.allows(held.rank, rank)
        {
            return Err(RankViolation::Inverted { held, wanted });
        }
        let free = self.held.iter().position(Option::is_none);
        let youngest = free.unwrap_or(MAX_HELD).checked_sub(1);
        if let Some(at) = youngest.filter(|at| self.held[*at] == Some(wanted)) {
            self.more[at] += 1;
        } else {
            self.held[free.ok_or(RankViolation::TooMany)?] = Some(wanted);
        }
        Ok(())
    }

    /// Forgets the youngest lock of this rank; guards may be dropped in any order.
    pub fn release(&mut self, rank: u8) -> Result<(), RankViolation> {
        let found = self
            .held
            .iter()
            .rposition(|slot| slot.is_some_and(|lock| lock.rank == rank));
        let at = found.ok_or(RankViolation::NotHeld(rank))?;
        if self.more[at] > 0 {
            self.more[at] -= 1;
            return Ok(());
        }
        self.held.copy_within(at + 1.., at);
        self.held[MAX_HELD - 1] = None;
        self.more.copy_within(at + 1.., at);
        self.more[MAX_HELD - 1] = 0;
        Ok(())
    }

    /// Returns the deepest lock held.
    pub fn deepest(&self) -> Option<HeldLock> {
        self.iter().max_by_key(|lock| lock.rank)
    }

    /// Walks over the locks held, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = HeldLock> {
        self.held.iter().flatten().copied()
    }

    /// Says whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.held[0].is_none()
    }
}

impl Default for HeldRanks {
    fn default() -> Self {
        Self::new()
    }
}

impl Order {
    /// Says whether rank `wanted` may be taken while `held` is the deepest rank held.
    fn allows(self, held: u8, wanted: u8) -> bool {
        match self {
            Order::Deeper => wanted > held,
            Order::Nested => wanted >= held,
            Order::Try => true,
        }
    }
}

impl fmt::Display for HeldLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (rank {})", self.name, self.rank)
    }
}

impl fmt::Display for RankViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inverted { held, wanted } => {
                write!(f, "lock order: {wanted} wanted while {held} is held")
            }
            Self::TooMany => write!(f, "lock order: more than {MAX_HELD} locks held"),
            Self::NotHeld(rank) => write!(f, "lock order: rank {rank} released but not held"),
        }
    }
}

impl core::error::Error for RankViolation {}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(rank: u8) -> HeldLock {
        HeldLock { rank, name: "l" }
    }

    #[test]
    fn only_a_deeper_rank_may_be_taken_in_order() {
        for (held, wanted) in (0..=20).flat_map(|h| (0..=20).map(move |w| (h, w))) {
            let mut ranks = HeldRanks::holding(held, "l");
            let inverted = Err(RankViolation::Inverted {
                held: lock(held),
                wanted: lock(wanted),
            });
            let expected = if wanted > held { Ok(()) } else { inverted };
            assert_eq!(ranks.acquire(wanted, "l", Order::Deeper), expected);
        }
    }

    #[test]
    fn an_equal_rank_nests_only_when_said_so() {
        let mut ranks = HeldRanks::holding(60, "l");
        assert!(ranks.acquire(60, "l", Order::Deeper).is_err());
        assert!(ranks.acquire(59, "l", Order::Nested).is_err());
        assert!(ranks.acquire(60, "l", Order::Nested).is_ok());
    }

    #[test]
    fn a_try_may_go_against_the_order_and_still_counts_as_held() {
        let mut ranks = HeldRanks::holding(60, "l");
        assert_eq!(ranks.acquire(10, "l", Order::Try), Ok(()));
        assert_eq!(ranks.iter().count(), 2);
    }

    #[test]
    fn the_deepest_lock_decides_even_when_it_is_not_the_youngest() {
        let mut ranks = HeldRanks::holding(60, "l");
        ranks.acquire(10, "l", Order::Try).unwrap();
        assert!(ranks.acquire(50, "l", Order::Deeper).is_err());
    }

    #[test]
    fn locks_may_be_released_in_any_order() {
        let mut ranks = HeldRanks::new();
        for rank in [10, 20, 30] {
            ranks.acquire(rank, "l", Order::Deeper).unwrap();
        }
        for rank in [20, 10, 30] {
            assert_eq!(ranks.release(rank), Ok(()));
        }
        assert!(ranks.is_empty());
    }

    #[test]
    fn of_two_locks_of_one_rank_the_younger_is_released_first() {
        let mut ranks = HeldRanks::holding(60, "older");
        ranks.acquire(60, "younger", Order::Nested).unwrap();
        ranks.release(60).unwrap();
        assert_eq!(ranks.deepest().unwrap().name, "older");
    }

    #[test]
    fn many_locks_of_one_type_are_counted() {
        let mut ranks = HeldRanks::holding(10, "outer");
        for _ in 0..64 {
            ranks.acquire(60, "cpu", Order::Try).unwrap();
        }
        for _ in 0..64 {
            assert_eq!(ranks.deepest().unwrap().name, "cpu");
            ranks.release(60).unwrap();
        }
        assert_eq!(ranks.deepest().unwrap().name, "outer");
        assert_eq!(ranks.release(60), Err(RankViolation::NotHeld(60)));
    }

    #[test]
    fn releasing_a_rank_that_is_not_held_is_reported() {
        let mut ranks = HeldRanks::holding(60, "l");
        assert_eq!(ranks.release(50), Err(RankViolation::NotHeld(50)));
    }

    #[test]
    fn holding_too_many_locks_is_reported() {
        let mut ranks = HeldRanks::new();
        for rank in 0..MAX_HELD as u8 {
            ranks.acquire(rank, "l", Order::Deeper).unwrap();
        }
        let one_more = ranks.acquire(99, "l", Order::Deeper);
        assert_eq!(one_more, Err(RankViolation::TooMany));
    }
}
