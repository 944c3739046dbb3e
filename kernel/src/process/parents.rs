//! What a process wants of its family: the orphans among its descendants, and to be told when its parent ends.

use core::sync::atomic::Ordering::Relaxed;

use abi::Signal;

use super::Process;

impl Process {
    /// Returns whether it gets the children of its descendants that end.
    pub fn is_subreaper(&self) -> bool {
        self.subreaper.load(Relaxed)
    }

    /// Says whether it does.
    pub fn set_subreaper(&self, is: bool) {
        self.subreaper.store(is, Relaxed);
    }

    /// Returns what it is sent when whoever made it ends.
    pub fn parent_death_signal(&self) -> Option<Signal> {
        Signal::new(self.parent_death.load(Relaxed).into())
    }

    /// Says what it is sent then.
    pub fn set_parent_death_signal(&self, signal: Option<Signal>) {
        self.parent_death
            .store(signal.map_or(0, Signal::number), Relaxed);
    }
}
