//! What a process and its threads used: CPU time and page faults.

use core::ops::Add;
use core::sync::atomic::Ordering::Relaxed;

use clocks::split::{Sampled, split};

use super::{Process, current};
use crate::task::{self, Task, TaskMm};
use crate::time;

/// Nanoseconds of a clock tick, in which programs are told CPU times: a hundredth of a second.
const TICK: u64 = 10_000_000;

/// Sums over a process's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// CPU time in ns.
    pub cpu_ns: u64,
    /// What samples say of how it divides into user and system time.
    pub sampled: Sampled,
    /// Page faults without I/O.
    pub min_faults: u64,
    /// Page faults with I/O.
    pub maj_faults: u64,
    /// Switches to another task because it slept, and because its turn was over.
    pub switches: [u64; 2],
    /// The most pages in memory at once; of several processes the largest of all.
    pub peak_rss: u64,
}

impl Usage {
    /// Nothing was used.
    pub const NOTHING: Self = Self {
        cpu_ns: 0,
        sampled: Sampled::NOTHING,
        min_faults: 0,
        maj_faults: 0,
        switches: [0; 2],
        peak_rss: 0,
    };

    /// Returns what the threads of a process used so far.
    pub fn of(process: &Process) -> Self {
        let used = process.group.lock().usage();
        process.peak_rss.fetch_max(used.peak_rss, Relaxed);
        Self {
            peak_rss: process.peak_rss.load(Relaxed),
            ..used
        }
    }

    /// Returns what the current process used so far.
    pub fn of_current() -> Self {
        Self::of(&current())
    }

    /// Returns what the current thread used so far.
    pub fn of_thread() -> Self {
        Self {
            peak_rss: Self::of_current().peak_rss,
            ..Self::of_task(&task::current())
        }
    }

    /// Returns what a task used so far, and the largest that its address space was, if it has one.
    pub fn of_task(task: &Task) -> Self {
        let (min_faults, maj_faults) = task.faults();
        Self {
            cpu_ns: task.run_ns(time::now_ns()),
            sampled: task.sampled(),
            min_faults,
            maj_faults,
            switches: task.switches(),
            peak_rss: match &*task.mm_slot().lock() {
                TaskMm::User(mm) => mm.peak_rss_pages(),
                _ => 0,
            },
        }
    }

    /// Returns user and system time in ns.
    pub fn times(&self) -> (u64, u64) {
        split(self.cpu_ns, self.sampled)
    }

    /// Returns user and system time in clock ticks.
    pub fn ticks(&self) -> (u64, u64) {
        let (user, system) = self.times();
        (user / TICK, system / TICK)
    }
}

impl Process {
    /// Remembers how large the address space was; also called before it is given up.
    pub(super) fn note_peak_rss(&self, task: &Task) {
        if let TaskMm::User(mm) = &*task.mm_slot().lock() {
            self.peak_rss.fetch_max(mm.peak_rss_pages(), Relaxed);
        }
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let switches = |why: usize| self.switches[why] + other.switches[why];
        Self {
            cpu_ns: self.cpu_ns + other.cpu_ns,
            sampled: self.sampled + other.sampled,
            min_faults: self.min_faults + other.min_faults,
            maj_faults: self.maj_faults + other.maj_faults,
            switches: [switches(0), switches(1)],
            peak_rss: self.peak_rss.max(other.peak_rss),
        }
    }
}
