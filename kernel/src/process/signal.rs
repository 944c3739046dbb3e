//! Signals between processes: sending, and looking at one's own.
//!
//! What a process does about them is decided in `sigstate`; here that is carried out: its task is told
//! to look, or to end. The looking is in [`deliver`](super::deliver).

use alloc::sync::Arc;
use core::ptr;

use abi::linux::SA_NOCLDWAIT;
use abi::siginfo::{SI_USER, SigInfo};
use abi::signal::SIG_IGN;
use abi::{SigSet, Signal};
use sigstate::{Effect, Full, MaskChange, SignalState, Target};

use super::{Process, current, tree};
use crate::{sched, task};

/// Why a signal was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// There is no such process.
    NoProcess,
    /// Too many wait already.
    Full,
}

impl From<Full> for SendError {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

/// Sends a signal, to the process as a whole or to its thread. May be called in an interrupt.
pub fn send(process: &Process, info: SigInfo, to: Target) -> Result<(), SendError> {
    let Some(signal) = info.signal() else {
        return Ok(());
    };
    let effect = process.with_signals(|signals| signals.send(info, signal, to))?;
    if effect == Effect::Notify && is_running(process) {
        task::current().set_signal_pending(true);
        return Ok(());
    }
    let Some(task) = process.task() else {
        return Ok(());
    };
    match effect {
        Effect::None => {}
        Effect::Notify => sched::post_signal(&task),
        Effect::Kill => {
            log::debug!(target: "process", "{}[{}]: ended by {signal}", task.name(), process.pid());
            sched::post_kill(&task, signal.number());
        }
    }
    if signal == Signal::CONT {
        process.continued.wake_all();
    }
    Ok(())
}

/// Whether the process runs here and need not be woken. One that an interrupt came in the way of may have been about to
/// sleep, after it looked for signals.
fn is_running(process: &Process) -> bool {
    is_current(process) && task::current().is_runnable()
}

/// Whether the process is the one that calls, or that an interrupt came in the way of.
fn is_current(process: &Process) -> bool {
    let task = task::current();
    let owner = task.owner();
    owner.is_some_and(|owner| ptr::addr_eq(Arc::as_ptr(owner), process))
}

/// Finds the process with this number, ended or not.
pub fn target(pid: u32) -> Result<Arc<Process>, SendError> {
    tree::find(pid).ok_or(SendError::NoProcess)
}

/// Lets the current process feel a signal that its own call caused, such as SIGPIPE.
pub fn raise(signal: Signal) {
    let process = current();
    let info = SigInfo::from_process(signal, SI_USER, process.pid());
    // Only real-time signals can find the queue full.
    let _ = send(&process, info, Target::Thread);
}

/// Works on the current process's signal state, after which its task knows whether there is something to do.
pub fn with_own<R>(work: impl FnOnce(&mut SignalState) -> R) -> R {
    with_current(&current(), work)
}

/// The same for who has looked up the current process already.
pub fn with_current<R>(process: &Process, work: impl FnOnce(&mut SignalState) -> R) -> R {
    debug_assert!(is_current(process), "the mark is its own task's");
    process.with_signals(|signals| {
        let result = work(signals);
        task::current().set_signal_pending(signals.has_work());
        result
    })
}

/// Changes what the current process blocks and returns what it did before.
pub fn change_mask(change: MaskChange, set: SigSet) -> SigSet {
    with_own(|signals| {
        let before = signals.blocked();
        signals.change_mask(change, set);
        before
    })
}

/// Returns whether a parent has said that it will not wait for its children.
pub fn disowns_children(process: &Process) -> bool {
    let action = process.with_signals(|signals| signals.action(Signal::CHLD));
    action.handler == SIG_IGN || action.flags & u64::from(SA_NOCLDWAIT) != 0
}

/// Returns the signal that is to end the current process, if one was posted.
pub fn fatal() -> Option<Signal> {
    task::current()
        .fatal_signal()
        .and_then(|number| Signal::new(number.into()))
}
