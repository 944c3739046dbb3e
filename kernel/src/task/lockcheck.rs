//! The run-time checker of lock ranks, in debug builds: which ranks the running task holds.
//!
//! The record belongs to the task because sleeping locks stay held across a switch. Only code that
//! the task itself runs touches it; an interrupt handler that takes locks gives them back before it
//! returns, so it leaves the record as it found it. What a timer calls has one of its own: see
//! [`in_interrupt`].
//!
//! Island: gives out the running task's record without a lock, which the checker cannot use.
#![expect(
    unsafe_code,
    reason = "the rank checker cannot use the locks it checks"
)]

use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::Relaxed;

use sync::{HeldRanks, Order};

use super::current::{self, current};

/// One task's record.
pub struct HeldCell(UnsafeCell<HeldRanks>);

// SAFETY: only the running task's own code and interrupts above it reach the record, one at a time.
unsafe impl Sync for HeldCell {}

impl HeldCell {
    pub(super) fn new() -> Self {
        Self(UnsafeCell::new(HeldRanks::new()))
    }

    fn with<R>(&self, each: impl FnOnce(&mut HeldRanks) -> R) -> R {
        // SAFETY: the caller runs as the task, and `each` neither sleeps nor takes locks.
        each(unsafe { &mut *self.0.get() })
    }
}

/// Checks and records that the running task takes a lock.
pub fn lock_acquired(rank: u8, name: &'static str, order: Order) {
    if current::exists()
        && let Err(violation) = current()
            .held()
            .with(|held| held.acquire(rank, name, order))
    {
        panic!("{violation}");
    }
}

/// Records that the running task gave a lock back.
pub fn lock_released(rank: u8) {
    if current::exists()
        && let Err(violation) = current().held().with(|held| held.release(rank))
    {
        panic!("{violation}");
    }
}

/// Notes for reports that the running task waits for a sleeping lock of `rank`, which `owner` has.
pub fn waits_for_lock(rank: u8, owner: u32) {
    let wait = u64::from(rank) << 32 | u64::from(owner);
    current().lock_wait.store(wait, Relaxed);
}

/// Notes that it waits no longer.
pub fn has_lock() {
    debug_assert!(
        current().lock_wait().is_some(),
        "a wait that ends was begun"
    );
    current().lock_wait.store(0, Relaxed);
}

/// Runs what an interrupt does with a record of its own.
///
/// What was interrupted holds no spin lock, since those keep interrupts off. It may hold locks that
/// sleep, in which nobody waits who holds a spin lock: no rank of theirs binds the interrupt. An NMI comes between any two
/// instructions, also of an entry into the record: it finds the record again as it was.
pub fn in_interrupt(work: impl FnOnce()) {
    if !cfg!(debug_assertions) || !current::exists() {
        return work();
    }
    let outer = current()
        .held()
        .with(|held| core::mem::replace(held, HeldRanks::new()));
    work();
    current().held().with(|held| *held = outer);
}

/// A new task starts with the run-queue lock that the switch to it hands over.
pub(crate) fn start_holding(cell: &HeldCell, rank: u8, name: &'static str) {
    cell.with(|held| *held = HeldRanks::holding(rank, name));
}
