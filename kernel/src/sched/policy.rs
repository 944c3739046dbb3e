//! What a task asks of the scheduler, and the CPUs it may use.

use core::sync::atomic::Ordering::Relaxed;

use runq::{Params, Schedulable};

use super::balance;
use super::runqueue::lock_rq_of;
use crate::arch::{cpu, local, timer};
use crate::percpu::cpu_id;
use crate::smp;
use crate::task::{Task, TaskRef, current};

/// Returns what a task asks for.
pub fn params(task: &Task) -> Params {
    task.entity().params()
}

/// Changes what a task asks for; it counts at once, whether the task waits, runs or sleeps.
pub fn set_params(task: &TaskRef, params: Params) {
    let mut rq = lock_rq_of(task);
    let (cpu, now) = (task.cpu(), timer::now_ns());
    let runs = rq.current.as_ref() == Some(task);
    rq.queue.set_params(task, params, runs, now);
    rq.publish(cpu);
    if rq.queue.outranked(now) {
        smp::send_reschedule(cpu);
    }
}

/// Returns the CPUs a task may use and that are there, a bit for each.
pub fn allowed(task: &Task) -> u64 {
    task.entity().allowed() & smp::active().bits()
}

/// Sets the CPUs a task may use; refuses if none of them is there. When it returns, the task runs on none that it may not use:
/// the caller waits until another CPU has let go of it.
pub fn set_allowed(task: &TaskRef, cpus: u64) -> bool {
    if cpus & smp::active().bits() == 0 {
        return false;
    }
    task.entity().set_allowed(cpus);
    while !settle(task) {
        cpu::relax();
    }
    if current().is(task) {
        if !balance::may_stay(task, cpu_id()) {
            super::schedule();
        }
        return true;
    }
    // It was asked to leave, and does at its CPU's next interrupt; somebody else may have said meanwhile where it may run.
    while runs_where_it_may_not(task) {
        super::yield_now();
    }
    true
}

fn runs_where_it_may_not(task: &TaskRef) -> bool {
    let rq = lock_rq_of(task);
    rq.current.as_ref() == Some(task) && !balance::may_stay(task, task.cpu())
}

/// Sees to it that a task does not stay where it may not; fails while the task is between two CPUs.
fn settle(task: &TaskRef) -> bool {
    let mut rq = lock_rq_of(task);
    let from = task.cpu();
    if balance::may_stay(task, from) {
        return true;
    }
    if rq.current.as_ref() == Some(task) {
        smp::send_reschedule(from);
        return true;
    }
    if let Some(task) = rq.queue.remove(task) {
        let to = balance::send_away(&task);
        rq.publish(from);
        local::preempt_disable();
        drop(rq);
        balance::arrive(&task, from, to);
        local::preempt_enable_no_resched();
        return true;
    }
    // Asleep: it will be woken where it may run.
    !task.queued().load(Relaxed)
}
