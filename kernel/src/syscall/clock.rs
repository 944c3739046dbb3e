//! Clocks and sleeping.

use abi::linux::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_ALARM,
    CLOCK_REALTIME_COARSE, CLOCK_TAI, CLOCK_THREAD_CPUTIME_ID, TIMER_ABSTIME,
};
use abi::time::{Timespec, Timeval, Timezone, Tms};
use abi::{Errno, process::TIMEX_SIZE};
use cred::Cap;

use super::{SysResult, args, restart};
use crate::arch::trapframe::TrapFrame;
use crate::fs::timerfd;
use crate::locks::{SpinLock, rank};
use crate::process::usage::Usage;
use crate::process::{creds, timer, tree, vdso};
use crate::{process, time};

/// Nanoseconds of a clock tick, in which programs are told times: a hundredth of a second.
const CLOCK_TICK: u64 = 10_000_000;
/// `adjtimex`: nobody has said that the clock is right.
const TIME_ERROR: u64 = 5;
/// The bit of `struct timex` that says the same.
const STA_UNSYNC: u32 = 0x40;

/// How far from Greenwich a zone may be, in minutes.
const MAX_MINUTES_WEST: u32 = 15 * 60;

/// The zone, once somebody has said which.
static ZONE: SpinLock<Option<Timezone>, { rank::SOURCE }> = SpinLock::new(None);

/// What a clock counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// Time since 1970.
    Realtime,
    /// Time since boot.
    Monotonic,
    /// The same, which no timer can be of.
    Raw,
    /// The time of the last tick; of the wall clock, or since boot.
    Coarse(bool),
    /// CPU time of the process.
    Cpu,
    /// CPU time of the thread.
    ThreadCpu,
    /// CPU time of somebody.
    CpuOf(Who),
}

/// Whose CPU time a clock counts that is named by a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Who {
    /// A process or a thread; 0 for the one that asks.
    number: u32,
    is_thread: bool,
    /// User time only.
    is_user: bool,
}

/// `clock_gettime(clock, time)`.
pub fn clock_gettime(frame: &mut TrapFrame) -> SysResult {
    let [clock, addr, ..] = frame.args();
    args::write(addr, &Timespec::from_ns(Clock::new(clock)?.now()?))?;
    Ok(0)
}

/// `clock_getres(clock, resolution)`.
pub fn clock_getres(frame: &mut TrapFrame) -> SysResult {
    let [clock, addr, ..] = frame.args();
    if [CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM].contains(&(clock as u32)) {
        return Err(Errno::EINVAL);
    }
    let ns = match Clock::new(clock)? {
        Clock::Coarse(_) => time::TICK_NS,
        Clock::CpuOf(who) => {
            who.check()?;
            1
        }
        _ => 1,
    };
    args::write_optional(addr, &Timespec::from_ns(ns))?;
    Ok(0)
}

/// `clock_settime(clock, time)`: the wall clock's.
pub fn clock_settime(frame: &mut TrapFrame) -> SysResult {
    let [clock, addr, ..] = frame.args();
    if clock as u32 != CLOCK_REALTIME {
        // Others go their way; nobody may set the CPU's own.
        return Err(match Clock::new(clock)? {
            Clock::CpuOf(who) => who.check().err().unwrap_or(Errno::EPERM),
            Clock::Cpu | Clock::ThreadCpu => Errno::EPERM,
            _ => Errno::EINVAL,
        });
    }
    set_wall_clock(args::nanoseconds(addr)?)
}

