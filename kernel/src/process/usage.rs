//! What a process used: CPU time and page faults.

use core::ops::Add;
use core::sync::atomic::Ordering::Relaxed;

use super::{Process, current};
use crate::task::{self, Task, TaskMm};

/// Sums over a process's life. User and system time are not told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// CPU time in ns.
    pub cpu_ns: u64,
    /// Page faults without I/O.
    pub min_faults: u64,
    /// Page faults with I/O.
    pub maj_faults: u64,
    /// The most pages in memory at once; of several processes the largest of all.
    pub peak_rss: u64,
}

impl Usage {
    /// Returns what the current process used so far, its finished turns on the CPU.
    pub fn of_current() -> Self {
        Self::of_task(&current(), &task::current())
    }

    /// Returns what a process used so far; nothing once its task is gone.
    pub fn of(process: &Process) -> Self {
        process
            .task()
            .map_or_else(Self::default, |task| Self::of_task(process, &task))
    }

    fn of_task(process: &Process, task: &Task) -> Self {
        process.note_peak_rss(task);
        let (min_faults, maj_faults) = task.faults();
        Self {
            cpu_ns: task.run_ns(),
            min_faults,
            maj_faults,
            peak_rss: process.peak_rss.load(Relaxed),
        }
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
        Self {
            cpu_ns: self.cpu_ns + other.cpu_ns,
            min_faults: self.min_faults + other.min_faults,
            maj_faults: self.maj_faults + other.maj_faults,
            peak_rss: self.peak_rss.max(other.peak_rss),
        }
    }
}
