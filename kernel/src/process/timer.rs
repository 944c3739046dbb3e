//! Timers of POSIX (`timer_create`) and the interval timers of CPU time: a process's, by number.
//!
//! When one rings, and how often it would have, is decided in `clocks::timer`. Those of real time have a deadline each; those of CPU time are
//! looked at in the timer interrupt of whoever runs. A ring is a signal; once the process has taken that, the timer is set for the next one.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::linux::{RLIMIT_CPU, RLIMIT_SIGPENDING, SI_TIMER};
use abi::process::Rlimit;
use abi::{SigInfo, Signal};
use clocks::timer::{Setting, Timer};

use super::usage::Usage;
use super::{ExitStatus, Process, current, signal, tree};
use crate::mm::frame;
use crate::time::{self, TimerGuard};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// What a timer counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Base {
    /// Time since boot.
    Boot,
    /// Time since 1970, however that is set.
    Wall,
    /// CPU time of the process.
    Process,
    /// User time of the process.
    User,
    /// CPU time of one thread.
    Thread(u32),
}

/// What a ring does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Nothing.
    None,
    /// It sends a signal with a value, to one thread or to the process.
    Signal(Signal, u64, Option<u32>),
}

/// One timer.
struct Entry {
    base: Base,
    /// What it counts when it is set relatively: the wall clock may be set meanwhile.
    counts: Base,
    notice: Notice,
    timer: Timer,
    due: Option<TimerGuard>,
    /// Its ring was passed over, as the signal is ignored; it is sent once that changes.
    muted: bool,
}

/// A process's timers.
#[derive(Default)]
pub struct Timers {
    next: i32,
    entries: BTreeMap<i32, Entry>,
    /// `ITIMER_VIRTUAL` and `ITIMER_PROF`.
    interval: [Timer; 2],
}

/// There is no such timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoTimer;

/// There are as many timers as signals may wait, or there is no memory for one more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany;

/// Makes a timer of the current process; returns its number. `value` of a signal is `None` for that number.
pub fn create(
    base: Base,
    signal: Option<(Signal, Option<u64>, Option<u32>)>,
) -> Result<i32, TooMany> {
    let process = current();
    let most = process.with_limits(|limits| limits.soft(RLIMIT_SIGPENDING));
    let may_grow = frame::can_spare(1);
    let mut timers = process.timers.lock();
    if timers.entries.len() as u64 >= most || !may_grow {
        return Err(TooMany);
    }
    process.tells_actions.store(true, Relaxed);
    let number = timers.next;
    timers.next = timers.next.wrapping_add(1).max(0);
    let notice = match signal {
        Some((signal, value, thread)) => {
            Notice::Signal(signal, value.unwrap_or(number as u64), thread)
        }
        None => Notice::None,
    };
    let entry = Entry {
        base,
        counts: base,
        notice,
        timer: Timer::default(),
        due: None,
        muted: false,
    };
    timers.entries.insert(number, entry);
    Ok(number)
}

/// Forgets a timer of the current process, and its ring if nobody has heard that yet.
pub fn delete(number: i32) -> Result<(), NoTimer> {
    let process = current();
    let removed = process.timers.lock().entries.remove(&number);
    removed.map(drop).ok_or(NoTimer)?;
    process.with_signals(|signals| signals.forget_ring(number));
    Ok(())
}

/// Returns what is left of a timer.
pub fn setting(number: i32) -> Result<Setting, NoTimer> {
    let process = current();
    let counts = {
        let timers = process.timers.lock();
        timers.entries.get(&number).ok_or(NoTimer)?.counts
    };
    let now = process.now_of(counts);
    let timers = process.timers.lock();
    let entry = timers.entries.get(&number).ok_or(NoTimer)?;
    Ok(entry.timer.setting(now, entry.notice == Notice::None))
}

/// Sets a timer, to a point in time if it `is_absolute`; returns what was left of it. A ring that nobody has heard yet is forgotten.
pub fn set(number: i32, to: Setting, is_absolute: bool) -> Result<Setting, NoTimer> {
    let process = current();
    let before = setting(number)?;
    let base = {
        let timers = process.timers.lock();
        timers.entries.get(&number).ok_or(NoTimer)?.base
    };
    let counts = match base {
        Base::Wall if !is_absolute => Base::Boot,
        base => base,
    };
    let now = process.now_of(counts);
    let at = match (to.value, is_absolute) {
        (0, _) => None,
        (value, true) => Some(value),
        (value, false) => Some(now.saturating_add(value)),
    };
    process.silence(number);
    let mut timers = process.timers.lock();
    let entry = timers.entries.get_mut(&number).ok_or(NoTimer)?;
    entry.counts = counts;
    entry.timer.set(at, to.interval);
    let old = entry.arm(process.pid());
    let watches = entry.is_of_cpu();
    drop(timers);
    drop(old);
    if watches {
        process.watches_cpu.store(true, Relaxed);
    }
    Ok(before)
}

