//! Clocks, sleeping, futexes.

use abi::Errno;
use abi::linux::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, FUTEX_CLOCK_REALTIME, FUTEX_PRIVATE_FLAG, FUTEX_WAIT,
    FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, TIMER_ABSTIME,
};
use abi::time::{Timespec, Timeval, Timezone, Tms};
use addr::USER_END;

use super::{SysResult, args, restart};
use crate::arch::trapframe::TrapFrame;
use crate::process::futex::{self, FutexError, Key};
use crate::process::restart::RestartBlock;
use crate::process::tree;
use crate::process::usage::Usage;
use crate::{process, sched, task, time};

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
    let tms = Tms {
        utime: ticks(Usage::of_current().cpu_ns),
        cutime: ticks(children.cpu_ns),
        ..Tms::default()
    };
    args::write_optional(addr, &tms)?;
    Ok(ticks(time::now_ns()))
}

/// `sched_yield()`.
pub fn sched_yield(_: &mut TrapFrame) -> SysResult {
    sched::yield_now();
    Ok(0)
}

/// `futex(addr, operation, value, timeout, addr2, bits)`.
pub fn futex(frame: &mut TrapFrame) -> SysResult {
    let [addr, operation, value, timeout, _, bits] = frame.args();
    let operation = operation as u32;
    let mm = task::current_mm().ok_or(Errno::EFAULT)?.id().as_u64();
    let key = Key::new(mm, addr);
    if !addr.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    // One past the last address passes here, as it does on Linux; nothing can wait there.
    if addr > USER_END {
        return Err(Errno::EFAULT);
    }
    let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    let bits = match command {
        FUTEX_WAIT_BITSET | FUTEX_WAKE_BITSET if bits as u32 == 0 => return Err(Errno::EINVAL),
        FUTEX_WAIT_BITSET | FUTEX_WAKE_BITSET => bits as u32,
        _ => futex::ANY,
    };
    match command {
        FUTEX_WAIT | FUTEX_WAIT_BITSET => {
            let deadline = futex_deadline(operation, timeout)?;
            wait_for_futex(addr, value as u32, bits, deadline)
        }
        FUTEX_WAKE | FUTEX_WAKE_BITSET => Ok(futex::wake(key, value as u32 as usize, bits) as u64),
        _ => Err(Errno::ENOSYS),
    }
}

/// Waits for the word at `addr`. Interrupted, a wait with an end goes on where it was.
pub fn wait_for_futex(addr: u64, expected: u32, bits: u32, deadline: Option<u64>) -> SysResult {
    let mm = task::current_mm().ok_or(Errno::EFAULT)?.id().as_u64();
    let outcome = futex::wait(Key::new(mm, addr), expected, bits, deadline);
    if let (Err(FutexError::Interrupted), Some(deadline)) = (outcome, deadline) {
        process::current_thread().set_restart(RestartBlock::Futex {
            addr,
            expected,
            bits,
            deadline,
        });
        return Err(Errno::RESTART_BLOCK);
    }
    outcome?;
    Ok(0)
}

/// A plain wait takes a length, a wait for bits a point in time.
fn futex_deadline(operation: u32, timeout: u64) -> Result<Option<u64>, Errno> {
    if timeout == 0 {
        return Ok(None);
    }
    let ns = args::nanoseconds(timeout)?;
    let is_length = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME) == FUTEX_WAIT;
    Ok(Some(match operation & FUTEX_CLOCK_REALTIME {
        _ if is_length => time::now_ns().saturating_add(ns),
        0 => ns,
        _ => until_realtime(ns),
    }))
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
fn until_realtime(ns: u64) -> u64 {
    let (wall, now) = (time::realtime_ns(), time::now_ns());
    now.saturating_add(ns.saturating_sub(wall))
}

/// Clock ticks of a hundredth of a second.
fn ticks(ns: u64) -> u64 {
    ns / 10_000_000
}
