//! The Rust the entry code calls; the only file under `arch` that names the layers above.
//!
//! Each function says in which state it is entered and must return.

use super::trapframe::TrapFrame;
use super::{cpu, local};

/// An interrupt or exception: entered with interrupts off, on the task's stack.
///
/// Coming from user mode it returns with interrupts off and nothing left to do, for the entry code
/// leaves at once (SY-6).
pub(super) extern "C" fn trap(frame: &mut TrapFrame, cr2: u64) {
    crate::trap::dispatch(frame, cr2);
    if frame.from_user() {
        depart(frame);
    }
}

/// NMI, #MC, #DF, or a #DB of the kernel's: on an IST stack, which the next such event overwrites, so
/// the preemption count keeps the handler from being switched away.
pub(super) extern "C" fn paranoid(frame: &mut TrapFrame, cr2: u64) {
    local::preempt_disable();
    crate::trap::dispatch(frame, cr2);
    local::preempt_enable_no_resched();
}

/// A system call: entered with interrupts off; returns likewise, and whether SYSRET may be used.
pub(super) extern "C" fn syscall(frame: &mut TrapFrame) -> bool {
    cpu::irq_enable();
    crate::syscall::dispatch(frame);
    depart(frame);
    frame.allows_sysret()
}

/// A new task's first step, on its own stack: what the switching task left to its successor (LZ-4).
pub(super) extern "C" fn first_switch() {
    crate::sched::first_switch();
}

/// The last step before user mode.
pub(super) extern "C" fn leave(frame: &mut TrapFrame) {
    depart(frame);
}

/// The same as a part of each way in: no call of its own.
#[inline(always)]
fn depart(frame: &mut TrapFrame) {
    cpu::irq_disable();
    crate::trap::exit_to_user(frame);
}
