//! Who a thread is: its ids, groups and capabilities. What they permit, and how they change, is decided in the crate `cred`.
//!
//! Each thread has its own, as on Linux; libraries change those of all threads together. Others look at the process's, which are its first
//! thread's.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use abi::socket::Ucred;
use cred::{Cap, Cred};

use super::thread::{Thread, current_thread};
use super::{Process, current};

/// Returns who the current thread is.
pub fn cred() -> Arc<Cred> {
    current_thread().cred.lock().clone()
}

/// Returns whether the current thread has a capability in effect.
pub fn has(cap: Cap) -> bool {
    current_thread().cred.lock().has(cap)
}

/// Makes the current thread somebody else. Who has gained or lost something is not looked into by others any more, and is not told of
/// its parent's end.
pub fn set_cred(new: Cred) {
    let thread = current_thread();
    let old = thread.cred();
    let same = old.uid.effective == new.uid.effective
        && old.gid.effective == new.gid.effective
        && old.uid.fs == new.uid.fs
        && old.gid.fs == new.gid.fs
        && old.caps.permitted.includes(new.caps.permitted);
    if !same {
        let process = thread.process();
        process.dumpable.store(false, Relaxed);
        thread.set_parent_death_signal(None);
    }
    thread.become_cred(Arc::new(new));
}

impl Thread {
    /// Returns who it is.
    pub fn cred(&self) -> Arc<Cred> {
        self.cred.lock().clone()
    }

    /// Makes it somebody else.
    pub(super) fn become_cred(&self, new: Arc<Cred>) {
        let mut slot = self.cred.lock();
        let old = core::mem::replace(&mut *slot, new.clone());
        drop(slot);
        drop(old);
        if self.is_leader() {
            let mut slot = self.process.cred.lock();
            let old = core::mem::replace(&mut *slot, new);
            drop(slot);
            drop(old);
        }
    }
}

impl Process {
    /// Returns who it is: as its first thread.
    pub fn cred(&self) -> Arc<Cred> {
        self.cred.lock().clone()
    }

    /// Returns the real user id.
    pub fn uid(&self) -> u32 {
        self.cred.lock().uid.real
    }
}

/// Returns the number and the real user id of the current process, which signals tell of their sender.
pub fn sender() -> (u32, u32) {
    let thread = current_thread();
    let thread: &Thread = &thread;
    (thread.process.pid(), thread.cred.lock().uid.real)
}

/// Returns whether the current thread may look into a process: its own, or one of the same user with no more rights that does not forbid it.
pub fn may_inspect(process: &Process, by_fs_ids: bool) -> bool {
    let own = current();
    let dumpable = process.dumpable.load(Relaxed);
    core::ptr::eq(&*own, process)
        || cred::program::may_inspect(&cred(), &process.cred(), dumpable, by_fs_ids)
}

/// Returns who the current process is to those whom it sends something.
pub fn current_ucred() -> Ucred {
    let cred = cred();
    Ucred {
        pid: current().pid(),
        uid: cred.uid.real,
        gid: cred.gid.real,
    }
}

/// Returns who the current process is to those whom it connects with.
pub fn current_peer_ucred() -> Ucred {
    let cred = cred();
    Ucred {
        pid: current().pid(),
        uid: cred.uid.effective,
        gid: cred.gid.effective,
    }
}
