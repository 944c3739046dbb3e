//! Descriptors: closing, copying, flags, pipes.

use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use abi::file::{CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE, OpenFlags};
use abi::linux::{
    F_ADD_SEALS, F_DUPFD, F_DUPFD_CLOEXEC, F_DUPFD_QUERY, F_GET_SEALS, F_GETFD, F_GETFL,
    F_GETLEASE, F_GETLK, F_GETOWN, F_GETPIPE_SZ, F_GETSIG, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW,
    F_SETFD, F_SETFL, F_SETLK, F_SETLKW, F_SETOWN, F_SETPIPE_SZ, F_SETSIG, F_UNLCK, FD_CLOEXEC,
};
use cred::Cap;

use super::{SysResult, args, lock};
use crate::arch::trapframe::TrapFrame;
use crate::fs::seals::Seals;
use crate::fs::{InodeRef, OpenFile, pipe};
use crate::process::{self, creds, tree};

/// The highest number of a signal.
const LAST_SIGNAL: u64 = 64;

/// `close(fd)`.
pub fn close(frame: &mut TrapFrame) -> SysResult {
    let [fd, ..] = frame.args();
    let closed = process::current().with_files(|files| files.remove(fd as i32));
    closed.map(|_| 0).ok_or(Errno::EBADF)
}

/// `fcntl`: whether a file was made as it was opened.
const F_CREATED_QUERY: u32 = 1028;

/// `close_range(first, last, flags)`.
pub fn close_range(frame: &mut TrapFrame) -> SysResult {
    let [first, last, flags, ..] = frame.args().map(|arg| arg as u32);
    if first > last || flags & !(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE) != 0 {
        return Err(Errno::EINVAL);
    }
    let process = process::current();
    if flags & CLOSE_RANGE_UNSHARE != 0 {
        process::current_thread().unshare_files();
    }
    let last = last.min(process.with_files(|files| files.len()) as u32);
    for fd in first..=last {
        if flags & CLOSE_RANGE_CLOEXEC != 0 {
            process.with_files(|files| files.set_close_on_exec(fd as i32, true));
        } else {
            drop(process.with_files(|files| files.remove(fd as i32)));
        }
    }
    Ok(0)
}

/// `dup(fd)`.
pub fn dup(frame: &mut TrapFrame) -> SysResult {
    let [fd, ..] = frame.args();
    insert(args::file(fd)?, false, 0)
}

/// `dup2(old, new)`.
pub fn dup2(frame: &mut TrapFrame) -> SysResult {
    let [old, new, ..] = frame.args();
    let file = args::file(old)?;
    if old as i32 == new as i32 {
        return Ok(new as u32 as u64);
    }
    replace(new, file, false)
}

/// `dup3(old, new, flags)`.
pub fn dup3(frame: &mut TrapFrame) -> SysResult {
    let [old, new, flags, ..] = frame.args();
    let flags = OpenFlags::from_bits_retain(flags as u32);
    if !OpenFlags::CLOEXEC.contains(flags) || old as i32 == new as i32 {
        return Err(Errno::EINVAL);
    }
    replace(new, args::file(old)?, flags.contains(OpenFlags::CLOEXEC))
}

