//! How a kernel thread stays in a process's address space for a while (LZ-23 … LZ-26).
//!
//! Between [`kthread_use_mm`] and the drop of the guard the thread is a user task by mm: its copies to and
//! from user memory find that process's pages, fault them in, break copy-on-write. Before and after it has no
//! user memory, whatever CR3 may hold, and the same copies are refused (I-8).

use core::marker::PhantomData;
use core::sync::atomic::{Ordering::SeqCst, fence};

use crate::mm::MmUserRef;
use crate::mm::counters::KTHREAD_USE_MM;
use crate::task;

/// A kernel thread's stay in an address space, as long as this lives.
///
/// It holds on to a user of the mm, so that user memory is there; it cannot be sent to another task; and there
/// is one at a time, which [`kthread_use_mm`] insists on.
#[must_use = "the stay ends with the guard"]
pub struct UseMm<'a> {
    _mm: &'a MmUserRef,
    /// The mm is the thread's that began the stay.
    _not_send: PhantomData<*const ()>,
}

/// Makes `mm` the current kernel thread's own until the guard is dropped.
///
/// # Panics
/// If the caller has an mm already: a program's task, or a thread that uses one.
pub fn kthread_use_mm(mm: &MmUserRef) -> UseMm<'_> {
    {
        let task = task::current();
        assert!(
            task.kthread().is_some(),
            "a program's task has an mm and uses no other (LZ-23)"
        );
        assert!(
            !task.has_mm(),
            "a kernel thread uses one mm at a time (LZ-23)"
        );
    }
    KTHREAD_USE_MM.inc();
    let own = task::exec_mm(mm.clone());
    debug_assert!(own.is_none(), "what was there was borrowed");
    UseMm {
        _mm: mm,
        _not_send: PhantomData,
    }
}

impl Drop for UseMm<'_> {
    fn drop(&mut self) {
        // All that the thread did to the memory comes before it says that it no longer looks (LZ-24).
        fence(SeqCst);
        task::exit_mm();
    }
}
