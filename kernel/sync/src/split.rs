//! A spinning lock of a whole, whose parts may be taken one by one.
//!
//! Who takes the whole is alone, and may change everything. Who takes a part shares the whole with those who have
//! taken other parts; what a part is, and what may be done under it, is the users' agreement. Taking the
//! whole sets a flag and then waits until no part is taken; whoever has taken a part looks at the flag, and
//! gives the part back if it is set. Of the two at least one sees the other.
//!
//! Parts must be held shortly: the whole is waited for with interrupts off.
//!
//! Beside each part's lock lies a value, in the same cache line, that everybody may look at; who may change what in it
//! is the users' agreement as well.

use core::ops::{Deref, DerefMut};

use crate::base::{AtomicBool, Ordering, PARTS, fence, fence_of_exchange};
use crate::hooks::Hooks;
use crate::rank::{Held, assert_nests};
use crate::spinlock::{SpinGuard, SpinLock};

/// A lock of rank `R` around a `T`, and the locks of its parts, of the deeper rank `P`, each beside a `V`.
pub struct SplitLock<T, V, const R: u8, const P: u8, H: Hooks> {
    whole: SpinLock<T, R, H>,
    /// Whether somebody has the whole: a part that is taken is not to be used.
    is_whole: AtomicBool,
    parts: [Part<V, P, H>; PARTS],
}

/// A part's lock and its value, in a cache line of their own.
#[repr(align(64))]
struct Part<V, const P: u8, H: Hooks> {
    lock: SpinLock<(), P, H>,
    value: V,
}

/// All of it: access to what the lock protects.
#[must_use = "the lock is given back as soon as its guard is dropped"]
pub struct WholeGuard<'a, T, const R: u8, H: Hooks> {
    // In this order: the flag falls before the lock is given back.
    _flag: Flag<'a>,
    value: SpinGuard<'a, T, R, H>,
}

/// A part of it.
#[must_use = "the part is given back as soon as its guard is dropped"]
pub struct PartGuard<'a, const P: u8, H: Hooks> {
    _held: SpinGuard<'a, (), P, H>,
}

/// The flag that somebody has the whole, set as long as this lives.
struct Flag<'a>(&'a AtomicBool);

impl<T, V: Default, const R: u8, const P: u8, H: Hooks> SplitLock<T, V, R, P, H> {
    /// Makes an unlocked lock.
    pub fn new(value: T) -> Self {
        const { assert_nests(R, P) };
        Self {
            whole: SpinLock::new(value),
            is_whole: AtomicBool::new(false),
            parts: core::array::from_fn(|_| Part {
                lock: SpinLock::new(()),
                value: V::default(),
            }),
        }
    }

    /// Returns the value of part `index`, wrapped around.
    #[inline]
    pub fn value(&self, index: usize) -> &V {
        &self.parts[index % PARTS].value
    }

    /// Returns the values of all parts.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().map(|part| &part.value)
    }

    /// Takes all of it, spinning until nobody has any part.
    pub fn lock(&self) -> WholeGuard<'_, T, R, H> {
        let value = self.whole.lock();
        let flag = Flag::set(&self.is_whole);
        for part in &self.parts {
            while part.lock.is_locked() {
                H::relax();
            }
        }
        WholeGuard::new(flag, value)
    }

    /// Takes all of it if nobody has anything of it now.
    pub fn try_lock(&self) -> Option<WholeGuard<'_, T, R, H>> {
        let value = self.whole.try_lock()?;
        let flag = Flag::set(&self.is_whole);
        let is_free = !self.parts.iter().any(|part| part.lock.is_locked());
        is_free.then(|| WholeGuard::new(flag, value))
    }

    /// Takes part `index`, wrapped around, unless somebody has the whole or waits for it.
    #[inline]
    pub fn part(&self, index: usize) -> Option<PartGuard<'_, P, H>> {
        let held = self.parts[index % PARTS].lock.lock();
        // Pairs with the fence in `Flag::set`.
        fence_of_exchange();
        (!self.is_whole.load(Ordering::Acquire)).then_some(PartGuard { _held: held })
    }
}

impl<'a, T, const R: u8, H: Hooks> WholeGuard<'a, T, R, H> {
    fn new(flag: Flag<'a>, value: SpinGuard<'a, T, R, H>) -> Self {
        // What was done under the parts, which were seen free, comes before what is done now.
        fence(Ordering::Acquire);
        Self { _flag: flag, value }
    }
}

impl<'a> Flag<'a> {
    #[inline]
    fn set(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Self(flag)
    }
}

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl<T, const R: u8, H: Hooks> Deref for WholeGuard<'_, T, R, H> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T, const R: u8, H: Hooks> DerefMut for WholeGuard<'_, T, R, H> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T, const R: u8, H: Hooks> Held<R> for WholeGuard<'_, T, R, H> {}

impl<const P: u8, H: Hooks> Held<P> for PartGuard<'_, P, H> {}
