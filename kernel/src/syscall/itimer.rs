//! Interval timers: of real time; those of CPU time do not exist here.

use abi::Errno;
use abi::linux::ITIMER_REAL;
use abi::time::{Itimerval, Timeval};
use sigstate::AlarmSetting;

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::process::alarm;

/// `getitimer(which, value)`.
pub fn getitimer(frame: &mut TrapFrame) -> SysResult {
    let [which, value, ..] = frame.args();
    check_which(which)?;
    args::write(value, &told(alarm::setting()))?;
    Ok(0)
}

/// `setitimer(which, new, old)`; without a new value it is off.
pub fn setitimer(frame: &mut TrapFrame) -> SysResult {
    let [which, new, old, ..] = frame.args();
    let new = args::read_optional::<Itimerval>(new)?.unwrap_or_default();
    let setting = AlarmSetting {
        value: new.value.to_ns().ok_or(Errno::EINVAL)?,
        interval: new.interval.to_ns().ok_or(Errno::EINVAL)?,
    };
    check_which(which)?;
    let before = alarm::set(setting);
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

fn told(setting: AlarmSetting) -> Itimerval {
    Itimerval {
        interval: Timeval::from_ns(setting.interval),
        value: Timeval::from_ns(setting.value),
    }
}

fn check_which(which: u64) -> Result<(), Errno> {
    match which as u32 {
        ITIMER_REAL => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}