/// `settimeofday(time, zone)`. The first zone ever, alone, says that the clock showed that zone's time, as firmware's may.
pub fn settimeofday(frame: &mut TrapFrame) -> SysResult {
    let [addr, zone, ..] = frame.args();
    let time = args::read_optional::<Timeval>(addr)?;
    let zone = args::read_optional::<Timezone>(zone)?;
    let ns = time.map(|time| time.to_ns().ok_or(Errno::EINVAL));
    let ns = ns.transpose()?;
    if !creds::has(Cap::SysTime) {
        return Err(Errno::EPERM);
    }
    if let Some(zone) = zone {
        if zone.minutes_west.unsigned_abs() > MAX_MINUTES_WEST {
            return Err(Errno::EINVAL);
        }
        let (was_set, seconds) = {
            let mut kept = ZONE.lock();
            let was_set = kept.replace(zone).is_some();
            (was_set, i64::from(zone.minutes_west) * 60)
        };
        if !was_set && ns.is_none() && seconds != 0 {
            let now = time::realtime_ns().saturating_add_signed(seconds * 1_000_000_000);
            return set_wall_clock(now);
        }
    }
    ns.map_or(Ok(0), set_wall_clock)
}

fn set_wall_clock(ns: u64) -> SysResult {
    if !creds::has(Cap::SysTime) {
        return Err(Errno::EPERM);
    }
    // Not before the machine was started, and not where the numbers end.
    if ns < time::now_ns() || i64::try_from(ns).is_err() {
        return Err(Errno::EINVAL);
    }
    time::set_realtime_ns(ns);
    timer::wall_clock_set();
    vdso::clock_set();
    timerfd::wall_clock_set();
    Ok(0)
}

/// `adjtimex(buf)`: the clock cannot be steered, only asked.
pub fn adjtimex(frame: &mut TrapFrame) -> SysResult {
    tell_adjustment(frame.args()[0])
}

