//! What the process layer hangs onto a task, found again in a few instructions: every system call asks.
//!
//! Island: turns the pointer of an [`Owner`] into a reference of the type that it was made of.
//!
//! # Invariants
//! Where there is an owner, `kind` is the type of what it points to, and `value` is where that is; else `kind` is a type that is nobody's.
#![expect(
    unsafe_code,
    reason = "turns a pointer of unknown type into a reference of the type that was noted"
)]

use alloc::sync::Arc;
use core::any::{Any, TypeId};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use super::Owner;

/// An owner, and what it is; or nobody.
pub(super) struct Owned {
    owner: Option<Owner>,
    kind: TypeId,
    /// Where the owner's value is: behind the counts of its `Arc`, at a distance that its alignment says.
    value: AtomicPtr<()>,
}

/// What a task without an owner has: nobody else can ask for this type.
struct Nobody;

impl Owned {
    /// Notes what `owner` is.
    pub(super) fn new(owner: Option<Owner>) -> Self {
        let (kind, value) = match &owner {
            Some(owner) => (Any::type_id(&**owner), Arc::as_ptr(owner).cast::<()>()),
            None => (TypeId::of::<Nobody>(), ptr::null()),
        };
        let value = AtomicPtr::new(value.cast_mut());
        Self { owner, kind, value }
    }

    /// Returns the owner.
    pub(super) fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// Returns it as a `T`, if that is what it is.
    #[inline]
    pub(super) fn get<T: Any>(&self) -> Option<&T> {
        if self.kind != TypeId::of::<T>() {
            return None;
        }
        let value = self.value.load(Relaxed).cast::<T>();
        // SAFETY: what `Arc` points to does not lie at 0.
        let value = unsafe { NonNull::new_unchecked(value) };
        // SAFETY: it is a `T` (the invariant), which lives as long as `self` refers to it.
        Some(unsafe { value.as_ref() })
    }
}
