//! Sending signals.

use alloc::sync::Arc;

use abi::siginfo::{SI_ASYNCNL, SI_DETHREAD, SI_TKILL, SI_USER, SigInfo, UserSigInfo};
use abi::{Errno, Signal};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::process::signal::{self, SendError};
use crate::process::tree::Family;
use crate::process::{self, Process, creds, kernel_thread, tree};

/// `kill(pid, signal)`.
pub fn kill(frame: &mut TrapFrame) -> SysResult {
    let [pid, number, ..] = frame.args();
    let signal = signal_or_none(number)?;
    let pid = pid as i32;
    let current = process::current();
    let current: &Process = &current;
    let own = current.pid();
    if pid as u32 == own {
        send_permitted(current, own, signal)?;
        return Ok(0);
    }
    if pid > 0 {
        let Ok(process) = signal::target(pid as u32) else {
            return to_kernel_thread(pid, number);
        };
        send_to_one(&process, pid as u32, signal)?;
        return Ok(0);
    }
    let group = match pid {
        0 => tree::family(own).map(|family| family.group),
        i32::MIN => return Err(Errno::ESRCH),
        _ => Some(pid.unsigned_abs()),
    };
    match pid {
        -1 => send_to_everybody(own, signal),
        _ => send_to_group(|_, family| Some(family.group) == group, signal),
    }
}

/// `tkill(tid, signal)`.
pub fn tkill(frame: &mut TrapFrame) -> SysResult {
    let [tid, number, ..] = frame.args();
    if tid as i32 <= 0 {
        return Err(Errno::EINVAL);
    }
    let Ok(process) = find(tid as i32) else {
        return to_kernel_thread(tid as i32, number);
    };
    send_to_thread(&process, tid as u32, number, from_thread)
}

/// `tgkill(pid, tid, signal)`.
pub fn tgkill(frame: &mut TrapFrame) -> SysResult {
    let [pid, tid, number, ..] = frame.args();
    let process = match process_of_thread(pid as i32, tid as i32) {
        Err(Errno::ESRCH) if pid as i32 == tid as i32 => {
            return to_kernel_thread(tid as i32, number);
        }
        found => found?,
    };
    send_to_thread(&process, tid as u32, number, from_thread)
}

/// `rt_sigqueueinfo(pid, signal, info)`.
pub fn rt_sigqueueinfo(frame: &mut TrapFrame) -> SysResult {
    let [pid, number, info, ..] = frame.args();
    let info = forged_info(pid as i32, number, info)?;
    let Ok(process) = find(pid as i32) else {
        return to_kernel_thread(pid as i32, number);
    };
    let signal = signal_or_none(number)?;
    signal::check_permission(&process, signal)?;
    if let Some(signal) = signal {
        signal::send_by(&process, pid as u32, numbered(info, signal))?;
    }
    Ok(0)
}

/// `rt_tgsigqueueinfo(pid, tid, signal, info)`.
pub fn rt_tgsigqueueinfo(frame: &mut TrapFrame) -> SysResult {
    let [pid, tid, number, info, ..] = frame.args();
    if pid as i32 <= 0 || tid as i32 <= 0 {
        return Err(Errno::EINVAL);
    }
    let info = forged_info(tid as i32, number, info)?;
    let process = process_of_thread(pid as i32, tid as i32)?;
    send_to_thread(&process, tid as u32, number, |signal| {
        numbered(info, signal)
    })
}

/// What is sent to a kernel thread is passed over.
fn to_kernel_thread(number: i32, signal: u64) -> SysResult {
    let number = u32::try_from(number).map_err(|_| Errno::ESRCH)?;
    let ignored = kernel_thread::ignore_signal(number);
    if ignored != Err(SendError::NoProcess) {
        signal_or_none(signal)?;
    }
    ignored?;
    Ok(0)
}

