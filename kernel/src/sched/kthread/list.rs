//! All kernel threads, for those who look after them.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use crate::locks::{SpinLock, rank};
use crate::task::{Task, TaskRef};

static ALL: SpinLock<Vec<Weak<Task>>, { rank::KTHREADS }> = SpinLock::new(Vec::new());

/// Adds a thread; those that have gone leave the list now and then.
pub(super) fn add(task: &TaskRef) {
    let mut all = ALL.lock();
    if all.len() == all.capacity() {
        all.retain(|task| task.strong_count() > 0);
    }
    all.push(Arc::downgrade(task));
}

/// Returns all that exist, in the order they were made.
pub fn all() -> Vec<TaskRef> {
    ALL.lock().iter().filter_map(Weak::upgrade).collect()
}
