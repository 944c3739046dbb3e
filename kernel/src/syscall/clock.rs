//! Clocks and sleeping.

use abi::Errno;
use abi::linux::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, TIMER_ABSTIME,
};
use abi::time::{Timespec, Timeval, Timezone, Tms};

use super::{SysResult, args, restart};
use crate::arch::trapframe::TrapFrame;
use crate::process::tree;
use crate::process::usage::Usage;
use crate::{process, time};

/// What a clock counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    /// Time since 1970.
    Realtime,
    /// Time since boot.
    Monotonic,
    /// CPU time of the process.
    Cpu,
    /// CPU time of the thread.
    ThreadCpu,
}

/// `clock_gettime(clock, time)`.
pub fn clock_gettime(frame: &mut TrapFrame) -> SysResult {
    let [clock, addr, ..] = frame.args();
    args::write(addr, &Timespec::from_ns(Clock::new(clock)?.now()))?;
    Ok(0)
}

/// `clock_getres(clock, resolution)`.
pub fn clock_getres(frame: &mut TrapFrame) -> SysResult {
    let [clock, addr, ..] = frame.args();
    Clock::new(clock)?;
    args::write_optional(addr, &Timespec { sec: 0, nsec: 1 })?;
    Ok(0)
}

/// `gettimeofday(time, zone)`.
pub fn gettimeofday(frame: &mut TrapFrame) -> SysResult {
    let [addr, zone, ..] = frame.args();
    args::write_optional(addr, &Timeval::from_ns(time::realtime_ns()))?;
    args::write_optional(zone, &Timezone::default())?;
    Ok(0)
}

/// `time(addr)`.
pub fn time(frame: &mut TrapFrame) -> SysResult {
    let [addr, ..] = frame.args();
    let seconds = Timespec::from_ns(time::realtime_ns()).sec;
    args::write_optional(addr, &seconds)?;
    Ok(seconds as u64)
}

/// `nanosleep(length, rest)`.
pub fn nanosleep(frame: &mut TrapFrame) -> SysResult {
    let [length, rest, ..] = frame.args();
    let length = args::nanoseconds(length)?;
    restart::sleep(time::now_ns().saturating_add(length), rest)
}

/// `clock_nanosleep(clock, flags, time, rest)`.
pub fn clock_nanosleep(frame: &mut TrapFrame) -> SysResult {
    let [clock, flags, addr, rest, ..] = frame.args();
    let clock = Clock::new(clock)?;
    let ns = args::nanoseconds(addr)?;
    let is_absolute = flags as u32 & TIMER_ABSTIME != 0;
    let deadline = match clock {
        Clock::Cpu | Clock::ThreadCpu => return Err(Errno::EOPNOTSUPP),
        Clock::Realtime if is_absolute => until_realtime(ns),
        Clock::Monotonic if is_absolute => ns,
        _ => return restart::sleep(time::now_ns().saturating_add(ns), rest),
    };
    // The point in time stays the same however often the call is made.
    time::sleep_until(deadline).map_err(|_| Errno::RESTART_NOHAND)?;
    Ok(0)
}

/// `times(buf)`: returns clock ticks since boot.
pub fn times(frame: &mut TrapFrame) -> SysResult {
    let [addr, ..] = frame.args();
    let children = tree::children_usage(process::current().pid());
    let (utime, stime) = Usage::of_current().ticks();
    let (cutime, cstime) = children.ticks();
    let tms = Tms {
        utime,
        stime,
        cutime,
        cstime,
    };
    args::write_optional(addr, &tms)?;
    Ok(ticks(time::now_ns()))
}

impl Clock {
    fn new(number: u64) -> Result<Self, Errno> {
        match number as u32 {
            CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI => Ok(Self::Realtime),
            CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => {
                Ok(Self::Monotonic)
            }
            CLOCK_PROCESS_CPUTIME_ID => Ok(Self::Cpu),
            CLOCK_THREAD_CPUTIME_ID => Ok(Self::ThreadCpu),
            _ => Err(Errno::EINVAL),
        }
    }

    fn now(self) -> u64 {
        match self {
            Self::Realtime => time::realtime_ns(),
            Self::Monotonic => time::now_ns(),
            Self::Cpu => Usage::of_current().cpu_ns,
            Self::ThreadCpu => Usage::of_thread().cpu_ns,
        }
    }
}

/// Returns when, in ns since boot, the clock on the wall will show `ns`.
pub(super) fn until_realtime(ns: u64) -> u64 {
    let (wall, now) = (time::realtime_ns(), time::now_ns());
    now.saturating_add(ns.saturating_sub(wall))
}

/// Clock ticks of a hundredth of a second.
fn ticks(ns: u64) -> u64 {
    ns / 10_000_000
}
