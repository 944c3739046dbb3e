//! What the locks are made of: atomic words, a fence, and a cell that somebody else guards.
//!
//! All other files take these from here and nowhere else. `tests/locks` compiles the same files above a
//! module of this name that explores all interleavings, and all values that a weak memory may show.

use core::cell::UnsafeCell;
use core::sync::atomic::compiler_fence;

pub(crate) use core::hint::spin_loop;
pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering, fence,
};

/// Turns of spinning after which a waiter no longer lets newcomers overtake it.
pub(crate) const PATIENCE: u32 = 1 << 12;

/// Counts of readers that a semaphore has, so that CPUs need not share one.
pub(crate) const READER_SLOTS: usize = 8;

/// How often a peek looks again while a writer has shut peeks out, before it gives up.
pub(crate) const PEEKS: u32 = 1 << 8;

/// Parts of a lock that may be taken one by one.
pub(crate) const PARTS: usize = 8;

/// Makes the atomic exchange just before it a full fence, which a locked instruction of the x86 is by itself.
#[inline(always)]
pub(crate) fn fence_of_exchange() {
    compiler_fence(Ordering::SeqCst);
}

/// Declares a `const fn`; the models take the `const` away, which their atomics do not know.
macro_rules! const_fn {
    ($(#[$note:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$note])* $vis const fn $($rest)*
    };
}

/// A value to which a lock gives access.
pub(crate) struct Cell<T>(UnsafeCell<T>);

impl<T> Cell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Returns where to read; who does must be inside the lock, if only as one of many.
    #[inline]
    pub(crate) fn for_reading(&self) -> *const T {
        self.0.get()
    }

    /// Returns where to write; who does must be inside the lock alone.
    #[inline]
    pub(crate) fn for_writing(&self) -> *mut T {
        self.0.get()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}

/// Counters apart from each other, none in the cache line of another.
pub(crate) struct Slots([Slot; READER_SLOTS]);

/// What one slot counts.
#[repr(align(64))]
pub(crate) struct Slot {
    /// Readers.
    pub(crate) readers: AtomicU32,
    /// Peeks.
    pub(crate) peeks: AtomicU32,
}

impl Slots {
    pub(crate) const fn new() -> Self {
        Self(
            [const {
                Slot {
                    readers: AtomicU32::new(0),
                    peeks: AtomicU32::new(0),
                }
            }; READER_SLOTS],
        )
    }

    /// Returns slot `index`, wrapped around.
    #[inline]
    pub(crate) fn of(&self, index: usize) -> &Slot {
        &self.0[index % READER_SLOTS]
    }

    /// Returns all slots.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter()
    }
}
