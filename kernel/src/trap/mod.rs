//! What to do about exceptions and interrupts, and on the way back to user mode.
//!
//! - [`page_fault`]: the path this kernel is about. [`exception`]: all other faults.
//! - [`lockup`]: CPUs that do not schedule. [`hard_lockup`]: CPUs that take no interrupts.
//! - [`interrupt`]: timer and other CPUs; [`serial`]: the serial port. [`report`]: what an oops and a panic print.

pub mod exception;
pub mod hard_lockup;
pub mod interrupt;
pub mod lockup;
pub mod page_fault;
pub mod report;
pub mod serial;

use crate::arch::trapframe::TrapFrame;
use crate::arch::{cpu, idt, local};
use crate::{process, sched, task};

/// Handles whatever came through the IDT; entered with interrupts off, returns likewise.
///
/// `cr2` was read before anything else could fault (PF-1).
pub fn dispatch(frame: &mut TrapFrame, cr2: u64) {
    match frame.vector {
        idt::PAGE_FAULT => page_fault::handle(frame, cr2),
        vector if vector < 32 => exception::handle(frame, cr2),
        _ => interrupt::handle(frame),
    }
    cpu::irq_disable();
    if !frame.from_user() {
        preempt_kernel(frame);
    }
}

/// Preempts kernel code that was interrupted where it could have been: interrupts on, no lock held.
fn preempt_kernel(frame: &TrapFrame) {
    if local::need_resched()
        && frame.interrupts_on()
        && local::preempt_count() == 0
        && task::current::exists()
    {
        sched::preempt();
    }
}

/// The last work before user mode, repeated until there is none; interrupts are off (SY-6).
#[inline(always)]
pub fn exit_to_user(frame: &mut TrapFrame) {
    while local::need_resched() || task::current().has_signal_work() {
        exit_work(frame);
    }
}

/// A piece of it, apart: most calls leave without any.
#[cold]
#[inline(never)]
fn exit_work(frame: &mut TrapFrame) {
    let is_to_switch = local::need_resched();
    cpu::irq_enable();
    if is_to_switch {
        sched::schedule();
    } else {
        process::handle_pending(frame);
    }
    cpu::irq_disable();
}
