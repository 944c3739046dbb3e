//! Looking at the value for a moment, while a writer may be inside.
//!
//! A writer is not always busy with the value: it may be doing for long what follows from it, and then
//! [opens](super::WriteGuard::opened) the gate. Who passes it sees the value as readers do, for a short time
//! and without sleeping; it stays on its CPU, since a writer that shuts the gate again spins until all have left.
//!
//! Who peeks counts itself in and then looks at the gate; a writer shuts the gate and then looks at all counts. Of the two at
//! least one sees the other, and who peeks gives way.

use crate::base::{AtomicBool, Ordering, PEEKS, Slots, fence, fence_of_exchange};
use crate::hooks::Hooks;

/// Whether it is allowed to peek.
pub(super) struct PeekGate {
    is_shut: AtomicBool,
}

impl PeekGate {
    const_fn! {
        /// Nobody is inside: the gate is open.
        pub(super) const fn new() -> Self {
            Self { is_shut: AtomicBool::new(false) }
        }
    }

    /// Counts the running task in at the slot that is returned, unless the gate stays shut for long.
    #[inline]
    pub(super) fn enter<H: Hooks>(&self, slots: &Slots) -> Option<usize> {
        match self.try_enter::<H>(slots) {
            None => self.enter_late::<H>(slots),
            entered => entered,
        }
    }

    #[inline(always)]
    fn try_enter<H: Hooks>(&self, slots: &Slots) -> Option<usize> {
        H::pin();
        let slot = H::slot();
        slots.of(slot).peeks.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fence in `shut`.
        fence_of_exchange();
        if self.is_shut.load(Ordering::Acquire) {
            self.leave::<H>(slots, slot);
            return None;
        }
        Some(slot)
    }

    /// Looks again for a little while.
    #[cold]
    #[inline(never)]
    fn enter_late<H: Hooks>(&self, slots: &Slots) -> Option<usize> {
        (0..PEEKS).find_map(|_| {
            H::relax();
            match self.is_shut.load(Ordering::Relaxed) {
                true => None,
                false => self.try_enter::<H>(slots),
            }
        })
    }

    /// Counts the running task out at `slot`.
    #[inline]
    #[expect(clippy::unused_self, reason = "the other half of `enter`")]
    pub(super) fn leave<H: Hooks>(&self, slots: &Slots, slot: usize) {
        slots.of(slot).peeks.fetch_sub(1, Ordering::Release);
        H::unpin();
    }

    /// Lets nobody peek from now on, and spins until nobody does; no spin lock is held.
    #[inline]
    pub(super) fn shut<H: Hooks>(&self, slots: &Slots) {
        self.is_shut.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        for slot in slots.all() {
            while slot.peeks.load(Ordering::Acquire) != 0 {
                H::relax();
            }
        }
    }

    /// Lets everybody peek again.
    #[inline]
    pub(super) fn open(&self) {
        self.is_shut.store(false, Ordering::Release);
    }

    /// Whether nobody peeks or is shut out.
    pub(super) fn is_idle(&self, slots: &Slots) -> bool {
        let mut slots = slots.all();
        !self.is_shut.load(Ordering::Acquire)
            && slots.all(|slot| slot.peeks.load(Ordering::Acquire) == 0)
    }
}
