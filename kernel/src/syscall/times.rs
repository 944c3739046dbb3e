//! The times of files.

use abi::Errno;
use abi::linux::{AT_FDCWD, UTIME_NOW, UTIME_OMIT};
use abi::time::{Timespec, Timeval};
use cred::Wanted;
use cred::access::is_owner;

use super::facts::{check_changeable, named, opened};
use super::path::HERE;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::{Caller, Follow, Location};
use crate::time;

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// A time to set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum New {
    /// It stays.
    Keep,
    /// It is that of the call.
    Now,
    /// It is this one, in ns since 1970.
    At(u64),
}

/// `utimensat(dirfd, path, times, flags)`; without a path it is about `dirfd` itself.
pub fn utimensat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, times, flags, ..] = frame.args();
    let new = match times {
        0 => [New::Now; 2],
        _ => [exact(times)?, exact(times + 16)?],
    };
    if new == [New::Keep; 2] {
        return Ok(0);
    }
    let caller = args::caller();
    let file = match (path, dirfd as i32) {
        (0, AT_FDCWD) => return Err(Errno::EFAULT),
        (0, _) if flags as u32 != 0 => return Err(Errno::EINVAL),
        (0, _) => opened(dirfd)?,
        _ => named(&caller, dirfd, path, flags as u32)?,
    };
    set(&caller, &file, new)
}

/// `utimes(path, times)`.
pub fn utimes(frame: &mut TrapFrame) -> SysResult {
    let [path, times, ..] = frame.args();
    set_in_micros(HERE, path, times)
}

/// `futimesat(dirfd, path, times)`; without a path it is about `dirfd` itself.
pub fn futimesat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, times, ..] = frame.args();
    set_in_micros(dirfd, path, times)
}

fn set_in_micros(dirfd: u64, path: u64, times: u64) -> SysResult {
    let new = match times {
        0 => [New::Now; 2],
        _ => [micros(times)?, micros(times + 16)?],
    };
    let caller = args::caller();
    let file = match (path, dirfd as i32) {
        (0, AT_FDCWD) => return Err(Errno::EFAULT),
        (0, _) => opened(dirfd)?,
        _ => args::location_at(&caller, dirfd, path, Follow::Yes)?,
    };
    set(&caller, &file, new)
}

/// `utime(path, times)`: two whole seconds.
pub fn utime(frame: &mut TrapFrame) -> SysResult {
    let [path, times, ..] = frame.args();
    let seconds = |addr| {
        let seconds = args::read::<i64>(addr)?;
        Ok::<_, Errno>(New::At(clamped(seconds)))
    };
    let new = match times {
        0 => [New::Now; 2],
        _ => [seconds(times)?, seconds(times + 8)?],
    };
    let caller = args::caller();
    let file = args::location_at(&caller, HERE, path, Follow::Yes)?;
    set(&caller, &file, new)
}

/// No file is older than 1970 here.
fn clamped(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(SECOND)
}

fn micros(addr: u64) -> Result<New, Errno> {
    let value = args::read::<Timeval>(addr)?;
    let micros = u64::try_from(value.usec)
        .ok()
        .filter(|usec| *usec < 1_000_000);
    let nanos = micros.ok_or(Errno::EINVAL)? * 1000;
    Ok(New::At(clamped(value.sec).saturating_add(nanos)))
}

fn exact(addr: u64) -> Result<New, Errno> {
    let value = args::read::<Timespec>(addr)?;
    match value.nsec as u32 {
        UTIME_OMIT => Ok(New::Keep),
        UTIME_NOW => Ok(New::Now),
        nsec if nsec < 1_000_000_000 && i64::from(nsec) == value.nsec => {
            Ok(New::At(clamped(value.sec).saturating_add(nsec.into())))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Whoever may write a file may make it look used now; any other time only its owner sets.
fn set(caller: &Caller, file: &Location, new: [New; 2]) -> SysResult {
    check_changeable(file)?;
    if !is_owner(&caller.cred, file.facts()) {
        if new != [New::Now; 2] {
            return Err(Errno::EPERM);
        }
        caller.may(file, Wanted::WRITE)?;
    }
    let now = time::realtime_ns();
    let time = |new, old| match new {
        New::Keep => old,
        New::Now => now,
        New::At(time) => time,
    };
    file.change(|facts| {
        facts.atime = time(new[0], facts.atime);
        facts.mtime = time(new[1], facts.mtime);
    });
    Ok(0)
}
