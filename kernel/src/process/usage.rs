//! What a process used: CPU time and page faults.

use core::ops::Add;

use super::Process;
use crate::task::{self, Task};

/// Sums over a process's life. User and system time are not told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// CPU time in ns.
    pub cpu_ns: u64,
    /// Page faults without I/O.
    pub min_faults: u64,
    /// Page faults with I/O.
    pub maj_faults: u64,
}

impl Usage {
    /// Returns what the current process used so far, its finished turns on the CPU.
    pub fn of_current() -> Self {
        Self::of_task(&task::current())
    }

    /// Returns what a process used so far; nothing once its task is gone.
    pub fn of(process: &Process) -> Self {
        process
            .task()
            .map_or_else(Self::default, |task| Self::of_task(&task))
    }

    fn of_task(task: &Task) -> Self {
        let (min_faults, maj_faults) = task.faults();
        Self {
            cpu_ns: task.run_ns(),
            min_faults,
            maj_faults,
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
        }
    }
}
