//! How a CPU goes, from its own side, and where its idle task waits until it is back.
//!
//! It goes from its idle task, when there is nothing else to run. What it has borrowed it gives back first (LZ-27): a CPU that is off
//! would keep a dead process's PML4 for ever, or stand on one that was freed.

use super::runqueue::this_rq;
use crate::arch::{cpu, local};
use crate::locks::{SpinLock, rank};
use crate::percpu::{MAX_CPUS, PerCpu, cpu_id};
use crate::smp::presence;
use crate::task::{self, TaskRef};

/// The idle tasks of CPUs that are on their way, or have gone.
static WAITING: PerCpu<SpinLock<Option<TaskRef>, { rank::TASK }>> =
    PerCpu::new([const { SpinLock::new(None) }; MAX_CPUS]);

/// Keeps an idle task until its CPU asks for it.
pub fn keep_idle(cpu: usize, idle: TaskRef) {
    *WAITING.of(cpu).lock() = Some(idle);
}

/// Returns the idle task that waits for CPU `cpu`, and keeps it no longer.
pub fn take_idle(cpu: usize) -> Option<TaskRef> {
    WAITING.of(cpu).lock().take()
}

/// Returns the idle task that waits for CPU `cpu`.
pub fn idle_of(cpu: usize) -> Option<TaskRef> {
    WAITING.of(cpu).lock().clone()
}

/// Goes, if nothing came in between; the idle task calls it with interrupts off, on a CPU that is asked to.
pub(super) fn leave() {
    task::borrow_init();
    let Some(idle) = close() else { return };
    local::preempt_disable(); // There is nothing to preempt for: this CPU has no task any more.
    cpu::irq_enable();
    presence::take_leave();
    keep_idle(cpu_id(), idle);
    presence::go()
}

/// Closes this CPU's run queue if it is empty and the CPU still has to go; returns its idle task.
///
/// Whoever was about to queue a task here finds no task running, and looks for another CPU.
fn close() -> Option<TaskRef> {
    let mut rq = this_rq().lock();
    if !rq.queue.is_empty() || !presence::agree() {
        return None;
    }
    rq.current = None;
    rq.idle.take()
}
