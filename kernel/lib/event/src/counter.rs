//! The number in an eventfd.

/// What no counter reaches.
const FULL: u64 = u64::MAX;

/// A number that writers add to and readers take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counter {
    value: u64,
    /// Whether a reader takes 1 instead of all.
    semaphore: bool,
}

impl Counter {
    /// Begins with `value`.
    pub const fn new(value: u64, semaphore: bool) -> Self {
        Self { value, semaphore }
    }

    /// Takes all, or 1; `None` if there is nothing.
    pub fn take(&mut self) -> Option<u64> {
        let taken = match (self.value, self.semaphore) {
            (0, _) => return None,
            (_, true) => 1,
            (all, false) => all,
        };
        self.value -= taken;
        Some(taken)
    }

    /// Adds `more`, less than `u64::MAX`, if there is room; says whether there was.
    pub fn add(&mut self, more: u64) -> bool {
        let sum = self.value.checked_add(more);
        match sum.filter(|sum| *sum != FULL) {
            Some(sum) => {
                self.value = sum;
                true
            }
            None => false,
        }
    }

    /// Returns the number.
    pub const fn value(self) -> u64 {
        self.value
    }

    /// Returns whether a reader takes 1 instead of all.
    pub const fn is_semaphore(self) -> bool {
        self.semaphore
    }

    /// Returns whether something can be taken.
    pub const fn is_readable(self) -> bool {
        self.value > 0
    }

    /// Returns whether 1 can be added.
    pub const fn is_writable(self) -> bool {
        self.value < FULL - 1
    }
}
