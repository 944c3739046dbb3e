//! The scheduler: who runs next, and the context switch.
//!
//! ```text
//! schedule ── run-queue lock ── pick_next (pure: runq) ── MmSwitch::plan (pure: lazytlb)
//!    ── switch_mm or enter_lazy_tlb ── vector registers ── switch stacks ──┐
//!    ┌─ on the next task's stack ──────────────────────────────────────────┘
//!    └─ finish_switch: lock released ── mmdrop of the ended borrow ── dead prev → reaper
//! ```
//!
//! The run-queue lock is taken by the task that leaves and released by the one that comes. What must
//! outlive the switch (the task left, the borrowed mm to drop) waits in the run queue itself, never
//! on a stack, so that nothing is lost when a dead task's stack is never returned to.
//!
//! - [`switching`]: the four rows of the table. [`runqueue`]: the per-CPU state.
//! - [`balance`]: which CPU a task runs on. [`policy`]: what a task asks for, and which CPUs it may use.
//! - [`leave`]: how a CPU goes. [`kthread`]: tasks that lodge: how they are made and started.

pub mod balance;
pub mod kthread;
pub mod leave;
pub mod policy;
pub mod runqueue;
pub mod switching;

use core::sync::atomic::Ordering::Relaxed;

use runq::{Leave, Schedulable};

use crate::arch::{cpu, local, timer};
use crate::locks::assert_may_sleep;
use crate::mm::counters::{CONTEXT_SWITCHES, MIGRATIONS, WAKEUPS_LOCAL, WAKEUPS_REMOTE};
use crate::percpu::cpu_id;
use crate::smp::{self, presence};
use crate::task::{self, BLOCKED, DEAD, PARKED, RUNNABLE, TaskRef, current};
use runqueue::{Rq, lock_rq_of, lock_this_rq, this_rq};

pub use kthread::kthread_run;
pub use runqueue::make_room;
pub use switching::first_switch;

/// Time between two ticks of a CPU that runs a task: 4 ms.
pub const TICK_NS: u64 = 4_000_000;

/// Makes `idle` the running task of the CPU that calls; from here on it has a current task.
pub fn init(idle: TaskRef) {
    idle.set_state(RUNNABLE);
    idle.set_cpu(cpu_id());
    task::current::set_current(&idle);
    let mut rq = this_rq().lock();
    rq.current = Some(idle.clone());
    rq.idle = Some(idle);
    drop(rq);
    // Without memory for it, queueing asks the heap, as long as this CPU lacks room.
    let _ = runqueue::make_room_in(cpu_id(), 0);
}

/// Lets a new task run for the first time.
pub fn start(task: &TaskRef) {
    wake(task);
}

/// Makes a blocked task runnable, on a CPU that has time for it; does nothing to one that is not blocked.
pub fn wake(task: &TaskRef) {
    wake_from(BLOCKED, task);
}

/// Makes a kernel thread runnable that is parked or was never started (KT-3).
pub(crate) fn wake_parked(task: &TaskRef) {
    wake_from(PARKED, task);
}

fn wake_from(state: u8, task: &TaskRef) {
    let mut rq = lock_rq_of(task);
    if task.state() != state {
        return;
    }
    task.set_state(RUNNABLE);
    // A task woken on its way to sleep is still running and queues itself in `schedule`.
    if task.queued().swap(true, Relaxed) {
        return;
    }
    let (home, mut cpu) = (task.cpu(), balance::place(task));
    let mut shift = None;
    if cpu != home {
        // Nobody else touches it meanwhile: it is neither blocked nor in a queue. Who waits for its arrival does not
        // wait for another turn of this task.
        task.set_cpu(cpu);
        local::preempt_disable();
        drop(rq);
        MIGRATIONS.inc();
        (rq, cpu) = balance::enter(task, cpu);
        local::preempt_enable_no_resched();
        shift = Some(balance::shift(home, cpu));
    }
    match cpu == cpu_id() {
        true => &WAKEUPS_LOCAL,
        false => &WAKEUPS_REMOTE,
    }
    .inc();
    rq.queue.wake(task.clone(), shift);
    balance::queued(&mut rq, cpu, task);
}

/// Marks the current task as blocked; a wake from now on makes [`schedule`] return at once.
pub fn prepare_to_sleep() {
    current().will_sleep(BLOCKED);
}

/// Marks the current kernel thread as parked: only [`wake_parked`] makes it run again.
pub(crate) fn prepare_to_park() {
    current().will_sleep(PARKED);
}

/// Waits until a task that sleeps is off its CPU: one that is marked may still be on its way.
pub(crate) fn wait_off_cpu(task: &TaskRef) {
    // Whoever switches holds the lock until the next task's stack is in use.
    while lock_rq_of(task).current.as_ref() == Some(task) {
        yield_now();
    }
}

/// Takes [`prepare_to_sleep`] back, or [`prepare_to_park`].
pub fn cancel_sleep() {
    let _rq = lock_this_rq();
    current().set_state(RUNNABLE);
}

