//! What is counted of a task, and since when it sleeps.

use core::sync::atomic::Ordering::Relaxed;

use super::Task;

impl Task {
    /// Counts a page fault that was resolved.
    pub fn count_fault(&self, major: bool) {
        if major {
            &self.maj_faults
        } else {
            &self.min_faults
        }
        .fetch_add(1, Relaxed);
    }

    /// Returns the minor and the major page faults so far (HF-15).
    pub fn faults(&self) -> (u64, u64) {
        (self.min_faults.load(Relaxed), self.maj_faults.load(Relaxed))
    }

    /// Notes that a turn on a CPU begins at `now` ns.
    pub(crate) fn begin_turn(&self, now: u64) {
        self.turn_began.store(now, Relaxed);
    }

    /// Adds the turn that ends at `now` ns to the CPU time.
    pub(crate) fn end_turn(&self, now: u64) {
        self.run_ns
            .fetch_add(now.saturating_sub(self.turn_began.load(Relaxed)), Relaxed);
    }

    /// Returns the CPU time of all finished turns in ns.
    pub fn run_ns(&self) -> u64 {
        self.run_ns.load(Relaxed)
    }

    /// Returns since when in ns the task has slept for something that nothing interrupts.
    pub fn deaf_since(&self) -> Option<u64> {
        match self.deaf_since.load(Relaxed) {
            0 => None,
            since => Some(since),
        }
    }

    /// Notes that such a sleep begins at this time in ns, or is over.
    pub(crate) fn set_deaf_since(&self, since: Option<u64>) {
        self.deaf_since
            .store(since.map_or(0, |since| since.max(1)), Relaxed);
    }
}
