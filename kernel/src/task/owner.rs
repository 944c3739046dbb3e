//! What the process layer hangs onto a task, found again in a few instructions: every system call asks.
//!
//! Island: turns the pointer of an [`Owner`] into a reference of the type that it was made of.
//!
//! # Invariants
//! `kind` is the type of what `owner` points to, and `value` is where that is.
#![expect(
    unsafe_code,
    reason = "turns a pointer of unknown type into a reference of the type that was noted"
)]

use alloc::sync::Arc;
use core::any::{Any, TypeId};
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use super::Owner;

/// An owner, and what it is.
pub(super) struct Owned {
    owner: Owner,
    kind: TypeId,
    /// Where the owner's value is: behind the counts of its `Arc`, at a distance that its alignment says.
    value: AtomicPtr<()>,
}

impl Owned {
    /// Notes what `owner` is.
    pub(super) fn new(owner: Owner) -> Self {
        let kind = Any::type_id(&*owner);
        let value = AtomicPtr::new(Arc::as_ptr(&owner).cast::<()>().cast_mut());
        Self { owner, kind, value }
    }

    /// Returns the owner.
    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Returns it as a `T`, if that is what it is.
    #[inline]
    pub(super) fn get<T: Any>(&self) -> Option<&T> {
        if self.kind != TypeId::of::<T>() {
            return None;
        }
        let value = self.value.load(Relaxed).cast::<T>();
        // SAFETY: it is a `T` (the invariant), which lives as long as `self` refers to it.
        Some(unsafe { &*value })
    }
}
