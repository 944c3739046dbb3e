//! Timers that are read (`timerfd`): a read takes the number of times it has expired. The counting is `event::interval`'s.
//!
//! The clock interrupt only tells that the next expiration has come; the timer is set for the one after that when somebody
//! looks, so that a short interval that nobody asks about costs nothing.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
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

/// In the clock interrupt.
fn ring(number: u32) {
    let timer = TIMERS.lock().get(&number).cloned();
    if let Some(timer) = timer {
        timer.rung.wake_all();
        timer.pollers.notify(Readiness::READABLE);
    }
}

impl TimerFd {
    /// Sets it to expire `first` (ns since boot), if at all, and after each `interval` from then on; returns what was left.
    pub fn set(&self, first: Option<u64>, interval: u64) -> (u64, u64) {
        let now = time::now_ns();
        self.with(|timer| {
            let before = timer.setting(now);
            timer.set(first, interval);
            before
        })
    }

    /// Returns how long it is until it expires, 0 for never, and the interval.
    pub fn setting(&self) -> (u64, u64) {
        self.with(|timer| timer.setting(time::now_ns()))
    }

    /// Takes the expirations so far, if there are any.
    fn take(&self) -> Option<u64> {
        let count = self.with(|timer| timer.take(time::now_ns()));
        (count > 0).then_some(count)
    }

    /// Works on the timer, and sees to it that it rings when it expires next.
    fn with<R>(&self, work: impl FnOnce(&mut IntervalTimer) -> R) -> R {
        let mut state = self.timer.state.lock();
        let before = state.timer.next();
        let result = work(&mut state.timer);
        let next = state.timer.next();
        let old = match next == before {
            true => None,
            false => core::mem::replace(
                &mut state.due,
                next.map(|at| time::call_at(at, ring, self.number)),
            ),
        };
        drop(state);
        drop(old);
        result
    }

    fn has_expired(&self) -> bool {
        let mut timer = self.timer.state.lock().timer;
        timer.count(time::now_ns()) > 0
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
            match self.take() {
                Some(count) => break count,
                None if nonblocking => return Err(IoError::WouldBlock),
                None => self
                    .timer
                    .rung
                    .wait_until_interruptible(|| self.has_expired())?,
            }
        };
        Ok(to.put(&count.to_ne_bytes())?)
    }

    fn readiness(&self) -> Readiness {
        match self.has_expired() {
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
