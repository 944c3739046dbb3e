//! The context switch: the four rows of Linux 6.3's table, applied (LZ-1 … LZ-9).
//!
//! | prev → next | CR3 | reference |
//! |---|---|---|
//! | kernel → kernel | lazy | moves from prev to next |
//! | user → kernel | lazy | next grabs prev's mm |
//! | kernel → user | switch | prev's borrow ends; dropped on next's stack |
//! | user → user | switch | – |
//!
//! Island: adopts the run-queue lock that the task before handed over, and calls the stack switch.
#![expect(unsafe_code, reason = "hands the run-queue lock over a stack switch")]

use lazytlb::MmSwitch;

use super::balance;
use super::runqueue::{Rq, RqGuard, this_rq};
use crate::arch::{cpu, local};
use crate::log::trace::{self, Area};
use crate::mm::counters::{LAZY_DROP, LAZY_TRANSFER, SWITCH_KK, SWITCH_KU, SWITCH_UK, SWITCH_UU};
use crate::mm::{Borrow, MmRef, switch};
use crate::task::{self, DEAD, Task, TaskMm, TaskRef, context, reaper};

/// Switches from the running task to `next`; returns on the running task's own next turn.
pub(super) fn context_switch(mut rq: RqGuard, next: TaskRef) {
    let prev = rq.current.take().expect("some task is running");
    switch_mm_of(&mut rq, &prev, &next);
    switch_registers(&prev, &next);
    task::current::set_current(&next);
    let (from, to) = (
        core::ptr::from_ref(prev.context()),
        core::ptr::from_ref(next.context()),
    );
    // From here on only the run queue holds the two references: nothing of them is on this stack.
    rq.prev = Some(prev);
    rq.current = Some(next);
    let irq = rq.hand_over();
    // SAFETY: (1) interrupts are off and the lock is taken, both since `rq` was locked; (2) the run
    // queue holds references to both tasks until `finish_switch`.
    unsafe { context::switch(from, to) };
    finish(irq);
}

/// The tail of a switch, for a task that has been here before.
fn finish(irq: cpu::IrqState) {
    // SAFETY: the task switched away from handed the lock over, on this CPU, with interrupts off.
    let mut rq = unsafe { this_rq().adopt(irq) };
    let prev = rq.prev.take();
    let borrowed = rq.lazy_drop.take();
    if core::mem::take(&mut rq.leaves)
        && let Some(prev) = &prev
    {
        let (from, to) = (prev.cpu(), balance::send_away(prev));
        local::preempt_disable(); // Nobody is to wait for its arrival until this task's next turn.
        drop(rq);
        balance::arrive(prev, from, to);
        local::preempt_enable_no_resched();
    } else {
        drop(rq);
    }
    finish_switch(prev, borrowed);
}

/// What is left to do after a switch, on the next task's stack and outside the lock (LZ-3, LZ-5).
pub fn finish_switch(prev: Option<TaskRef>, borrowed: Option<MmRef>) {
    if borrowed.is_some() {
        LAZY_DROP.inc();
        drop(borrowed);
    }
    if let Some(prev) = prev
        && prev.state() == DEAD
    {
        reaper::hand_over(prev);
    }
}

/// The tail of the first switch to a new task (LZ-4); interrupts stay off until it says otherwise.
pub fn first_switch() {
    finish(cpu::irq_save());
}

/// Applies the row of the table that fits.
fn switch_mm_of(rq: &mut Rq, prev: &Task, next: &Task) {
    let mut from = prev.mm_slot().lock();
    let mut to = next.mm_slot().lock_nested(&from);
    let plan = MmSwitch::plan(
        matches!(*from, TaskMm::User(_)),
        matches!(*to, TaskMm::User(_)),
    );
    if trace::on(Area::Switch) {
        trace::event(format_args!(
            "switch {} -> {} {plan:?}",
            prev.tid(),
            next.tid()
        ));
    }
    match plan {
        MmSwitch::KernelToKernel => {
            SWITCH_KK.inc();
            LAZY_TRANSFER.inc();
            switch::enter_lazy_tlb();
            *to = core::mem::replace(&mut *from, TaskMm::Off);
        }
        MmSwitch::UserToKernel => {
            SWITCH_UK.inc();
            switch::enter_lazy_tlb();
            *to = TaskMm::Lazy(borrow(&from));
        }
        MmSwitch::KernelToUser => {
            SWITCH_KU.inc();
            load_own(&to);
            if let TaskMm::Lazy(borrowed) = core::mem::replace(&mut *from, TaskMm::Off) {
                rq.lazy_drop = borrowed.end();
            }
        }
        MmSwitch::UserToUser => {
            SWITCH_UU.inc();
            load_own(&to);
        }
    }
}

fn borrow(from: &TaskMm) -> Borrow {
    match from {
        TaskMm::User(mm) => Borrow::of(mm),
        _ => unreachable!("the plan says that prev has an mm of its own"),
    }
}

fn load_own(to: &TaskMm) {
    match to {
        TaskMm::User(mm) => switch::switch_mm(mm),
        _ => unreachable!("the plan says that next has an mm of its own"),
    }
}

/// Vector registers and segment bases belong to user tasks only; the kernel uses neither.
fn switch_registers(prev: &Task, next: &Task) {
    if let Some(fpu) = prev.fpu() {
        fpu.lock().save();
    }
    if let Some(fpu) = next.fpu() {
        fpu.lock().restore();
        cpu::set_fs_base(next.fs_base());
        cpu::set_user_gs_base(next.gs_base());
    }
}
