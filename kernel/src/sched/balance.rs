//! Which CPU a task runs on: where it wakes up, and what CPUs take from each other.
//!
//! Decided by `runq`, from what each CPU has published; that may be a moment old. Nobody holds two run-queue locks: a task on its
//! way from one CPU to another has left the one queue and is not yet in the other, is neither blocked nor running, and belongs to
//! the CPU it goes to already.

use runq::balance::plan;
use runq::{Frames, Pull, Schedulable, Wakeup};

use super::runqueue::{Rq, RqGuard, load_of, rq_of, view_of};
use crate::arch::timer;
use crate::mm::counters::{BALANCE_PULLS, MIGRATIONS};
use crate::percpu::cpu_id;
use crate::smp;
use crate::task::{Task, TaskRef};

/// What makes the CPUs' virtual times comparable.
static FRAMES: Frames = Frames::new();
/// How many CPUs are asked for a task before the search is given up until the next time.
const ATTEMPTS: usize = 4;

/// Chooses a CPU for a task that was woken.
#[inline]
pub(super) fn place(task: &Task) -> usize {
    let (prev, entity) = (task.cpu(), task.entity());
    let active = smp::active().bits();
    let allowed = match entity.allowed() & active {
        // Those that it may use are not there: any other then.
        0 => active,
        some => some,
    };
    if allowed == 1 << prev {
        return prev;
    }
    let wakeup = Wakeup {
        prev,
        waker: cpu_id(),
        allowed,
        idle: idle(allowed),
        rank: entity.params().rank(),
    };
    runq::place(&wakeup, load_of)
}

/// Returns those of `cpus` that idle.
fn idle(cpus: u64) -> u64 {
    let idles = |cpu: &usize| load_of(*cpu).tasks == 0;
    runq::place::cpus(cpus)
        .filter(idles)
        .fold(0, |idle, cpu| idle | 1 << cpu)
}

/// Returns what to add to a virtual time of CPU `from` to make it one of CPU `to`.
pub(super) fn shift(from: usize, to: usize) -> u64 {
    FRAMES.shift(from, to)
}

/// Returns whether a task that wants to go on may do so on CPU `cpu`, which may be about to go. Where it likes, if the CPUs it
/// may use are not there.
#[inline]
pub(super) fn may_stay(task: &Task, cpu: usize) -> bool {
    let entity = task.entity();
    let active = smp::active();
    active.contains(cpu) && (entity.may_run_on(cpu) || entity.allowed() & active.bits() == 0)
}

/// Says that `task` was queued on CPU `cpu`: it may have to run at once.
#[inline]
pub(super) fn queued(rq: &mut Rq, cpu: usize, task: &Task) {
    let Rq { queue, current, .. } = &mut *rq;
    let running = current.as_ref().filter(|running| !running.is_idle());
    let preempts = running.is_none_or(|running| {
        let now = timer::now_ns();
        queue.preempts(running.entity(), task.entity(), now)
    });
    rq.publish(cpu);
    if preempts {
        smp::send_reschedule(cpu);
    }
}

/// Sends a task away from CPU `from` that may not go on there, and has been switched away from; the caller holds that queue, and
/// lets the task [`arrive`] when it has let go of it.
pub(super) fn send_away(task: &Task) -> usize {
    let to = place(task);
    task.set_cpu(to);
    to
}

/// Takes a task to CPU `to` that has left CPU `from`, and belongs to `to` by now.
pub(super) fn arrive(task: &TaskRef, from: usize, to: usize) {
    MIGRATIONS.inc();
    let (mut rq, to) = enter(task, to);
    rq.queue.receive(task.clone(), shift(from, to));
    queued(&mut rq, to, task);
}

/// Takes the run queue of CPU `to`, where `task` is on its way to; if that has gone meanwhile, another one's, to which the task
/// belongs then. Returns whose.
pub(super) fn enter(task: &Task, mut to: usize) -> (RqGuard, usize) {
    loop {
        let rq = rq_of(to).lock();
        if rq.current.is_some() {
            return (rq, to);
        }
        drop(rq);
        to = place(task);
        task.set_cpu(to);
    }
}

/// Looks for work in the name of a CPU that idles; returns whether there was some.
pub(super) fn pull() -> bool {
    let cpu = cpu_id();
    smp::active().contains(cpu) && pull_some(cpu, others(cpu))
}

/// Looks around in the name of CPU `cpu`, whose tick this is: takes what it ought to have, and gets an idle CPU going
/// if there is too much to do here.
pub(super) fn periodic(mut rq: RqGuard, cpu: usize) {
    let others = others(cpu);
    if others == 0 || rq.running().is_none() {
        return;
    }
    let has_idled = rq.queue.take_idled();
    let wanted = match rq.queue.is_empty() {
        true => 0,
        false => rq.queue.wanted(),
    };
    drop(rq);
    FRAMES.bound(cpu, has_idled, others | 1 << cpu, view_of);
    pull_some(cpu, others);
    let free = idle(others & wanted);
    if free != 0 {
        smp::send_reschedule(free.trailing_zeros() as usize);
    }
}

fn others(cpu: usize) -> u64 {
    smp::online().bits() & !(1 << cpu)
}

fn pull_some(cpu: usize, mut others: u64) -> bool {
    for _ in 0..ATTEMPTS {
        let Some(pull) = plan(&FRAMES, cpu, view_of(cpu), others, view_of) else {
            return false;
        };
        if pull_from(&pull, cpu) {
            return true;
        }
        others &= !(1 << pull.from());
    }
    false
}

fn pull_from(pull: &Pull, to: usize) -> bool {
    let from = pull.from();
    let mut theirs = rq_of(from).lock();
    let Some(task) = theirs.queue.give(pull, to) else {
        return false;
    };
    theirs.publish(from);
    task.set_cpu(to);
    drop(theirs);
    BALANCE_PULLS.inc();
    arrive(&task, from, to);
    true
}
