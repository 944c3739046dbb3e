//! Files that are about events: eventfd, timerfd, signalfd.

use abi::event::{Itimerspec, SignalfdSigInfo};
use abi::file::OpenFlags;
use abi::linux::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_REALTIME_ALARM,
    EFD_SEMAPHORE, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET,
};
use abi::time::Timespec;
use abi::{Errno, SigSet};

use super::{SysResult, args, fd};
use crate::arch::trapframe::TrapFrame;
use crate::fs::eventfd::{downcast, eventfd as make_eventfd};
use crate::fs::timerfd::{Setting, TimerFd, timerfd};
use crate::process::signalfd::{SignalFd, signalfd as make_signalfd};
use crate::time;

const _: () = assert!(size_of::<SignalfdSigInfo>() == 128);

/// `eventfd(value)`.
pub fn eventfd(frame: &mut TrapFrame) -> SysResult {
    let [value, ..] = frame.args();
    fd::insert_new(make_eventfd(value as u32, false, OpenFlags::empty()), false)
}

/// `eventfd2(value, flags)`.
pub fn eventfd2(frame: &mut TrapFrame) -> SysResult {
    let [value, flags, ..] = frame.args();
    let is_semaphore = flags as u32 & EFD_SEMAPHORE != 0;
    let (flags, cloexec) = flags_of(flags as u32 & !EFD_SEMAPHORE)?;
    fd::insert_new(make_eventfd(value as u32, is_semaphore, flags), cloexec)
}

/// `timerfd_create(clock, flags)`.
pub fn timerfd_create(frame: &mut TrapFrame) -> SysResult {
    let [clock, flags, ..] = frame.args();
    let (flags, cloexec) = flags_of(flags as u32)?;
    let is_realtime = match clock as u32 {
        CLOCK_REALTIME | CLOCK_REALTIME_ALARM => true,
        CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => false,
        _ => return Err(Errno::EINVAL),
    };
    fd::insert_new(timerfd(is_realtime, flags), cloexec)
}

/// `timerfd_settime(fd, flags, new, old)`.
pub fn timerfd_settime(frame: &mut TrapFrame) -> SysResult {
    let [fd, flags, new, old, ..] = frame.args();
    let flags = flags as u32;
    let new = args::read::<Itimerspec>(new)?;
    let (value, interval) = (new.value.to_ns(), new.interval.to_ns());
    let (Some(value), Some(interval)) = (value, interval) else {
        return Err(Errno::EINVAL);
    };
    if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL);
    }
    let file = args::opened_file(fd)?;
    let timer = downcast::<TimerFd>(&file).ok_or(Errno::EINVAL)?;
    let is_absolute = flags & TFD_TIMER_ABSTIME != 0;
    let is_wall = is_absolute && timer.is_realtime;
    let before = timer.set(&Setting {
        first: match value {
            0 => None,
            at if is_absolute => Some(at),
            rest => Some(time::now_ns().saturating_add(rest)),
        },
        interval,
        is_wall,
        cancels: is_wall && flags & TFD_TIMER_CANCEL_ON_SET != 0,
    });
    args::write_optional(old, &setting(before))?;
    Ok(0)
}

/// `timerfd_gettime(fd, current)`.
pub fn timerfd_gettime(frame: &mut TrapFrame) -> SysResult {
    let [fd, current, ..] = frame.args();
    let file = args::opened_file(fd)?;
    let timer = downcast::<TimerFd>(&file).ok_or(Errno::EINVAL)?;
    args::write(current, &setting(timer.setting()))?;
    Ok(0)
}

fn setting((value, interval): (u64, u64)) -> Itimerspec {
    Itimerspec {
        interval: Timespec::from_ns(interval),
        value: Timespec::from_ns(value),
    }
}

/// `signalfd(fd, mask, size of the mask)`.
pub fn signalfd(frame: &mut TrapFrame) -> SysResult {
    let [fd, mask, size, ..] = frame.args();
    set_signalfd(fd, mask, size, 0)
}

/// `signalfd4(fd, mask, size of the mask, flags)`.
pub fn signalfd4(frame: &mut TrapFrame) -> SysResult {
    let [fd, mask, size, flags, ..] = frame.args();
    set_signalfd(fd, mask, size, flags as u32)
}

fn set_signalfd(fd: u64, mask: u64, size: u64, flags: u32) -> SysResult {
    if size != size_of::<SigSet>() as u64 {
        return Err(Errno::EINVAL);
    }
    let mask = args::read::<SigSet>(mask)?;
    let (flags, cloexec) = flags_of(flags)?;
    if fd as i32 == -1 {
        return fd::insert_new(make_signalfd(mask, flags), cloexec);
    }
    let file = args::opened_file(fd)?;
    let signalfd = downcast::<SignalFd>(&file).ok_or(Errno::EINVAL)?;
    signalfd.set_signals(mask);
    Ok(fd as u32 as u64)
}

/// The two flags that all of these have.
fn flags_of(flags: u32) -> Result<(OpenFlags, bool), Errno> {
    let flags = OpenFlags::from_bits_retain(flags);
    if !(OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).contains(flags) {
        return Err(Errno::EINVAL);
    }
    Ok((flags, flags.contains(OpenFlags::CLOEXEC)))
}
