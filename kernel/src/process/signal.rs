//! Signals between processes: sending, and looking at one's own.
//!
//! What a process does about them is decided in `sigstate`; here that is carried out: a thread's task is told
//! to look, or all are told to end. The looking is in [`deliver`](super::deliver).

use alloc::sync::Arc;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

use abi::linux::SA_NOCLDWAIT;
use abi::siginfo::{SI_USER, SigInfo};
use abi::signal::SIG_IGN;
use abi::{SigSet, Signal};
use sigstate::{Effect, Full, MaskChange, Signals, Target};

use super::group::Group;
use super::thread::{Thread, current_thread};
use super::tree::Family;
use super::{ExitStatus, Process, creds, tree};
use crate::fs::file::Readiness;
use crate::task;

/// Why a signal was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// There is no such process.
    NoProcess,
    /// Too many wait already.
    Full,
    /// It is another user's.
    NotAllowed,
}

impl From<Full> for SendError {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

/// Sends a signal to a process, for any of its threads. May be called in an interrupt.
pub fn send(process: &Process, info: SigInfo) -> Result<(), SendError> {
    send_under(process, info, |_| Some(Target::Process), |_| ())?;
    Ok(())
}

/// Sends a signal to a process, for any of its threads: the one with number `tid` is asked first, if there is such a thread. May be
/// called in an interrupt.
pub fn send_by(process: &Process, tid: u32, info: SigInfo) -> Result<(), SendError> {
    send_under(process, info, |group| Some(by(group, tid)), |_| ())?;
    Ok(())
}

fn by(group: &Group, tid: u32) -> Target {
    let found = group.find(tid);
    found.map_or(Target::Process, |(slot, _)| Target::ProcessBy(slot))
}

/// Sends a signal to one thread of a process. May be called in an interrupt.
pub fn send_to_thread(process: &Process, tid: u32, info: SigInfo) -> Result<(), SendError> {
    let find = |group: &Group| group.find(tid).map(|(slot, _)| Target::Thread(slot));
    send_under(process, info, find, |_| ())?;
    Ok(())
}

/// Sends the signal of a timer's ring, to one thread or to the process; returns whether it was passed over, as
/// that signal is ignored. May be called in an interrupt.
pub(super) fn send_ring(process: &Process, tid: Option<u32>, info: SigInfo, timer: i32) -> bool {
    let find = |group: &Group| match tid {
        // The thread that runs just now is asked first, if it is one of the process's.
        None => Some(by(group, process.own_tid())),
        Some(tid) => group.find(tid).map(|(slot, _)| Target::Thread(slot)),
    };
    let passed = |group: &Group| {
        let signal = info.signal();
        signal.is_some_and(|signal| group.signals.passes_over_ring(signal, timer))
    };
    // Where there is no room nobody hears of it, and the timer stays as it rang.
    matches!(send_under(process, info, find, passed), Ok(Some(true)))
}

/// Returns whether a process has a thread with this number. The first one counts even when it has ended.
pub fn has_thread(process: &Process, tid: u32) -> bool {
    tid == process.pid() || process.group.lock().find(tid).is_some()
}

/// Sends a signal to what `find` finds, and lets `after` look at what became of it; who has ended feels nothing.
fn send_under<R>(
    process: &Process,
    info: SigInfo,
    find: impl FnOnce(&Group) -> Option<Target>,
    after: impl FnOnce(&Group) -> R,
) -> Result<Option<R>, SendError> {
    let Some(signal) = info.signal() else {
        return Ok(None);
    };
    let mut group = process.group.lock();
    if group.live() == 0 {
        return Ok(None);
    }
    let Some(to) = find(&group) else {
        return Ok(None);
    };
    let effect = group.signals.send(info, signal, to)?;
    let looked = after(&group);
    match effect {
        Effect::None => {}
        Effect::Notify(slot) => group.notify(slot),
        Effect::Kill => {
            log::debug!(target: "process", "pid {}: ended by {signal}", process.pid());
            group.end(ExitStatus::Signaled(signal), None);
        }
    }
    drop(group);
    process.signal_pollers.notify(Readiness::READABLE);
    if signal == Signal::CONT {
        process.continued.wake_all();
    }
    Ok(Some(looked))
}

/// Finds the process with this number, or of the thread with this number, ended or not.
pub fn target(pid: u32) -> Result<Arc<Process>, SendError> {
    tree::find_by_tid(pid).ok_or(SendError::NoProcess)
}

/// Decides whether the current thread may send `signal` (`None` only asks) to a process: to its own always, to others of the same
/// user, and CONT within the session.
pub fn check_permission(process: &Process, signal: Option<Signal>) -> Result<(), SendError> {
    let session = |pid| tree::family(pid).map(|family| family.session);
    check_by(process, signal, || {
        session(current_thread().process().pid()) == session(process.pid())
    })
}

fn check_by(
    process: &Process,
    signal: Option<Signal>,
    is_same_session: impl FnOnce() -> bool,
) -> Result<(), SendError> {
    let thread = current_thread();
    let may = ptr::eq(thread.process(), process)
        || cred::program::may_signal(&thread.cred(), &process.cred())
        || signal == Some(Signal::CONT) && is_same_session();
    match may {
        true => Ok(()),
        false => Err(SendError::NotAllowed),
    }
}

/// Sends a signal (`None` only asks) to every process that `wanted` accepts, as the current thread may, and tells `note` what
/// came of each.
///
/// All are sent it at one instant. A child of one of them that is being made then is not born, and the fork made anew when the
/// signal was looked at: who ends all of a family ends those too.
pub fn send_to_all(
    wanted: impl Fn(u32, &Family) -> bool,
    signal: Option<Signal>,
    mut note: impl FnMut(Result<(), SendError>),
) {
    let own = tree::family(current_thread().process().pid());
    let info = signal.map(|signal| SigInfo::from_user(signal, SI_USER, creds::sender()));
    tree::for_members(wanted, |process, family| {
        let is_same = || own.is_some_and(|own| own.session == family.session);
        let checked = check_by(process, signal, is_same);
        note(checked.and_then(|()| info.map_or(Ok(()), |info| process.send_with_others(info))));
    });
}

/// Sends the kernel's signal to a process group, at one instant.
pub fn send_to_group(group: u32, signal: Signal) {
    tree::for_members(
        |_, family| family.group == group,
        |process, _| {
            // Standard signals find room, or wait already.
            let _ = process.send_with_others(SigInfo::kernel(signal));
        },
    );
}

impl Process {
    /// Sends a signal that others are sent too; the tree is locked.
    fn send_with_others(&self, info: SigInfo) -> Result<(), SendError> {
        self.spread.fetch_add(1, Relaxed);
        send(self, info)
    }