/// `clock_adjtime(clock, buf)`.
pub fn clock_adjtime(frame: &mut TrapFrame) -> SysResult {
    let [clock, addr, ..] = frame.args();
    match Clock::new(clock)? {
        Clock::Realtime if clock as u32 == CLOCK_REALTIME => tell_adjustment(addr),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

fn tell_adjustment(addr: u64) -> SysResult {
    let modes: u32 = args::read(addr)?;
    if modes != 0 {
        return Err(match creds::has(Cap::SysTime) {
            true => Errno::EINVAL,
            false => Errno::EPERM,
        });
    }
    let mut timex = [0_u64; TIMEX_SIZE / 8];
    let Timeval { sec, usec } = Timeval::from_ns(time::realtime_ns());
    // modes; offset, frequency; errors at most and estimated; status; constant, precision, tolerance; time; a tick in µs.
    (timex[3], timex[4]) = (16_000_000, 16_000_000);
    timex[5] = STA_UNSYNC.into();
    (timex[6], timex[7], timex[8]) = (2, 1, 32_768_000);
    (timex[9], timex[10], timex[11]) = (sec as u64, usec as u64, 10_000);
    args::write(addr, &timex)?;
    Ok(TIME_ERROR)
}

/// `gettimeofday(time, zone)`.
pub fn gettimeofday(frame: &mut TrapFrame) -> SysResult {
    let [addr, zone, ..] = frame.args();
    args::write_optional(addr, &Timeval::from_ns(time::realtime_ns()))?;
    let kept = ZONE.lock().unwrap_or_default();
    args::write_optional(zone, &kept)?;
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
    if [CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM].contains(&(clock as u32)) {
        return Err(Errno::EOPNOTSUPP);
    }
    let clock = Clock::new(clock)?;
    if matches!(clock, Clock::ThreadCpu | Clock::Raw | Clock::Coarse(_)) {
        return Err(Errno::EOPNOTSUPP);
    }
    let ns = args::nanoseconds(addr)?;
    let is_absolute = flags as u32 & TIMER_ABSTIME != 0;
    let deadline = match clock {
        Clock::Cpu | Clock::CpuOf(_) => return sleep_by(clock, ns, is_absolute, rest),
        Clock::Realtime if is_absolute => {
            time::sleep_until_realtime(ns).map_err(|_| Errno::RESTART_NOHAND)?;
            return Ok(0);
        }
        Clock::Monotonic if is_absolute => ns,
        _ => return restart::sleep(time::now_ns().saturating_add(ns), rest),
    };
    // The point in time stays the same however often the call is made.
    time::sleep_until(deadline).map_err(|_| Errno::RESTART_NOHAND)?;
    Ok(0)
}

/// Sleeps while somebody uses CPU time; looks once in a tick, as whoever is told of CPU time does.
fn sleep_by(clock: Clock, ns: u64, is_absolute: bool, rest: u64) -> SysResult {
    if matches!(clock, Clock::CpuOf(who) if who.own_thread() == Some(process::current_thread().tid()))
    {
        // Its time stands still while it sleeps.
        return Err(Errno::EINVAL);
    }
    let deadline = match is_absolute {
        true => ns,
        false => clock.now()?.saturating_add(ns),
    };
    loop {
        let now = clock.now()?;
        if now >= deadline {
            return Ok(0);
        }
        if time::sleep_until(time::now_ns() + time::TICK_NS).is_err() {
            if is_absolute {
                return Err(Errno::RESTART_NOHAND);
            }
            args::write_optional(rest, &Timespec::from_ns(deadline - now))?;
            return Err(Errno::EINTR);
        }
    }
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
    Ok(time::now_ns() / CLOCK_TICK)
}

impl Clock {
    pub(super) fn new(number: u64) -> Result<Self, Errno> {
        if (number as i32) < 0 {
            return Ok(Self::CpuOf(Who::new(number as i32)?));
        }
        match number as u32 {
            CLOCK_REALTIME | CLOCK_TAI | CLOCK_REALTIME_ALARM => Ok(Self::Realtime),
            CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM => Ok(Self::Monotonic),
            CLOCK_MONOTONIC_RAW => Ok(Self::Raw),
            CLOCK_REALTIME_COARSE => Ok(Self::Coarse(true)),
            CLOCK_MONOTONIC_COARSE => Ok(Self::Coarse(false)),
            CLOCK_PROCESS_CPUTIME_ID => Ok(Self::Cpu),
            CLOCK_THREAD_CPUTIME_ID => Ok(Self::ThreadCpu),
            _ => Err(Errno::EINVAL),
        }
    }

    fn now(self) -> Result<u64, Errno> {
        Ok(match self {
            Self::Realtime | Self::Coarse(true) => time::realtime_ns(),
            Self::Monotonic | Self::Raw | Self::Coarse(false) => time::now_ns(),
            Self::Cpu => Usage::of_current().cpu_ns,
            Self::ThreadCpu => crate::task::current().run_ns(time::now_ns()),
            Self::CpuOf(who) => who.used()?,
        })
    }
}

impl Who {
    /// Reads a negative number: the complement of a process's or thread's above three bits that say which, and what of it.
    fn new(clock: i32) -> Result<Self, Errno> {
        const THREAD: i32 = 4;
        const KIND: i32 = 3;
        const VIRTUAL: i32 = 1;
        // The fourth kind is a descriptor of a clock, of which there are none.
        if clock & KIND == KIND {
            return Err(Errno::EINVAL);
        }
        Ok(Self {
            number: (!(clock >> 3)) as u32,
            is_thread: clock & THREAD != 0,
            is_user: clock & KIND == VIRTUAL,
        })
    }

    pub(super) fn is_own_process(self) -> bool {
        !self.is_thread && [0, process::current().pid()].contains(&self.number)
    }

    /// Returns the number of the thread that is meant, if it is one of the own process.
    pub(super) fn own_thread(self) -> Option<u32> {
        let own = process::current_thread().tid();
        let number = if self.number == 0 { own } else { self.number };
        let is_there = || process::current().task_of(number).is_some();
        (self.is_thread && is_there()).then_some(number)
    }

    fn check(self) -> Result<(), Errno> {
        self.used().map(drop)
    }

    fn used(self) -> Result<u64, Errno> {
        let usage = if self.is_thread {
            let tid = self.own_thread().ok_or(Errno::EINVAL)?;
            let task = process::current().task_of(tid).ok_or(Errno::EINVAL)?;
            Usage::of_task(&task)
        } else if self.is_own_process() {
            Usage::of_current()
        } else {
            Usage::of(&*tree::find(self.number).ok_or(Errno::EINVAL)?)
        };
        Ok(match self.is_user {
            true => usage.times().0,
            false => usage.cpu_ns,
        })
    }
}
