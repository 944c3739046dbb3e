//! System calls: from a number and six registers to an operation and back.
//!
//! [`table`] says which numbers there are; [`args`] reads what the registers point to; [`errno`]
//! turns the errors of the layers below into Linux's numbers, which appear nowhere else. The other
//! files hold the calls, by subject. A call checks its arguments, calls one operation and returns
//! its result; what it does not support it refuses.

pub mod advice;
pub mod args;
pub mod clock;
mod control;
pub mod credentials;
pub mod epoll;
pub mod errno;
pub mod event;
pub mod exec;
pub mod facts;
pub mod fd;
pub mod file;
pub mod futex;
pub mod identity;
pub mod ioprio;
pub mod kill;
pub mod lock;
pub mod memory;
pub mod message;
pub mod mount;
pub mod names;
pub mod others;
pub mod path;
pub mod pidfd;
pub mod poll;
pub mod prctl;
pub mod process;
pub mod residency;
pub mod restart;
pub mod sched;
pub mod select;
pub mod signal;
pub mod socket;
pub mod sockopt;
pub mod splice;
pub mod stat;
pub mod system;
pub mod table;
pub mod terminal;
pub mod timer;
pub mod times;
pub mod wait;
pub mod xattr;

use abi::{Errno, Sysno};

use crate::arch::trapframe::TrapFrame;
use crate::log::trace::{self, Area};
use crate::mm::counters::SYSCALLS;

/// What a call returns: a number for RAX, or an error.
pub type SysResult = Result<u64, Errno>;

/// A call: finds its arguments in the frame, and leaves its result there; may replace the frame (exec).
pub type Handler = fn(&mut TrapFrame);

/// Serves the system call that made `frame`; interrupts are on.
#[inline(always)]
pub fn dispatch(frame: &mut TrapFrame) {
    SYSCALLS.inc();
    match table::handler(frame.syscall_number()) {
        Some(handler) => handler(frame),
        None => unknown(frame),
    }
    if trace::on(Area::Syscall) {
        note(frame);
    }
}

/// Leaves the call's result in the frame: a part of each handler, so that it passes through registers.
#[inline(always)]
fn serve(frame: &mut TrapFrame, call: impl Fn(&mut TrapFrame) -> SysResult) {
    match call(frame) {
        Ok(value) => frame.set_return(value.cast_signed()),
        Err(errno) => fail(frame, errno),
    }
}

/// Returns an error; whatever interrupted the call, the way out decides what becomes of it.
#[cold]
fn fail(frame: &mut TrapFrame, errno: Errno) {
    frame.set_return(errno.to_result());
    if sigstate::restart::is_restart(frame.rax) {
        crate::task::current().set_signal_pending(true);
    }
}

#[cold]
fn note(frame: &TrapFrame) {
    let (number, value) = (frame.syscall_number(), frame.rax.cast_signed());
    trace::event(format_args!(
        "syscall {} {number} = {value}",
        crate::process::pid_for_log()
    ));
}

/// A number that no call has, or one whose call does not exist here (SY-2).
#[cold]
fn unknown(frame: &mut TrapFrame) {
    let number = frame.syscall_number();
    let name = usize::try_from(number)
        .ok()
        .and_then(Sysno::new)
        .map_or("?", |call| call.name());
    log::debug!(target: "syscall", "pid {}: {name} ({number}) does not exist here", crate::process::pid_for_log());
    fail(frame, Errno::ENOSYS);
}
