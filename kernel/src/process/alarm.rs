//! `ITIMER_REAL`: a SIGALRM at a time, and perhaps again and again. Decisions are in `sigstate::alarm`.

use abi::Signal;
use abi::siginfo::SigInfo;
use sigstate::{AlarmSetting, AlarmTimer};

use super::{Process, current, signal, tree};
use crate::time::{self, TimerGuard};

/// A process's timer. A child of a fork has none; exec keeps it.
#[derive(Default)]
pub struct Alarm {
    timer: AlarmTimer,
    /// What makes it ring.
    due: Option<TimerGuard>,
}

impl Alarm {
    fn arm(&mut self, pid: u32) {
        self.due = self.timer.rings_at().map(|at| time::call_at(at, ring, pid));
    }
}

/// Sets the current process's timer and returns what was left of it.
pub fn set(to: AlarmSetting) -> AlarmSetting {
    let process = current();
    let mut alarm = process.alarm.lock();
    let before = alarm.timer.set(time::now_ns(), to);
    alarm.arm(process.pid());
    before
}

/// Returns what is left of the current process's timer.
pub fn setting() -> AlarmSetting {
    current().alarm.lock().timer.setting(time::now_ns())
}

/// Sets the timer for the next time if `signal`, which its process has taken, is what it sent.
#[inline]
pub fn signal_taken(process: &Process, signal: Signal) {
    if signal == Signal::ALRM {
        let mut alarm = process.alarm.lock();
        let was_armed = alarm.timer.rings_at();
        alarm.timer.taken(time::now_ns());
        if alarm.timer.rings_at() != was_armed {
            alarm.arm(process.pid());
        }
    }
}

/// In the timer interrupt.
fn ring(pid: u32) {
    let Some(process) = tree::find(pid) else {
        return;
    };
    let rings = process.alarm.lock().timer.ring(time::now_ns());
    if rings {
        // Standard signals find room, or wait already.
        let _ = signal::send(&process, SigInfo::kernel(Signal::ALRM));
    }
}