/// Returns how often a timer would have rung since the ring that was heard last.
pub fn overruns(number: i32) -> Result<u64, NoTimer> {
    let process = current();
    let timers = process.timers.lock();
    let entry = timers.entries.get(&number).ok_or(NoTimer)?;
    Ok(entry.timer.overruns())
}

/// The process has taken a signal: if a timer sent it, that is set for the next time, and the signal says what was missed.
pub fn signal_taken(process: &Process, info: &mut SigInfo) {
    if info.code != SI_TIMER {
        return;
    }
    let number = info.fields[0] as u32 as i32;
    let counts = {
        let timers = process.timers.lock();
        timers.entries.get(&number).map(|entry| entry.counts)
    };
    let Some(counts) = counts else { return };
    let now = process.now_of(counts);
    let mut timers = process.timers.lock();
    let Some(entry) = timers.entries.get_mut(&number) else {
        return;
    };
    let missed = entry.timer.heard(now);
    entry.muted = false;
    let old = entry.arm(process.pid());
    drop((timers, old));
    info.fields[0] = u64::from(number as u32) | missed << 32;
}

impl Entry {
    fn is_of_cpu(&self) -> bool {
        !matches!(self.counts, Base::Boot | Base::Wall)
    }

    /// Asks to be called when it rings next; the wish before is returned, to be dropped outside the lock.
    fn arm(&mut self, pid: u32) -> Option<TimerGuard> {
        let at = self
            .timer
            .rings_at()
            .filter(|_| self.notice != Notice::None);
        let deadline = match self.counts {
            Base::Boot => at,
            Base::Wall => at.map(time::when_realtime),
            _ => None,
        };
        let due = deadline.map(|at| time::call_at(at, ring, pid));
        core::mem::replace(&mut self.due, due)
    }
}

/// In the timer interrupt: one of the process's timers of real time is due.
fn ring(pid: u32) {
    if let Some(process) = tree::find(pid) {
        process.ring_due(|base| matches!(base, Base::Boot | Base::Wall));
    }
}

/// The wall clock was set: what waits for a time of it may be due now, or later.
pub fn wall_clock_set() {
    for process in tree::find_all(|_, _| true) {
        let mut old = Vec::new();
        let mut timers = process.timers.lock();
        let waiting = timers.entries.values_mut();
        for entry in waiting.filter(|entry| entry.counts == Base::Wall) {
            old.push(entry.arm(process.pid()));
        }
        drop(timers);
        drop(old);
    }
}

impl Process {
    /// Returns what the clock of a timer shows.
    fn now_of(&self, base: Base) -> u64 {
        match base {
            Base::Boot => time::now_ns(),
            Base::Wall => time::realtime_ns(),
            Base::Process => Usage::of(self).cpu_ns,
            Base::User => Usage::of(self).times().0,
            Base::Thread(tid) => {
                let task = self.task_of(tid);
                task.map_or(0, |task| task.run_ns(time::now_ns()))
            }
        }
    }

    /// Sends the signals of those timers that are due. May be called in an interrupt.
    fn ring_due(&self, meant: impl Fn(Base) -> bool) {
        let bases: Vec<(i32, Base)> = {
            let timers = self.timers.lock();
            let entries = timers.entries.iter();
            let armed = entries.filter(|(_, entry)| entry.timer.rings_at().is_some());
            let meant = armed.filter(|(_, entry)| meant(entry.counts));
            meant
                .map(|(number, entry)| (*number, entry.counts))
                .collect()
        };
        for (number, base) in bases {
            let now = self.now_of(base);
            let mut timers = self.timers.lock();
            let Some(entry) = timers.entries.get_mut(&number) else {
                continue;
            };
            let rings = entry.timer.ring(now);
            let notice = if rings { entry.notice } else { Notice::None };
            drop(timers);
            if let Notice::Signal(signal, value, thread) = notice {
                self.send_ring(number, signal, value, thread);
            }
        }
    }

    fn send_ring(&self, number: i32, signal: Signal, value: u64, thread: Option<u32>) {
        let mut info = SigInfo::from_user(signal, SI_TIMER, (number as u32, 0));
        info.fields[1] = value;
        if signal::send_ring(self, thread, info, number) {
            self.mute(number);
            // Who stopped ignoring it meanwhile did not see that.
            self.timers_mind_action(signal);
        }
    }

