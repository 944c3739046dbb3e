//! Out of memory: who ends so that the others can go on (HF-19).
//!
//! The program whose fault finds no frame is seldom the one that took them. The process with the
//! most memory ends instead, and the fault is tried again when it has gone. Init is never chosen.

use alloc::sync::Arc;

use abi::Signal;

use super::{Process, current, tree};
use crate::task::{TaskMm, TaskRef};
use crate::{sched, time};

/// How long a fault waits for a process that is ending: a tick.
const PATIENCE: u64 = time::TICK_NS;

/// What a fault that found no frame is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Try again: somebody else has been made to end, and has had time for it.
    TryAgain,
    /// End: nobody has more memory, or nobody else may be chosen.
    End,
}

/// Makes room by ending the process with the most memory, unless that is the current one.
pub fn make_room() -> Verdict {
    let Some(victim) = largest() else {
        return Verdict::End;
    };
    if victim.process.pid() == current().pid() {
        return Verdict::End;
    }
    victim.end();
    // Interrupted: the current process has to end as well, and does so on its way to user mode.
    let _ = time::sleep_until(time::now_ns() + PATIENCE);
    Verdict::TryAgain
}

/// A process that could end, and what that would bring.
struct Candidate {
    process: Arc<Process>,
    task: TaskRef,
    pages: u64,
}

/// Finds the process with the most memory; one that is ending already goes before all others, so
/// that no second one is chosen before it has gone.
fn largest() -> Option<Candidate> {
    let all = tree::find_all(|pid, _| pid != tree::INIT);
    let candidates = all.into_iter().filter_map(Candidate::new);
    candidates.max_by_key(|candidate| (candidate.is_ending(), candidate.pages))
}

impl Candidate {
    fn new(process: Arc<Process>) -> Option<Self> {
        let task = process.task()?;
        let pages = match &*task.mm_slot().lock() {
            TaskMm::User(mm) => mm.rss_pages(),
            _ => return None,
        };
        Some(Self {
            process,
            task,
            pages,
        })
    }

    fn is_ending(&self) -> bool {
        self.task.fatal_signal().is_some()
    }

    fn end(&self) {
        if self.is_ending() {
            return;
        }
        let (name, pid, kib) = (self.task.name(), self.process.pid(), self.pages * 4);
        log::warn!(target: "process", "{name}[{pid}]: out of memory: it has the most, {kib} KiB, and ends");
        sched::post_kill(&self.task, Signal::KILL.number());
    }
}
