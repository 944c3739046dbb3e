//! Timers that are read (`timerfd`): a read takes the number of times it has expired. The counting is `event::interval`'s.
//!
//! The clock interrupt only tells that the next expiration has come; the timer is set for the one after that when somebody
//! looks, so that a short interval that nobody asks about costs nothing.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use abi::file::OpenFlags;
use event::IntervalTimer;

use super::eventfd::anonymous;
use super::file::{File, IoError, OpenFile, Readiness};
use super::inode::Metadata;
use super::poll::PollQueue;
use super::user_buf::UserBuf;
use crate::locks::{SpinLock, WaitQueue, rank};
use crate::time::{self, TimerGuard};

/// All timers, by number: the interrupt knows a number only.
static TIMERS: SpinLock<BTreeMap<u32, Arc<Timer>>, { super::rank::POLL }> =
    SpinLock::new(BTreeMap::new());
static NEXT: AtomicU32 = AtomicU32::new(1);

/// What the interrupt needs of a timer.
struct Timer {
    state: SpinLock<State, { rank::SOURCE }>,
    rung: WaitQueue,
    pollers: PollQueue,
}

#[derive(Default)]
struct State {
    timer: IntervalTimer,
    /// Whether its times are those of the clock on the wall, and not ns since boot.
    is_wall: bool,
    /// Whether who reads is to be told that that clock was set, and whether it was.
    cancels: bool,
    is_canceled: bool,
    /// What makes it ring.
    due: Option<TimerGuard>,
}

/// An open timer.
pub struct TimerFd {
    number: u32,
    timer: Arc<Timer>,
    /// Whether it goes by the clock on the wall.
    pub is_realtime: bool,
}

/// Makes a timer that is not set.
pub fn timerfd(is_realtime: bool, flags: OpenFlags) -> Arc<OpenFile> {
    let timer = Arc::new(Timer {
        state: SpinLock::new(State::default()),
        rung: WaitQueue::new(),
        pollers: PollQueue::new(),
    });
    let mut timers = TIMERS.lock();
    let mut number = NEXT.fetch_add(1, Relaxed);
    while timers.contains_key(&number) {
        number = NEXT.fetch_add(1, Relaxed);
    }
    timers.insert(number, timer.clone());
    drop(timers);
    let timerfd = TimerFd {
        number,
        timer,
        is_realtime,
    };
    OpenFile::new(timerfd, flags | OpenFlags::RDWR)
}

/// How a timer is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Setting {
    /// When it expires, if it does: in ns since boot, or by the clock on the wall.
    pub first: Option<u64>,
    /// From each expiration to the next; 0 for once.
    pub interval: u64,
    /// Whether its time is that of the clock on the wall.
    pub is_wall: bool,
    /// Whether who reads is told that that clock was set.
    pub cancels: bool,
}

/// The clock on the wall was set: what waits for a time of it may be due now, or later.
pub fn wall_clock_set() {
    let timers: Vec<(u32, Arc<Timer>)> = {
        let timers = TIMERS.lock();
        let all = timers.iter();
        all.map(|(number, timer)| (*number, timer.clone()))
            .collect()
    };
    for (number, timer) in timers {
        let mut state = timer.state.lock();
        if !state.is_wall {
            continue;
        }
        state.is_canceled |= state.cancels;
        let old = state.arm(number);
        drop(state);
        drop(old);
        timer.rung.wake_all();
        timer.pollers.notify(Readiness::READABLE);
    }
}

impl State {
    /// What the clock shows that it goes by.
    fn now(&self) -> u64 {
        match self.is_wall {
            true => time::realtime_ns(),
            false => time::now_ns(),
        }
    }

    /// Sees to it that it rings when it expires next; returns what made it ring before.
    fn arm(&mut self, number: u32) -> Option<TimerGuard> {
        let next = self.timer.next().map(|at| match self.is_wall {
            true => time::when_realtime(at),
            false => at,
        });
        core::mem::replace(
            &mut self.due,
            next.map(|at| time::call_at(at, ring, number)),
        )
    }
}

/// In the clock interrupt.
fn ring(number: u32) {
    let timer = TIMERS.lock().get(&number).cloned();
    if let Some(timer) = timer {
        timer.rung.wake_all();
        timer.pollers.notify(Readiness::READABLE);
    }
}

impl TimerFd {
    /// Sets it; returns what was left.
    pub fn set(&self, to: &Setting) -> (u64, u64) {
        let mut state = self.timer.state.lock();
        let now = state.now();
        let before = state.timer.setting(now);
        state.timer.set(to.first, to.interval);
        state.is_wall = to.is_wall;
        state.cancels = to.cancels;
        state.is_canceled = false;
        let old = state.arm(self.number);
        drop(state);
        drop(old);
        before
    }

    /// Returns how long it is until it expires, 0 for never, and the interval.
    pub fn setting(&self) -> (u64, u64) {
        self.with(|timer, now| timer.setting(now))
    }

    /// Takes the expirations so far, if there are any.
    fn take(&self) -> Option<u64> {
        let count = self.with(|timer, now| timer.take(now));
        (count > 0).then_some(count)
    }

    /// Works on the timer, and sees to it that it rings when it expires next.
    fn with<R>(&self, work: impl FnOnce(&mut IntervalTimer, u64) -> R) -> R {
        let mut state = self.timer.state.lock();
        let (before, now) = (state.timer.next(), state.now());
        let result = work(&mut state.timer, now);
        let old = match state.timer.next() == before {
            true => None,
            false => state.arm(self.number),
        };
        drop(state);
        drop(old);
        result
    }

    /// Returns whether there is something to read.
    fn has_news(&self) -> bool {
        let state = self.timer.state.lock();
        let (mut timer, now) = (state.timer, state.now());
        state.is_canceled || timer.count(now) > 0
    }

    fn take_cancellation(&self) -> bool {
        core::mem::take(&mut self.timer.state.lock().is_canceled)
    }
}

impl File for TimerFd {
    fn metadata(&self) -> Metadata {
        anonymous()
    }

    fn read(&self, _: u64, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        if to.left() < size_of::<u64>() {
            return Err(IoError::Invalid);
        }
        let count = loop {
            if self.take_cancellation() {
                return Err(IoError::Canceled);
            }
            match self.take() {
                Some(count) => break count,
                None if nonblocking => return Err(IoError::WouldBlock),
                None => self
                    .timer
                    .rung
                    .wait_until_interruptible(|| self.has_news())?,
            }
        };
        Ok(to.put(&count.to_ne_bytes())?)
    }

    fn readiness(&self) -> Readiness {
        match self.has_news() {
            true => Readiness::from_bits_truncate(0x1),
            false => Readiness::empty(),
        }
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        Some(&self.timer.pollers)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }

    fn name(&self) -> &'static str {
        "anon_inode:[timerfd]"
    }
}

impl Drop for TimerFd {
    fn drop(&mut self) {
        let gone = TIMERS.lock().remove(&self.number);
        drop(gone);
        let due = self.timer.state.lock().due.take();
        drop(due);
    }
}