/// `fcntl(fd, command, argument)`.
pub fn fcntl(frame: &mut TrapFrame) -> SysResult {
    let [fd, command, argument, ..] = frame.args();
    let file = args::file(fd)?;
    let process = process::current();
    match command as u32 {
        F_DUPFD => duplicate(file, false, argument),
        F_DUPFD_CLOEXEC => duplicate(file, true, argument),
        F_GETFD => {
            let closes = process.with_files(|files| files.closes_on_exec(fd as i32));
            Ok(closes.ok_or(Errno::EBADF)?.into())
        }
        F_SETFD => {
            let closes = argument as u32 & FD_CLOEXEC != 0;
            process.with_files(|files| files.set_close_on_exec(fd as i32, closes));
            Ok(0)
        }
        F_GETFL => Ok(file.flags().bits().into()),
        F_DUPFD_QUERY => {
            let other = args::file(argument)?;
            Ok(Arc::ptr_eq(&file, &other).into())
        }
        F_CREATED_QUERY => Ok(file.was_made.load(Relaxed).into()),
        // The rest is for files that were opened, and not only named.
        _ if file.is_name_only() => Err(Errno::EBADF),
        F_GETLK | F_OFD_GETLK => lock::get(&file, command as u32, argument),
        F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW => {
            lock::set(&file, command as u32, argument)
        }
        F_GETLEASE => Ok(F_UNLCK.into()),
        F_GETOWN => {
            let [owner, _] = &file.told;
            Ok(i64::from(owner.load(Relaxed)).cast_unsigned())
        }
        F_SETOWN => {
            let owner = argument as i32;
            let number = owner.checked_abs().ok_or(Errno::EINVAL)?;
            let group = |_, family: &tree::Family| family.group == number.cast_unsigned();
            let is_there = match owner {
                0 => true,
                1.. => tree::find_by_tid(number.cast_unsigned()).is_some(),
                _ => !tree::find_all(group).is_empty(),
            };
            if !is_there {
                return Err(Errno::ESRCH);
            }
            file.told[0].store(owner, Relaxed);
            Ok(0)
        }
        F_GETSIG => Ok(file.told[1].load(Relaxed) as u64),
        F_SETSIG => {
            if argument > LAST_SIGNAL {
                return Err(Errno::EINVAL);
            }
            file.told[1].store(argument as i32, Relaxed);
            Ok(0)
        }
        F_SETFL => {
            file.set_flags(OpenFlags::from_bits_retain(argument as u32));
            Ok(0)
        }
        F_ADD_SEALS => {
            file.check_writable().map_err(|_| Errno::EPERM)?;
            let seals = Seals::from_bits(argument as u32).ok_or(Errno::EINVAL)?;
            Ok(sealable(&file)?.add_seals(seals).map(|()| 0)?)
        }
        F_GET_SEALS => Ok(sealable(&file)?.seals().bits().into()),
        F_SETPIPE_SZ => {
            let pipe = file.file().pipe().ok_or(Errno::EBADF)?;
            Ok(pipe.resize(argument as u32, creds::has(Cap::SysResource))? as u64)
        }
        F_GETPIPE_SZ => Ok(file.file().pipe().ok_or(Errno::EBADF)?.size() as u64),
        _ => Err(Errno::EINVAL),
    }
}

/// The file behind a descriptor, if it is one that has seals.
fn sealable(file: &OpenFile) -> Result<InodeRef, Errno> {
    let inode = file.file().inode().ok_or(Errno::EINVAL)?;
    match inode.cache() {
        Some(_) => Ok(inode),
        None => Err(Errno::EINVAL),
    }
}

/// `pipe(fds)`.
pub fn pipe(frame: &mut TrapFrame) -> SysResult {
    let [fds, ..] = frame.args();
    make_pipe(fds, OpenFlags::empty())
}

/// `pipe2(fds, flags)`.
pub fn pipe2(frame: &mut TrapFrame) -> SysResult {
    let [fds, flags, ..] = frame.args();
    let flags = OpenFlags::from_bits_retain(flags as u32);
    if !(OpenFlags::CLOEXEC | OpenFlags::NONBLOCK | OpenFlags::DIRECT).contains(flags) {
        return Err(Errno::EINVAL);
    }
    make_pipe(fds, flags)
}

fn make_pipe(addr: u64, flags: OpenFlags) -> SysResult {
    insert_pair(addr, pipe::pipe(flags)?, flags)
}

/// Gives two files descriptors and stores those at `addr`; all of it or nothing.
pub(super) fn insert_pair(
    addr: u64,
    (first, second): (Arc<OpenFile>, Arc<OpenFile>),
    flags: OpenFlags,
) -> SysResult {
    let close_on_exec = flags.contains(OpenFlags::CLOEXEC);
    let first_fd = insert(first, close_on_exec, 0)?;
    let outcome = insert(second, close_on_exec, 0).and_then(|second_fd| {
        let stored = args::write(addr, &[first_fd as i32, second_fd as i32]);
        stored.inspect_err(|_| forget(second_fd))
    });
    outcome.inspect_err(|_| forget(first_fd))?;
    Ok(0)
}

fn forget(fd: u64) {
    drop(process::current().with_files(|files| files.remove(fd as i32)));
}

fn duplicate(file: Arc<OpenFile>, close_on_exec: bool, from: u64) -> SysResult {
    if from >= process::current().fd_limit() {
        return Err(Errno::EINVAL);
    }
    insert(file, close_on_exec, from as usize)
}

fn insert(file: Arc<OpenFile>, close_on_exec: bool, from: usize) -> SysResult {
    let process = process::current();
    let limit = process.fd_limit();
    Ok(process.with_files(|files| files.insert(file, close_on_exec, from, limit))? as u64)
}

/// Gives a new file a descriptor.
pub(super) fn insert_new(file: Arc<OpenFile>, close_on_exec: bool) -> SysResult {
    insert(file, close_on_exec, 0)
}

fn replace(fd: u64, file: Arc<OpenFile>, close_on_exec: bool) -> SysResult {
    let process = process::current();
    let limit = process.fd_limit();
    let replaced = process.with_files(|files| files.replace(fd as i32, file, close_on_exec, limit));
    // A number that no descriptor can have is a bad descriptor here, not a full table.
    drop(replaced.map_err(|_| Errno::EBADF)?);
    Ok(fd as u32 as u64)
}
