//! Stopped processes: by a signal's default action, until CONT.
//!
//! Each thread sleeps on its way to user mode, so whatever it was doing in the kernel is done. Only
//! CONT and the end wake it; other signals wait.

use alloc::sync::Arc;

use abi::Signal;
use abi::linux::{CLD_CONTINUED, CLD_STOPPED, SA_NOCLDSTOP};
use abi::siginfo::{ChildNews, SigInfo};
use abi::signal::SIG_IGN;
use sigstate::{SignalState, Stop};

use super::thread::current_thread;
use super::usage::Usage;
use super::{Process, current, signal, tree};
use crate::task;

/// What a parent may hear of a child that lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// A signal stopped it.
    Stopped(Signal),
    /// It goes on.
    Continued,
}

/// Stops the current process until it is continued or has to end.
///
/// A stop from the terminal passes over a group that nobody could continue.
pub fn stop(stop: Stop) {
    let process = current();
    let is_orphaned =
        || tree::family(process.pid()).is_none_or(|family| tree::is_orphaned(family.group));
    if stop.spares_orphans && is_orphaned() {
        process.with_signals(SignalState::resume);
        process.continued.wake_all();
        // There may be an interrupted call to finish.
        task::current().set_signal_pending(true);
    } else {
        park();
    }
}

/// Stops the current thread, since its process stops.
pub fn park() {
    let thread = current_thread();
    let process = thread.process();
    let complete = process.with_signals(|signals| signals.park(thread.slot()));
    if let Some(signal) = complete {
        tell_parent(process, Change::Stopped(signal));
    }
    let continued = process
        .continued
        .wait_until_killable(|| !process.with_signals(|signals| signals.is_parked(thread.slot())));
    if continued.is_ok() && process.with_signals(SignalState::take_resumed) {
        tell_parent(process, Change::Continued);
    }
    // There may be an interrupted call to finish.
    task::current().set_signal_pending(true);
}

/// Continues a group whose last link to a parent is gone, if one of it is stopped: nobody else would.
pub fn release_orphans(group: u32) {
    if !tree::is_orphaned(group) {
        return;
    }
    let members = tree::find_all(|_, family| family.group == group);
    let is_stopped = |member: &Arc<Process>| member.with_signals(|signals| signals.is_stopped());
    if !members.iter().any(is_stopped) {
        return;
    }
    for member in &members {
        for signal in [Signal::HUP, Signal::CONT] {
            // Standard signals find room, or wait already.
            let _ = signal::send(member, SigInfo::kernel(signal));
        }
    }
}

/// Lets the parent know what happened to a process that lives.
pub(super) fn tell_parent(process: &Process, change: Change) {
    let pid = process.pid();
    let Some((parent, maker)) = tree::children::note_change(pid, change) else {
        return;
    };
    let action = parent.with_signals(|signals| signals.action(Signal::CHLD));
    if action.handler != SIG_IGN && action.flags & u64::from(SA_NOCLDSTOP) == 0 {
        // SIGCHLD finds room, or waits already.
        let _ = signal::send_by(&parent, maker, news(process, change));
    }
    parent.child_changed.wake_all();
}

fn news(process: &Process, change: Change) -> SigInfo {
    let (code, status) = change.told();
    let (utime, stime) = Usage::of(process).ticks();
    SigInfo::child(&ChildNews {
        code,
        pid: process.pid(),
        uid: process.uid(),
        status,
        utime,
        stime,
    })
}

impl Change {
    /// Returns the word that `wait4` stores.
    pub fn wait_word(self) -> u32 {
        match self {
            Self::Stopped(signal) => u32::from(signal.number()) << 8 | 0x7f,
            Self::Continued => 0xffff,
        }
    }

    /// Returns `si_code` and `si_status`.
    pub fn told(self) -> (i32, i32) {
        match self {
            Self::Stopped(signal) => (CLD_STOPPED as i32, signal.number().into()),
            Self::Continued => (CLD_CONTINUED as i32, Signal::CONT.number().into()),
        }
    }
}