/// Gives the CPU to the next task; returns when this one's turn comes again.
///
/// A runnable task goes on if it is still its turn; a blocked or dead one does not.
pub fn schedule() {
    assert_may_sleep();
    switch_away(Why::OwnWill);
}

/// Preempts the current task between two instructions of kernel or user code; interrupts are off.
///
/// The task queues up even if it is marked as blocked: it was on its way to sleep, perhaps not yet
/// where a waker would find it, and must get there.
pub fn preempt() {
    switch_away(Why::Preempted);
}

/// Why a task leaves the CPU.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It called [`schedule`], or ends.
    OwnWill,
    /// It lets others go first.
    Yielded,
    /// An interrupt took the CPU away.
    Preempted,
}

/// Lets other tasks run first.
pub fn yield_now() {
    assert_may_sleep();
    switch_away(Why::Yielded);
}

fn switch_away(why: Why) {
    let mut rq = lock_this_rq();
    local::clear_need_resched();
    let (cpu, now) = (cpu_id(), timer::now_ns());
    let next = pick_next(&mut rq, why, cpu, now);
    rq.publish(cpu);
    let Some(next) = next else { return };
    if current().is_idle() {
        timer::arm_by(now + TICK_NS); // An idle CPU has no tick.
    }
    let sleeps = why == Why::OwnWill && !current().is_runnable();
    current().end_turn(now, sleeps);
    next.begin_turn(now);
    CONTEXT_SWITCHES.inc();
    switching::context_switch(rq, next);
}

/// Chooses who runs now; `None` for the task that does already.
fn pick_next(rq: &mut Rq, why: Why, cpu: usize, now: u64) -> Option<TaskRef> {
    let Rq { queue, current, .. } = rq;
    let prev = current.as_ref().expect("some task is running");
    let goes_on = match prev.state() {
        _ if prev.is_idle() => false,
        RUNNABLE => true,
        BLOCKED | PARKED => why == Why::Preempted,
        _ => false,
    };
    if !prev.is_idle() {
        queue.charge(prev.entity(), now);
    }
    prev.queued().store(goes_on, Relaxed);
    if goes_on && !balance::may_stay(prev, cpu) {
        rq.leaves = true;
    } else if goes_on && queue.is_empty() {
        return None;
    } else if goes_on {
        let leave = match why {
            Why::Yielded => Leave::Yielded,
            _ => Leave::Preempted,
        };
        queue.put_back(prev.clone(), leave);
    } else if prev.is_idle() && queue.is_empty() {
        return None;
    }
    let next = queue.pick(now);
    queue.begin(next.as_deref().map(Schedulable::entity), now);
    let next = next.unwrap_or_else(|| rq.idle.clone().expect("each CPU has an idle task"));
    (current.as_ref() != Some(&next)).then_some(next)
}

/// Tells the scheduler that a timer interrupt came: a task whose turn is over is preempted soon.
pub fn tick(now: u64) {
    let mut rq = this_rq().lock();
    let cpu = cpu_id();
    let Rq { queue, current, .. } = &mut *rq;
    let running = current.as_ref().filter(|running| !running.is_idle());
    if queue.tick(running.map(|running| running.entity()), now) {
        local::set_need_resched();
    }
    rq.publish(cpu);
    if rq.rhythm.is_due() {
        balance::periodic(rq, cpu);
    }
}

/// Returns whether somebody waits for the CPU besides the task that runs.
pub fn others_wait() -> bool {
    !this_rq().lock().queue.is_empty()
}

/// Makes `task` look for signals at its next chance, and wakes it for that.
pub fn post_signal(task: &TaskRef) {
    task.set_signal_pending(true);
    wake_or_kick(task);
}

/// Posts a signal that ends `task` at its next chance, and wakes it for that.
pub fn post_kill(task: &TaskRef, signal: u8) {
    task.mark_fatal(signal);
    wake_or_kick(task);
}

/// Wakes `task`; if it runs on another CPU, makes it enter the kernel there, which it leaves looking for signals.
fn wake_or_kick(task: &TaskRef) {
    wake(task);
    let rq = lock_rq_of(task);
    let cpu = task.cpu();
    if cpu != cpu_id() && rq.current.as_ref() == Some(task) {
        smp::send_reschedule(cpu);
    }
}

/// Ends the current task: the last schedule. Its own mm is gone already (KT-4).
pub fn exit_task() -> ! {
    {
        let task = current();
        assert!(!task.has_mm(), "a task gives its mm up before it ends");
        task.set_state(DEAD);
    }
    switch_away(Why::OwnWill);
    unreachable!("a dead task is never switched to")
}

/// The idle task's body: sleeps until an interrupt makes somebody runnable (KT-5).
pub fn idle_loop() -> ! {
    loop {
        cpu::irq_disable();
        if local::need_resched() || others_wait() || balance::pull() {
            cpu::irq_enable();
            schedule();
        } else if presence::is_asked() {
            leave::leave();
        } else {
            task::give_left_back();
            cpu::idle_wait();
        }
    }
}
