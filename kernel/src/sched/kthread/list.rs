//! All kernel threads, for those who look after them.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use crate::locks::{Once, SpinLock, rank};
use crate::task::{Task, TaskRef};

static ALL: SpinLock<Vec<Weak<Task>>, { rank::KTHREADS }> = SpinLock::new(Vec::new());

/// Gives a thread the number under which programs find it: the business of a layer above.
static NUMBER: Once<fn(&TaskRef)> = Once::new();

/// Adds a thread; those that have gone leave the list now and then.
pub(super) fn add(task: &TaskRef) {
    let mut all = ALL.lock();
    if all.len() == all.capacity() {
        all.retain(|task| task.strong_count() > 0);
    }
    all.push(Arc::downgrade(task));
    drop(all);
    if let Some(number) = NUMBER.get() {
        number(task);
    }
}

/// Has `number` called for every thread there is, and for each that is made from now on; for some twice.
pub fn set_numbering(number: fn(&TaskRef)) {
    NUMBER.call_once(|| number);
    all().iter().for_each(number);
}

/// Returns all that exist, in the order they were made.
pub fn all() -> Vec<TaskRef> {
    ALL.lock().iter().filter_map(Weak::upgrade).collect()
}
