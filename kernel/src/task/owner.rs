//! What the process layer hangs onto a task, found again in a few instructions: every system call asks.
//!
//! Island: turns the pointer of an [`Owner`] into a reference of the type that it was made of.
//!
//! # Invariants
//! `kind` is the type of what `owner` points to.
#![expect(
    unsafe_code,
    reason = "turns a pointer of unknown type into a reference of the type that was noted"
)]

use alloc::sync::Arc;
use core::any::{Any, TypeId};

use super::Owner;

/// An owner, and what it is.
pub(super) struct Owned {
    owner: Owner,
    kind: TypeId,
}

impl Owned {
    /// Notes what `owner` is.
    pub(super) fn new(owner: Owner) -> Self {
        let kind = Any::type_id(&*owner);
        Self { owner, kind }
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
        let value = Arc::as_ptr(&self.owner).cast::<T>();
        // SAFETY: it is a `T` (the invariant), which lives as long as `self` refers to it.
        Some(unsafe { &*value })
    }
}
