//! Descriptors of processes: made, signalled through, and used to get at another's descriptors.

use alloc::sync::Arc;

use abi::Errno;
use abi::linux::{O_EXCL, O_NONBLOCK};
use abi::siginfo::{SI_TKILL, SI_USER, SigInfo, UserSigInfo};

use super::kill::signal_or_none;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::procfs::ProcNode;
use crate::fs::{Kind, OpenFile};
use crate::process::pidfd::{self, PidFd};
use crate::process::{self, Process, creds, signal, tree};

/// `pidfd_send_signal`: to the thread, to the process, to its group.
const TO_THREAD: u32 = 1;
const TO_PROCESS: u32 = 2;
const TO_GROUP: u32 = 4;

/// `pidfd_open(pid, flags)`.
pub fn pidfd_open(frame: &mut TrapFrame) -> SysResult {
    let [pid, flags, ..] = frame.args();
    let (pid, flags) = (pid as i32, flags as u32);
    if flags & !(O_NONBLOCK | O_EXCL) != 0 || pid <= 0 {
        return Err(Errno::EINVAL);
    }
    let number = pid as u32;
    let found = tree::find_by_tid(number).ok_or(Errno::ESRCH)?;
    let is_thread = flags & O_EXCL != 0;
    if !is_thread && found.pid() != number {
        return Err(Errno::EINVAL);
    }
    insert(pidfd::open(
        found,
        number,
        is_thread,
        flags & O_NONBLOCK != 0,
    ))
}

/// `pidfd_send_signal(pidfd, signal, info, flags)`.
pub fn pidfd_send_signal(frame: &mut TrapFrame) -> SysResult {
    let [fd, number, info, flags, ..] = frame.args();
    let flags = flags as u32;
    if ![0, TO_THREAD, TO_PROCESS, TO_GROUP].contains(&flags) {
        return Err(Errno::EINVAL);
    }
    let file = args::file(fd)?;
    let (process, target, is_thread) = receiver(&file)?;
    let to_thread = flags == TO_THREAD || flags == 0 && is_thread;
    let signal = signal_or_none(number)?;
    let info = match info {
        0 => signal.map(|signal| {
            let code = if to_thread { SI_TKILL } else { SI_USER };
            SigInfo::from_user(signal, code, creds::sender())
        }),
        _ => given(info, number as i32, target)?,
    };
    let process = &process.ok_or(Errno::ESRCH)?;
    if flags == TO_GROUP {
        let group = tree::family(target).ok_or(Errno::ESRCH)?.group;
        return super::kill::send_to_group(|_, family| family.group == group, signal);
    }
    signal::check_permission(process, signal)?;
    match info {
        Some(info) if to_thread => signal::send_to_thread(process, target, info)?,
        Some(info) => signal::send_by(process, target, info)?,
        None => {}
    }
    Ok(0)
}

/// Returns whom a descriptor stands for, if they are still there, with their number and whether it is a thread's. A
/// directory of `/proc` stands for its process, as pidfds did when there were no others.
fn receiver(file: &OpenFile) -> Result<(Option<Arc<Process>>, u32, bool), Errno> {
    if let Ok(pidfd) = pidfd_of(file) {
        let (number, is_thread) = pidfd.number();
        let there = pidfd.is_there().then(|| pidfd.process().clone());
        return Ok((there, number, is_thread));
    }
    let location = file.location().filter(|_| !file.is_name_only());
    let location = location.ok_or(Errno::EBADF)?;
    let Kind::Proc(ProcNode::Process(number)) = location.inode.kind else {
        return Err(Errno::EBADF);
    };
    match tree::find_by_tid(number) {
        Some(found) if found.pid() != number => Err(Errno::EBADF),
        found => Ok((found, number, false)),
    }
}

/// Reads what the receiver is to be told; only itself may be told that it was the kernel, or `kill`.
fn given(addr: u64, number: i32, target: u32) -> Result<Option<SigInfo>, Errno> {
    let info: UserSigInfo = args::read(addr)?;
    if info.known.signo != number {
        return Err(Errno::EINVAL);
    }
    let pretends = info.known.code >= SI_USER || info.known.code == SI_TKILL;
    match pretends && target != process::current_thread().tid() {
        true => Err(Errno::EPERM),
        false => Ok(Some(info.known).filter(|info| info.signo != 0)),
    }
}

/// `pidfd_getfd(pidfd, fd, flags)`: a descriptor here for what one stands for there.
pub fn pidfd_getfd(frame: &mut TrapFrame) -> SysResult {
    let [fd, there, flags, ..] = frame.args();
    if flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let file = args::file(fd)?;
    let pidfd = pidfd_of(&file)?;
    if !pidfd.is_there() {
        return Err(Errno::ESRCH);
    }
    if !creds::may_inspect(pidfd.process(), false) {
        return Err(Errno::EPERM);
    }
    insert(pidfd.process().file(there as i32).ok_or(Errno::EBADF)?)
}

/// Returns what an open file is if it stands for a process.
pub(super) fn pidfd_of(file: &OpenFile) -> Result<&PidFd, Errno> {
    let any = file.file().as_any().ok_or(Errno::EBADF)?;
    any.downcast_ref().ok_or(Errno::EBADF)
}

fn insert(file: Arc<OpenFile>) -> SysResult {
    let process = process::current();
    let limit = process.fd_limit();
    let inserted = process.with_files(|files| files.insert(file, true, 0, limit));
    Ok(inserted? as u64)
}
