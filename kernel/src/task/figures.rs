//! What is counted of a task, and since when it sleeps.

use core::sync::atomic::Ordering::Relaxed;

use clocks::split::Sampled;

use super::Task;

/// In the CPU clock of a task: it runs, and the rest is when it would have begun to use what it used without a pause. Otherwise the
/// word is what it used.
const RUNS: u64 = 1 << 63;

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
    #[inline]
    pub(crate) fn begin_turn(&self, now: u64) {
        let used = self.cpu_clock.load(Relaxed);
        self.cpu_clock.store(RUNS | now.wrapping_sub(used), Relaxed);
    }

    /// Adds the turn that ends at `now` ns to the CPU time; `sleeps` says whether the task ended it itself.
    #[inline]
    pub(crate) fn end_turn(&self, now: u64, sleeps: bool) {
        self.cpu_clock.store(self.run_ns(now), Relaxed);
        let count = &self.switches[usize::from(!sleeps)];
        count.store(count.load(Relaxed) + 1, Relaxed);
    }

    /// Returns the CPU time in ns until `now`, the turn that lasts included.
    #[inline]
    pub fn run_ns(&self, now: u64) -> u64 {
        let clock = self.cpu_clock.load(Relaxed);
        match clock & RUNS {
            0 => clock,
            // Another CPU's clock may be a moment behind.
            _ => now.saturating_sub(clock & !RUNS),
        }
    }

    /// Takes what the running task used since it was looked at last as spent in the program, or in the kernel.
    pub(crate) fn sample(&self, now: u64, in_program: bool) {
        let used = self.run_ns(now);
        let since = used.saturating_sub(self.looked_at.swap(used, Relaxed));
        let [user, system] = &self.sampled;
        let part = if in_program { user } else { system };
        part.fetch_add(since, Relaxed);
    }

    /// Returns what the samples say so far.
    pub fn sampled(&self) -> Sampled {
        let [user, system] = &self.sampled;
        Sampled {
            user: user.load(Relaxed),
            system: system.load(Relaxed),
        }
    }

    /// Returns how often it gave the CPU up itself, and how often that was taken away.
    pub fn switches(&self) -> [u64; 2] {
        [0, 1].map(|why| self.switches[why].load(Relaxed))
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
