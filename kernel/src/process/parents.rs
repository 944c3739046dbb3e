//! What a process and its threads want of their family: the orphans among its descendants, and to be told when its parent ends.

use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Signal;

use super::Process;
use super::thread::{Thread, thread_of};

impl Process {
    /// Returns whether it gets the children of its descendants that end.
    pub fn is_subreaper(&self) -> bool {
        self.subreaper.load(Relaxed)
    }

    /// Says whether it does.
    pub fn set_subreaper(&self, is: bool) {
        self.subreaper.store(is, Relaxed);
    }

    /// Returns which of its threads want a signal when whoever made the process ends, and which.
    pub(super) fn parent_death_signals(&self) -> Vec<(u32, Signal)> {
        let group = self.group.lock();
        let threads = group.tasks().filter_map(|task| thread_of(task));
        let wishes =
            threads.filter_map(|thread| Some((thread.tid(), thread.parent_death_signal()?)));
        wishes.collect()
    }
}

impl Thread {
    /// Returns what its process is sent when whoever made that ends.
    pub fn parent_death_signal(&self) -> Option<Signal> {
        Signal::new(self.parent_death.load(Relaxed).into())
    }

    /// Says what is sent then.
    pub fn set_parent_death_signal(&self, signal: Option<Signal>) {
        self.parent_death
            .store(signal.map_or(0, Signal::number), Relaxed);
    }
}