    /// Notes that the ring of a timer was passed over. One that rings once has done so.
    fn mute(&self, number: i32) {
        if let Some(entry) = self.timers.lock().entries.get_mut(&number) {
            entry.muted = entry.timer.is_unheard();
        }
    }

    /// A signal may be ignored from now on, or no longer: rings that were passed over are sent, new ones noted.
    pub(super) fn timers_mind_action(&self, signal: Signal) {
        let meant: Vec<(i32, Notice, bool)> = {
            let timers = self.timers.lock();
            let entries = timers.entries.iter();
            let unheard = entries.filter(|(_, entry)| entry.timer.is_unheard());
            unheard
                .filter(
                    |(_, entry)| matches!(entry.notice, Notice::Signal(own, ..) if own == signal),
                )
                .map(|(number, entry)| (*number, entry.notice, entry.muted))
                .collect()
        };
        for (number, notice, muted) in meant {
            let passed = self.with_signals(|signals| signals.passes_over_ring(signal, number));
            if passed {
                self.mute(number);
            } else if muted
                && self.unmute(number)
                && let Notice::Signal(signal, value, thread) = notice
            {
                self.send_ring(number, signal, value, thread);
            }
        }
    }

    /// Returns whether a timer was muted, which it is no longer.
    fn unmute(&self, number: i32) -> bool {
        let entry = &mut self.timers.lock().entries;
        entry
            .get_mut(&number)
            .is_some_and(|entry| core::mem::take(&mut entry.muted))
    }

    /// Stops a timer, and forgets its ring if nobody has heard that yet.
    fn silence(&self, number: i32) {
        let mut timers = self.timers.lock();
        let Some(entry) = timers.entries.get_mut(&number) else {
            return;
        };
        entry.timer.set(None, 0);
        entry.muted = false;
        let old = entry.arm(self.pid());
        drop(timers);
        drop(old);
        self.with_signals(|signals| signals.forget_ring(number));
    }

    /// Looks whether CPU time that somebody waits for is over; in the timer interrupt of a thread of it.
    pub(super) fn check_cpu_time(&self) {
        self.ring_due(|base| !matches!(base, Base::Boot | Base::Wall));
        let used = Usage::of(self);
        let user = used.times().0;
        let due = {
            let [virtual_timer, prof] = &mut self.timers.lock().interval;
            [(virtual_timer, user), (prof, used.cpu_ns)].map(|(timer, now)| {
                let rings = timer.ring(now);
                timer.heard(now);
                rings
            })
        };
        for (rings, signal) in due.into_iter().zip([Signal::VTALRM, Signal::PROF]) {
            if rings {
                // Standard signals find room, or wait already.
                let _ = signal::send_by(self, self.own_tid(), SigInfo::kernel(signal));
            }
        }
        self.check_cpu_limit(used.cpu_ns);
    }

    /// `RLIMIT_CPU`: SIGXCPU each second from the limit in force on, the end at the other.
    fn check_cpu_limit(&self, used: u64) {
        let exceeded =
            |seconds: u64| seconds != Rlimit::INFINITY && used >= seconds.saturating_mul(SECOND);
        let limit = self.with_limits(|limits| limits.get(RLIMIT_CPU.into()));
        let limit = limit.unwrap_or(Rlimit::new(Rlimit::INFINITY, Rlimit::INFINITY));
        if exceeded(limit.maximum) {
            self.end(ExitStatus::Signaled(Signal::KILL));
        } else if exceeded(limit.current) {
            self.with_limits(|limits| limits.raise_cpu());
            // As above.
            let _ = signal::send_by(self, self.own_tid(), SigInfo::kernel(Signal::XCPU));
        }
    }

    /// Forgets the timers: exec and the end (EX-3). The interval timers stay.
    pub(super) fn forget_timers(&self) {
        let entries = core::mem::take(&mut self.timers.lock().entries);
        drop(entries);
    }
}

/// Sets `ITIMER_VIRTUAL` (0) or `ITIMER_PROF` (1) of the current process, if `to` says so, and returns what was left of it.
pub fn interval(which: usize, to: Option<Setting>) -> Setting {
    let process = current();
    let now = process.now_of([Base::User, Base::Process][which]);
    let mut timers = process.timers.lock();
    let timer = &mut timers.interval[which];
    let before = timer.setting(now, false);
    if let Some(to) = to {
        let at = (to.value != 0).then_some(now.saturating_add(to.value));
        timer.set(at, to.interval);
        process.watches_cpu.store(true, Relaxed);
    }
    before
}
