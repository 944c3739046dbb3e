//! The run queue of one CPU: first come first served, a slice of time each.
//!
//! Pure bookkeeping over any kind of task; the kernel keeps it under the run-queue lock.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::collections::VecDeque;

/// How long a task may run while others wait.
pub const SLICE_NS: u64 = 4_000_000;

/// The tasks that are runnable and not running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunQueue<T> {
    tasks: VecDeque<T>,
}

impl<T> RunQueue<T> {
    /// Makes an empty queue.
    pub const fn new() -> Self {
        Self {
            tasks: VecDeque::new(),
        }
    }

    /// Makes room for `tasks` tasks in all, so that [`push`](Self::push) does not allocate.
    pub fn reserve(&mut self, tasks: usize) {
        let more = tasks.saturating_sub(self.tasks.len());
        self.tasks.reserve(more);
    }

    /// Queues a task behind all others.
    pub fn push(&mut self, task: T) {
        self.tasks.push_back(task);
    }

    /// Takes out the task that waits longest.
    pub fn pick(&mut self) -> Option<T> {
        self.tasks.pop_front()
    }

    /// Takes out the first task that `is_it`.
    pub fn remove(&mut self, is_it: impl FnMut(&T) -> bool) -> Option<T> {
        let at = self.tasks.iter().position(is_it)?;
        self.tasks.remove(at)
    }

    /// Returns how many tasks wait.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Says whether no task waits.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Walks over the tasks that wait, next one first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.tasks.iter()
    }

    /// Says whether a task that has run for `ran_ns` must make room for another one.
    pub fn slice_over(&self, ran_ns: u64) -> bool {
        ran_ns >= SLICE_NS && !self.is_empty()
    }
}

impl<T> Default for RunQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}
