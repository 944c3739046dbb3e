//! What the locks are made of, in loom's world; takes the place of `kernel/sync/src/base.rs`.

use std::cell::Cell as StdCell;

pub(crate) use core::sync::atomic::Ordering;

pub(crate) use loom::hint::spin_loop;

/// Small, so that patience ends within a model.
pub(crate) const PATIENCE: u32 = 2;

pub(crate) const READER_SLOTS: usize = 2;

pub(crate) const PEEKS: u32 = 2;

pub(crate) const PARTS: usize = 2;

/// Loom's atomics cannot be made at compile time.
macro_rules! const_fn {
    ($(#[$note:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$note])* $vis fn $($rest)*
    };
}

/// What is wrong with the locks on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// Every load, store and exchange is relaxed, and of the fences only full ones are left.
    Relaxed,
    /// Fences do nothing.
    NoFences,
}

std::thread_local! {
    // A model's threads are all run by the thread that runs the model.
    static DEFECT: StdCell<Option<Defect>> = const { StdCell::new(None) };
}

/// Gives the locks of this test `defect` from here on.
pub fn introduce(defect: Defect) {
    DEFECT.set(Some(defect));
}

fn as_told(order: Ordering) -> Ordering {
    match DEFECT.get() {
        Some(Defect::Relaxed) => Ordering::Relaxed,
        _ => order,
    }
}

pub(crate) fn fence(order: Ordering) {
    let is_left_out = match DEFECT.get() {
        Some(Defect::NoFences) => true,
        Some(Defect::Relaxed) => order != Ordering::SeqCst,
        None => false,
    };
    if !is_left_out {
        loom::sync::atomic::fence(order);
    }
}

pub(crate) fn fence_of_exchange() {
    fence(Ordering::SeqCst);
}

macro_rules! atomic {
    ($name:ident, $value:ty) => {
        pub(crate) struct $name(loom::sync::atomic::$name);

        #[allow(dead_code, reason = "each kind needs some of them")]
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.0.load(as_told(order))
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.0.store(value, as_told(order));
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.0.swap(value, as_told(order))
            }

            pub(crate) fn compare_exchange(
                &self,
                old: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.0
                    .compare_exchange(old, new, as_told(success), as_told(failure))
            }
        }
    };
}

macro_rules! arithmetic {
    ($name:ident, $value:ty) => {
        #[allow(dead_code, reason = "each kind needs some of them")]
        impl $name {
            pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_add(value, as_told(order))
            }

            pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_sub(value, as_told(order))
            }

            pub(crate) fn fetch_and(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_and(value, as_told(order))
            }
        }
    };
}

atomic!(AtomicBool, bool);
atomic!(AtomicU8, u8);
atomic!(AtomicU32, u32);
atomic!(AtomicUsize, usize);
arithmetic!(AtomicU32, u32);
arithmetic!(AtomicUsize, usize);

/// A value to which a lock gives access; loom compares each access with all that came before.
pub(crate) struct Cell<T>(loom::cell::UnsafeCell<T>);

impl<T> Cell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    pub(crate) fn for_reading(&self) -> *const T {
        self.0.with(|value| value)
    }

    pub(crate) fn for_writing(&self) -> *mut T {
        self.0.with_mut(|value| value)
    }

    #[expect(clippy::unused_self, reason = "takes the place of one that is used")]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        unreachable!("no model has a lock for itself")
    }
}

/// Counters apart from each other.
pub(crate) struct Slots([Slot; READER_SLOTS]);

/// What one slot counts.
pub(crate) struct Slot {
    pub(crate) readers: AtomicU32,
    pub(crate) peeks: AtomicU32,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self(core::array::from_fn(|_| Slot {
            readers: AtomicU32::new(0),
            peeks: AtomicU32::new(0),
        }))
    }

    pub(crate) fn of(&self, index: usize) -> &Slot {
        &self.0[index % READER_SLOTS]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter()
    }
}
