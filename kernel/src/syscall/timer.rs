//! Timers: interval timers, `alarm`, and those of POSIX.

use abi::event::Itimerspec;
use abi::linux::{
    CLOCK_BOOTTIME_ALARM, CLOCK_REALTIME_ALARM, ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL,
    SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID, TIMER_ABSTIME,
};
use abi::time::{Itimerval, Timespec, Timeval};
use abi::{Errno, Signal};
use clocks::timer::Setting;
use sigstate::AlarmSetting;

use super::clock::Clock;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::process::timer::{self, Base, NoTimer};
use crate::process::{self, alarm, signal};

/// `getitimer(which, value)`.
pub fn getitimer(frame: &mut TrapFrame) -> SysResult {
    let [which, value, ..] = frame.args();
    let left = match Which::new(which)? {
        Which::Real => of_alarm(alarm::setting()),
        Which::Cpu(which) => timer::interval(which, None),
    };
    args::write(value, &told(left))?;
    Ok(0)
}

/// `setitimer(which, new, old)`; without a new value it is off.
pub fn setitimer(frame: &mut TrapFrame) -> SysResult {
    let [which, new, old, ..] = frame.args();
    let new = args::read_optional::<Itimerval>(new)?.unwrap_or_default();
    let value = new.value.to_ns().ok_or(Errno::EINVAL)?;
    let interval = new.interval.to_ns().ok_or(Errno::EINVAL)?;
    let before = match Which::new(which)? {
        Which::Real => of_alarm(alarm::set(AlarmSetting { value, interval })),
        Which::Cpu(which) => timer::interval(which, Some(Setting { value, interval })),
    };
    args::write_optional(old, &told(before))?;
    Ok(0)
}

/// `alarm(seconds)`.
pub fn alarm(frame: &mut TrapFrame) -> SysResult {
    let [seconds, ..] = frame.args();
    let value = Timeval {
        sec: (seconds as u32).into(),
        usec: 0,
    };
    let before = alarm::set(AlarmSetting {
        value: value.to_ns().ok_or(Errno::EINVAL)?,
        interval: 0,
    });
    Ok(before.seconds())
}

/// A signal, its value if one was given, and the thread that it goes to.
type Sends = (Signal, Option<u64>, Option<u32>);

/// `timer_create(clock, event, number)`.
pub fn timer_create(frame: &mut TrapFrame) -> SysResult {
    let [clock, event, number, ..] = frame.args();
    let base = base(clock)?;
    let signal = match event {
        0 => Some((Signal::ALRM, None, None)),
        addr => notice(addr)?,
    };
    let made = timer::create(base, signal).map_err(|timer::TooMany| Errno::EAGAIN)?;
    if let Err(error) = args::write(number, &made) {
        // Nobody knows of it.
        let _ = timer::delete(made);
        return Err(error);
    }
    Ok(0)
}

/// Reads a `struct sigevent`: value, signal, kind, thread.
fn notice(addr: u64) -> Result<Option<Sends>, Errno> {
    let value: u64 = args::read(addr)?;
    let [signal, kind, tid]: [i32; 3] = args::read(addr.wrapping_add(8))?;
    let number = || Signal::new(signal as u32 as u64).ok_or(Errno::EINVAL);
    match kind as u32 {
        SIGEV_NONE => Ok(None),
        SIGEV_SIGNAL | SIGEV_THREAD => Ok(Some((number()?, Some(value), None))),
        SIGEV_THREAD_ID => {
            let own = process::current();
            let tid = u32::try_from(tid).map_err(|_| Errno::EINVAL)?;
            match signal::has_thread(&own, tid) {
                true => Ok(Some((number()?, Some(value), Some(tid)))),
                false => Err(Errno::EINVAL),
            }
        }
        _ => Err(Errno::EINVAL),
    }
}

/// `timer_settime(number, flags, new, old)`.
pub fn timer_settime(frame: &mut TrapFrame) -> SysResult {
    let [number, flags, new, old, ..] = frame.args();
    if new == 0 {
        return Err(Errno::EINVAL);
    }
    let new: Itimerspec = args::read(new)?;
    let to = Setting {
        value: new.value.to_ns().ok_or(Errno::EINVAL)?,
        interval: new.interval.to_ns().ok_or(Errno::EINVAL)?,
    };
    let is_absolute = flags as u32 & TIMER_ABSTIME != 0;
    let before = timer::set(number as i32, to, is_absolute).map_err(unknown)?;
    args::write_optional(old, &spec(before))?;
    Ok(0)
}

/// `timer_gettime(number, value)`.
pub fn timer_gettime(frame: &mut TrapFrame) -> SysResult {
    let [number, value, ..] = frame.args();
    let left = timer::setting(number as i32).map_err(unknown)?;
    args::write(value, &spec(left))?;
    Ok(0)
}

/// `timer_getoverrun(number)`.
pub fn timer_getoverrun(frame: &mut TrapFrame) -> SysResult {
    timer::overruns(frame.args()[0] as i32).map_err(unknown)
}

/// `timer_delete(number)`.
pub fn timer_delete(frame: &mut TrapFrame) -> SysResult {
    timer::delete(frame.args()[0] as i32).map_err(unknown)?;
    Ok(0)
}

fn unknown(NoTimer: NoTimer) -> Errno {
    Errno::EINVAL
}

fn base(clock: u64) -> Result<Base, Errno> {
    if [CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM].contains(&(clock as u32)) {
        // No clock could wake a machine that sleeps.
        return Err(Errno::EOPNOTSUPP);
    }
    match Clock::new(clock)? {
        Clock::Realtime => Ok(Base::Wall),
        Clock::Monotonic => Ok(Base::Boot),
        Clock::Cpu => Ok(Base::Process),
        Clock::ThreadCpu => Ok(Base::Thread(process::current_thread().tid())),
        Clock::CpuOf(who) if who.is_own_process() => Ok(Base::Process),
        Clock::CpuOf(who) => who.own_thread().map(Base::Thread).ok_or(Errno::EINVAL),
        Clock::Raw | Clock::Coarse(_) => Err(Errno::EOPNOTSUPP),
    }
}

/// Which interval timer is meant.
enum Which {
    Real,
    /// By its place among those of CPU time.
    Cpu(usize),
}

impl Which {
    fn new(which: u64) -> Result<Self, Errno> {
        match which as u32 {
            ITIMER_REAL => Ok(Self::Real),
            ITIMER_VIRTUAL => Ok(Self::Cpu(0)),
            ITIMER_PROF => Ok(Self::Cpu(1)),
            _ => Err(Errno::EINVAL),
        }
    }
}

fn of_alarm(setting: AlarmSetting) -> Setting {
    Setting {
        value: setting.value,
        interval: setting.interval,
    }
}

fn told(setting: Setting) -> Itimerval {
    // What has yet to ring is never told as off.
    let value = match setting.value {
        0 => 0,
        value => value.max(1000),
    };
    Itimerval {
        interval: Timeval::from_ns(setting.interval),
        value: Timeval::from_ns(value),
    }
}

fn spec(setting: Setting) -> Itimerspec {
    Itimerspec {
        interval: Timespec::from_ns(setting.interval),
        value: Timespec::from_ns(setting.value),
    }
}
