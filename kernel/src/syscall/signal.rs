//! Signals: dispositions, masks, the alternate stack, and sending.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::linux::{
    MINSIGSTKSZ, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK,
};
use abi::signal::{SigAction, SigAltStack};
use abi::{Errno, SigSet, Signal};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::process::signal::{self, MaskChange, SendError};
use crate::process::{self, Process, tree};

/// Size of a signal set, which calls state so that it may grow one day.
const SET_SIZE: u64 = size_of::<SigSet>() as u64;

/// `rt_sigaction(signal, new, old, size of a set)`.
pub fn rt_sigaction(frame: &mut TrapFrame) -> SysResult {
    let [number, new, old, size, ..] = frame.args();
    let signal = Signal::new(number)
        .filter(|_| size == SET_SIZE)
        .ok_or(Errno::EINVAL)?;
    let new = args::read_optional::<SigAction>(new)?;
    if new.is_some() && signal.is_unmaskable() {
        return Err(Errno::EINVAL);
    }
    let process = process::current();
    let before = process.with_signals(|signals| signals.action(signal));
    if let Some(new) = new {
        process.with_signals(|signals| signals.set_action(signal, new));
    }
    args::write_optional(old, &before)?;
    Ok(0)
}

/// `rt_sigprocmask(how, new, old, size of a set)`.
pub fn rt_sigprocmask(frame: &mut TrapFrame) -> SysResult {
    let [how, new, old, size, ..] = frame.args();
    if size != SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let process = process::current();
    let before = process.with_signals(|signals| signals.blocked());
    if let Some(set) = args::read_optional::<SigSet>(new)? {
        let change = mask_change(how)?;
        process.with_signals(|signals| signals.change_mask(change, set));
        signal::deliver_unblocked();
    }
    args::write_optional(old, &before)?;
    Ok(0)
}

/// `rt_sigpending(set, size of a set)`.
pub fn rt_sigpending(frame: &mut TrapFrame) -> SysResult {
    let [set, size, ..] = frame.args();
    if size > SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let waiting = process::current()
        .with_signals(|signals| signals.pending().bits() & signals.blocked().bits());
    crate::mm::uaccess::copy_to_user(set, &waiting.to_le_bytes()[..size as usize])?;
    Ok(0)
}

/// `sigaltstack(new, old)`.
pub fn sigaltstack(frame: &mut TrapFrame) -> SysResult {
    let [new, old, ..] = frame.args();
    let process = process::current();
    let before = process.with_signals(|signals| signals.alt_stack);
    if let Some(new) = args::read_optional::<SigAltStack>(new)? {
        let new = checked_stack(new)?;
        process.with_signals(|signals| signals.alt_stack = new);
    }
    args::write_optional(old, &before)?;
    Ok(0)
}

/// `kill(pid, signal)`.
pub fn kill(frame: &mut TrapFrame) -> SysResult {
    let [pid, number, ..] = frame.args();
    let signal = signal_or_none(number)?;
    let pid = pid as i32;
    if pid > 0 {
        signal::send_to(pid as u32, signal)?;
        return Ok(0);
    }
    let own = process::current().pid();
    let group = match pid {
        0 => tree::family(own).map(|family| family.group),
        i32::MIN => return Err(Errno::ESRCH),
        _ => Some(pid.unsigned_abs()),
    };
    send_to_all(
        match pid {
            -1 => tree::find_all(|pid, _| pid != tree::INIT && pid != own),
            _ => tree::find_all(|_, family| Some(family.group) == group),
        },
        signal,
    )
}

/// `tkill(tid, signal)`.
pub fn tkill(frame: &mut TrapFrame) -> SysResult {
    let [tid, number, ..] = frame.args();
    send_to_thread(tid, number)
}

/// `tgkill(pid, tid, signal)`.
pub fn tgkill(frame: &mut TrapFrame) -> SysResult {
    let [pid, tid, number, ..] = frame.args();
    if pid as i32 <= 0 {
        return Err(Errno::EINVAL);
    }
    // A process has one thread, which has the process's number.
    if pid as i32 != tid as i32 && tid as i32 > 0 {
        return Err(Errno::ESRCH);
    }
    send_to_thread(tid, number)
}

fn send_to_thread(tid: u64, number: u64) -> SysResult {
    let tid = u32::try_from(tid as i32)
        .ok()
        .filter(|tid| *tid > 0)
        .ok_or(Errno::EINVAL)?;
    signal::send_to(tid, signal_or_none(number)?)?;
    Ok(0)
}

fn send_to_all(processes: Vec<Arc<Process>>, signal: Option<Signal>) -> SysResult {
    if processes.is_empty() {
        return Err(Errno::ESRCH);
    }
    let mut outcome: Result<(), SendError> = Ok(());
    for process in processes {
        if let Some(signal) = signal {
            outcome = outcome.and(signal::send(&process, signal));
        }
    }
    outcome?;
    Ok(0)
}

/// Signal 0 only asks whether somebody is there.
fn signal_or_none(number: u64) -> Result<Option<Signal>, Errno> {
    match number as i32 {
        0 => Ok(None),
        number => u64::try_from(number)
            .ok()
            .and_then(Signal::new)
            .map(Some)
            .ok_or(Errno::EINVAL),
    }
}

fn mask_change(how: u64) -> Result<MaskChange, Errno> {
    match how as u32 {
        SIG_BLOCK => Ok(MaskChange::Block),
        SIG_UNBLOCK => Ok(MaskChange::Unblock),
        SIG_SETMASK => Ok(MaskChange::Set),
        _ => Err(Errno::EINVAL),
    }
}

fn checked_stack(new: SigAltStack) -> Result<SigAltStack, Errno> {
    match new.flags & !SS_AUTODISARM {
        SS_DISABLE => Ok(SigAltStack::DISABLED),
        0 | SS_ONSTACK if new.size < u64::from(MINSIGSTKSZ) => Err(Errno::ENOMEM),
        0 | SS_ONSTACK => Ok(SigAltStack {
            flags: new.flags & SS_AUTODISARM,
            ..new
        }),
        _ => Err(Errno::EINVAL),
    }
}