    /// Returns how many signals it was sent together with others.
    pub(super) fn spread_signals(&self) -> u32 {
        self.spread.load(Relaxed)
    }
}

/// Lets the current thread feel a signal that its own call caused, such as SIGPIPE.
pub fn raise(signal: Signal) {
    let thread = current_thread();
    let info = SigInfo::from_user(signal, SI_USER, creds::sender());
    // Only real-time signals can find the queue full.
    let _ = send_under(
        &thread.process,
        info,
        |_| Some(Target::Thread(thread.slot())),
        |_| (),
    );
}

/// Works on the signals as the current thread has them, after which its task knows whether there is something to do.
pub fn with_own<R>(work: impl FnOnce(&mut Signals<'_>) -> R) -> R {
    with_current(&current_thread(), work)
}

/// The same for who has looked up the current thread already.
pub fn with_current<R>(thread: &Thread, work: impl FnOnce(&mut Signals<'_>) -> R) -> R {
    debug_assert!(
        ptr::eq(&*current_thread(), thread),
        "the mark is its own task's"
    );
    let slot = thread.slot();
    let mut group = thread.process.group.lock();
    let mut signals = group.signals_of(slot);
    let result = work(&mut signals);
    task::current().set_signal_pending(signals.has_work());
    group.notify_others(slot);
    result
}

/// Changes what the current thread blocks and returns what it did before.
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

/// Returns whether a parent ignores that its children end.
pub fn ignores_children(process: &Process) -> bool {
    let action = process.with_signals(|signals| signals.action(Signal::CHLD));
    action.handler == SIG_IGN
}

/// Returns the signal that is to end the current thread, if one was posted.
pub fn fatal() -> Option<Signal> {
    task::current()
        .fatal_signal()
        .and_then(|number| Signal::new(number.into()))
}
