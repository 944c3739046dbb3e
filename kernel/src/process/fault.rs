//! Faults that end the program that made them.

use abi::signal::{SIG_DFL, SIG_IGN};

use super::current;
use crate::arch::trapframe::TrapFrame;
use crate::{sched, task};

/// The signal that a fault stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signal {
    /// Its number.
    pub signo: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_addr`.
    pub addr: u64,
}

/// Reports a fault in a program and marks the process to end on its way back to user mode.
///
/// Such a signal cannot be blocked or ignored (PF-12). Handlers do not run yet.
pub fn kill_by_fault(frame: &TrapFrame, signal: Signal, what: &str) {
    let (process, task) = (current(), task::current_ref());
    let TrapFrame {
        rip, rsp, error, ..
    } = frame;
    let (name, pid) = (task.name(), process.pid());
    // The address of a #GP is not known; Linux's line leaves it out as well (PF-13).
    match signal.addr {
        0 if what.starts_with("general") || what.starts_with("trap") => {
            log::info!(target: "process", "{name}[{pid}]: {what} ip {rip:x} sp {rsp:x} error {error:x}");
        }
        addr => {
            log::info!(target: "process", "{name}[{pid}]: {what} at {addr:x} ip {rip:x} sp {rsp:x} error {error:x}")
        }
    }
    if has_handler(signal.signo) {
        log::warn!(target: "process", "{name}[{pid}]: its handler for signal {} is not run: this kernel cannot yet", signal.signo);
    }
    sched::post_kill(&task, signal.signo as u8);
}

fn has_handler(signo: i32) -> bool {
    let signal = u64::try_from(signo).ok().and_then(abi::Signal::new);
    signal.is_some_and(|signal| {
        let handler = current().with_signals(|signals| signals.action(signal).handler);
        handler != SIG_DFL && handler != SIG_IGN
    })
}
