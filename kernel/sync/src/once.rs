//! A cell written once and read without a lock ever after.
//!
//! Who comes while the value is being made spins until it is there. So what makes it must be short, and
//! nothing that may interrupt it may ask for the same cell.
//!
//! # Invariants
//! `value` is written only while `state` is `BUSY`, by whoever made it so, and never after it is `READY`.
#![expect(unsafe_code, reason = "readers look at the value without a lock")]

use crate::base::{AtomicU8, Cell, Ordering, spin_loop};

/// Nobody has asked yet.
const EMPTY: u8 = 0;
/// Somebody makes the value.
const BUSY: u8 = 1;
/// The value stands for good.
const READY: u8 = 2;

/// A cell written once and read without a lock ever after.
pub struct Once<T> {
    /// [`EMPTY`] → [`BUSY`] → [`READY`]; back to [`EMPTY`] where making the value panicked.
    state: AtomicU8,
    value: Cell<Option<T>>,
}

// SAFETY: readers on several CPUs share the value (`T: Sync`), and who drops it need not be who made it
// (`T: Send`). Nobody writes while anybody reads: see the invariants.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

/// Makes the cell empty again if making its value panics.
struct Attempt<'a>(&'a AtomicU8);

impl<T> Once<T> {
    const_fn! {
        /// Makes an empty cell.
        pub const fn new() -> Self {
            Self {
                state: AtomicU8::new(EMPTY),
                value: Cell::new(None),
            }
        }
    }

    /// Returns the value, if it is there.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        if self.state.load(Ordering::Acquire) != READY {
            return None;
        }
        // SAFETY: the value stands, and is not written again as long as the cell is borrowed.
        unsafe { &*self.value.for_reading() }.as_ref()
    }

    /// Returns the value, which `make` makes if nobody has yet.
    pub fn call_once(&self, make: impl FnOnce() -> T) -> &T {
        let mut make = Some(make);
        loop {
            if let Some(value) = self.get() {
                return value;
            }
            let attempt =
                self.state
                    .compare_exchange(EMPTY, BUSY, Ordering::Acquire, Ordering::Relaxed);
            match (attempt, make.take()) {
                (Ok(_), Some(make)) => self.fill(make),
                (_, untried) => {
                    make = untried;
                    spin_loop();
                }
            }
        }
    }

    fn fill(&self, make: impl FnOnce() -> T) {
        let attempt = Attempt(&self.state);
        let value = make();
        // SAFETY: this caller made the cell busy, so nobody else writes; nobody reads before it is ready.
        unsafe { *self.value.for_writing() = Some(value) };
        core::mem::forget(attempt);
        self.state.store(READY, Ordering::Release);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.store(EMPTY, Ordering::Release);
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}
