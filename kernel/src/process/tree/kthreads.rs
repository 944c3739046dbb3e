//! The numbers of kernel threads: programs find them beside processes, as children of nobody.
//!
//! They are numbered from the moment on that init has its own number, in the order they were made. The tree does not keep them: a
//! thread that has ended is not found, and its number is free when it is gone.

use alloc::sync::{Arc, Weak};

use super::{TREE, Tree};
use crate::sched::kthread::list;
use crate::task::kthread::Control;
use crate::task::{Task, TaskRef};

/// How many entries there may be before those of threads that are gone are looked for.
const FEW: usize = 64;

/// Gives all kernel threads numbers, those to come as well.
pub fn number_kthreads() {
    list::set_numbering(number);
}

/// Gives a kernel thread the next free number, unless it has one.
fn number(task: &TaskRef) {
    let Some(control) = task.kthread() else {
        return;
    };
    let mut tree = TREE.lock();
    if control.number() != 0 {
        return;
    }
    let number = tree.next_number();
    if tree.kthreads.len() >= tree.kthreads_bound.max(FEW) {
        tree.kthreads.retain(|_, task| task.strong_count() > 0);
        tree.kthreads_bound = 2 * tree.kthreads.len();
    }
    tree.kthreads.insert(number, Arc::downgrade(task));
    control.set_number(number);
}

/// Returns the kernel thread with this number, unless it has ended.
pub fn find_kthread(number: u32) -> Option<TaskRef> {
    // What is found is let go with no lock held: it may be the last reference.
    let found = TREE.lock().kthreads.get(&number).cloned();
    found?.upgrade().filter(lives)
}

/// Returns the lowest number of a kernel thread at or above `from`.
pub fn next_kthread(mut from: u32) -> Option<u32> {
    loop {
        let (number, task) = {
            let tree = TREE.lock();
            let (number, task) = tree.kthreads.range(from..).next()?;
            (*number, task.clone())
        };
        if task.upgrade().as_ref().is_some_and(lives) {
            return Some(number);
        }
        from = number + 1;
    }
}

fn lives(task: &TaskRef) -> bool {
    let has_ended = |control: &Control| control.state().has_exited();
    !task.kthread().is_none_or(has_ended)
}

impl Tree {
    /// Returns whether a kernel thread has this number, or had it and is not gone.
    pub(super) fn is_kthread(&self, number: u32) -> bool {
        let task: Option<&Weak<Task>> = self.kthreads.get(&number);
        task.is_some_and(|task| task.strong_count() > 0)
    }
}
