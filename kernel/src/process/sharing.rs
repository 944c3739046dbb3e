//! What threads and processes share if they were made so: descriptors, and the place in the tree of files.
//!
//! Usually all threads of a process have one and no other process has it, and it lies in the process itself. Only where a `clone` or
//! `unshare` said otherwise it lies apart, for several processes or for each of several threads.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::thread::Thread;
use super::{Field, Process};
use crate::locks::SpinLock;

/// Something that a process has, perhaps together with others.
pub struct Sharing<T>(Field<Kind<T>>);

enum Kind<T> {
    /// All threads of the process have it, and nobody else.
    Own(T),
    /// All threads have it, and others may.
    Shared(Shared<T>),
    /// Each thread has one, by its number.
    Divided(Vec<(u32, Shared<T>)>),
}

/// What several have.
pub type Shared<T> = Arc<Field<T>>;

impl<T: Clone> Sharing<T> {
    /// Makes one that nobody else has.
    pub const fn new(value: T) -> Self {
        Self(SpinLock::new(Kind::Own(value)))
    }

    /// Makes one that others have.
    pub fn of(shared: Shared<T>) -> Self {
        Self(SpinLock::new(Kind::Shared(shared)))
    }

    /// Calls `visit` with what the thread that `who` names has.
    #[inline(always)]
    pub fn with<R>(&self, who: impl FnOnce() -> u32, visit: impl FnOnce(&mut T) -> R) -> R {
        let mut kind = self.0.lock();
        if let Kind::Own(value) = &mut *kind {
            return visit(value);
        }
        drop(kind);
        self.with_shared(who, visit)
    }

    #[cold]
    fn with_shared<R>(&self, who: impl FnOnce() -> u32, visit: impl FnOnce(&mut T) -> R) -> R {
        let mut kind = self.0.lock();
        let shared = match &mut *kind {
            Kind::Own(value) => return visit(value),
            Kind::Shared(shared) => shared.clone(),
            Kind::Divided(parts) => part(parts, who()).clone(),
        };
        drop(kind);
        let result = visit(&mut shared.lock());
        drop(shared); // outside its own lock: it may be the last
        result
    }

    /// Returns what thread `tid` has, to be shared with somebody else.
    pub fn share(&self, tid: u32) -> Shared<T>
    where
        T: Default,
    {
        let mut kind = self.0.lock();
        match &mut *kind {
            Kind::Own(value) => {
                let shared = Arc::new(SpinLock::new(core::mem::take(value)));
                *kind = Kind::Shared(shared.clone());
                shared
            }
            Kind::Shared(shared) => shared.clone(),
            Kind::Divided(parts) => part(parts, tid).clone(),
        }
    }

    /// Gives thread `tid`, one of `all`, one of its own that begins as the one that it had.
    #[must_use = "what nobody has any more is to be dropped without a lock"]
    pub fn unshare(&self, tid: u32, all: &[u32]) -> Option<Shared<T>>
    where
        T: Default,
    {
        let alone = all.len() <= 1;
        if alone && matches!(*self.0.lock(), Kind::Own(_)) {
            return None;
        }
        let before = self.share(tid);
        let copy = before.lock().clone();
        let mut kind = self.0.lock();
        if alone {
            let old = core::mem::replace(&mut *kind, Kind::Own(copy));
            drop(kind);
            drop(old);
            return Some(before);
        }
        if let Kind::Shared(shared) = &*kind {
            let parts = all.iter().map(|tid| (*tid, shared.clone())).collect();
            *kind = Kind::Divided(parts);
        }
        if let Kind::Divided(parts) = &mut *kind {
            parts.retain(|(other, _)| *other != tid);
            parts.push((tid, Arc::new(SpinLock::new(copy))));
        }
        drop(kind);
        Some(before)
    }

    /// Returns a number that only those have who share it with thread `tid`.
    pub fn name(&self, tid: u32) -> usize {
        match &*self.0.lock() {
            Kind::Own(_) => core::ptr::from_ref(self) as usize,
            Kind::Shared(shared) => Arc::as_ptr(shared) as usize,
            Kind::Divided(parts) => Arc::as_ptr(part(parts, tid)) as usize,
        }
    }

    /// A thread `tid` joins that has what thread `maker` has.
    pub fn join(&self, maker: u32, tid: u32) {
        if let Kind::Divided(parts) = &mut *self.0.lock() {
            let shared = part(parts, maker).clone();
            parts.push((tid, shared));
        }
    }

    /// Thread `tid` has left; what only it had is returned, to be dropped without a lock.
    pub fn leave(&self, tid: u32) -> Option<Shared<T>> {
        let mut kind = self.0.lock();
        let Kind::Divided(parts) = &mut *kind else {
            return None;
        };
        let at = parts.iter().position(|(other, _)| *other == tid)?;
        match parts.len() {
            1 => None,
            _ => Some(parts.swap_remove(at).1),
        }
    }

    /// Takes it from the process, which has ended.
    pub fn take(&self) -> impl Sized
    where
        T: Default,
    {
        core::mem::replace(&mut *self.0.lock(), Kind::Own(T::default()))
    }
}

/// What thread `tid` has; whoever is no thread of the process sees what the first has.
fn part<T>(parts: &[(u32, Shared<T>)], tid: u32) -> &Shared<T> {
    let own = parts.iter().find(|(other, _)| *other == tid);
    let first = own.or_else(|| parts.iter().min_by_key(|(other, _)| *other));
    &first
        .expect("a process has what the last of its threads had")
        .1
}

impl Thread {
    /// Gives it descriptors of its own.
    pub fn unshare_files(&self) {
        let process = self.process();
        drop(process.files.unshare(self.tid(), &process.tids()));
    }

    /// Gives it a place in the tree of files of its own.
    pub fn unshare_place(&self) {
        let process = self.process();
        drop(process.place.unshare(self.tid(), &process.tids()));
    }
}

impl Process {
    /// Returns a number that only those have who share its descriptors.
    pub fn files_name(&self) -> usize {
        self.files.name(self.pid)
    }

    /// Returns a number that only those have who share its place.
    pub fn place_name(&self) -> usize {
        self.place.name(self.pid)
    }

    /// Returns a number that only those have who share its handlers.
    pub fn handlers_name(&self) -> usize {
        let own = core::ptr::from_ref(self) as usize;
        self.kin
            .lock()
            .as_ref()
            .map_or(own, |kin| Arc::as_ptr(kin) as usize)
    }

    /// Shares the handlers of its signals with no other process any more.
    pub fn unshare_handlers(&self) {
        self.leave_kin();
    }
}