/// Finds the process `pid` that has the thread `tid`.
fn process_of_thread(pid: i32, tid: i32) -> Result<Arc<Process>, Errno> {
    if pid <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    let process = find(tid)?;
    match process.pid() == pid as u32 {
        true => Ok(process),
        false => Err(Errno::ESRCH),
    }
}

fn send_to_thread(
    process: &Process,
    tid: u32,
    number: u64,
    info: impl Fn(Signal) -> SigInfo,
) -> SysResult {
    if !signal::has_thread(process, tid) {
        return Err(Errno::ESRCH);
    }
    let signal = signal_or_none(number)?;
    signal::check_permission(process, signal)?;
    if let Some(signal) = signal {
        signal::send_to_thread(process, tid, info(signal))?;
    }
    Ok(0)
}

/// It is enough that one of a group may be reached.
pub(super) fn send_to_group(
    is_member: impl Fn(u32, &Family) -> bool,
    signal: Option<Signal>,
) -> SysResult {
    let mut outcome = Err(SendError::NoProcess);
    signal::send_to_all(is_member, signal, |sent| {
        if outcome.is_err() {
            outcome = sent;
        }
    });
    outcome?;
    Ok(0)
}

/// All but init and the caller; that some may not be reached does not count.
fn send_to_everybody(own: u32, signal: Option<Signal>) -> SysResult {
    let mut outcome = Err(SendError::NoProcess);
    let is_other = |pid: u32, _: &Family| pid != tree::INIT && pid != own;
    signal::send_to_all(is_other, signal, |sent| match sent {
        Ok(()) | Err(SendError::NotAllowed) if outcome == Err(SendError::NoProcess) => {
            outcome = Ok(());
        }
        Ok(()) | Err(SendError::NotAllowed) => {}
        Err(error) => outcome = Err(error),
    });
    outcome?;
    Ok(0)
}

/// Sends to a process; its thread with number `tid` is asked first.
fn send_to_one(process: &Process, tid: u32, signal: Option<Signal>) -> Result<(), SendError> {
    signal::check_permission(process, signal)?;
    send_permitted(process, tid, signal)
}

fn send_permitted(process: &Process, tid: u32, signal: Option<Signal>) -> Result<(), SendError> {
    signal.map_or(Ok(()), |signal| {
        let info = SigInfo::from_user(signal, SI_USER, creds::sender());
        signal::send_by(process, tid, info)
    })
}

fn find(pid: i32) -> Result<Arc<Process>, Errno> {
    let pid = u32::try_from(pid).map_err(|_| Errno::ESRCH)?;
    Ok(signal::target(pid)?)
}

/// Reads what a program wants another to be told. Only to itself may it pretend to be the kernel, or `kill`.
fn forged_info(to: i32, number: u64, addr: u64) -> Result<SigInfo, Errno> {
    let UserSigInfo {
        known: mut info,
        rest,
    } = args::read(addr)?;
    if rest != [0; _] && info.code < SI_DETHREAD && info.code != SI_ASYNCNL {
        // A kind of signal that the kernel does not know: it cannot tell what may be left out.
        return Err(Errno::E2BIG);
    }
    let pretends = info.code >= SI_USER || info.code == SI_TKILL;
    if pretends && to != process::current_thread().tid() as i32 {
        return Err(Errno::EPERM);
    }
    info.signo = number as i32;
    info.pad = 0;
    Ok(info)
}

fn numbered(info: SigInfo, signal: Signal) -> SigInfo {
    SigInfo {
        signo: signal.number().into(),
        ..info
    }
}

fn from_thread(signal: Signal) -> SigInfo {
    SigInfo::from_user(signal, SI_TKILL, creds::sender())
}

/// Signal 0 only asks whether somebody is there.
pub(super) fn signal_or_none(number: u64) -> Result<Option<Signal>, Errno> {
    match number as i32 {
        0 => Ok(None),
        number => u64::try_from(number)
            .ok()
            .and_then(Signal::new)
            .map(Some)
            .ok_or(Errno::EINVAL),
    }
}
