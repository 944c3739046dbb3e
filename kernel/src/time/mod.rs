//! Time: timers that wake tasks or call, and the tick that ends slices.
//!
//! The local APIC's timer is armed for the next thing that happens: the earliest deadline, or the
//! next tick. Times are nanoseconds since boot.

use alloc::collections::BTreeMap;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::arch::timer;
use crate::locks::{Interrupted, SpinLock, WaitQueue, rank};
use crate::mm::counters::TIMER_INTERRUPTS;
use crate::sched;
use crate::task::{self, TaskRef, lockcheck};

/// Time between two ticks: 4 ms.
pub const TICK_NS: u64 = 4_000_000;

/// Deadlines, earliest first; the second number tells equal ones apart.
static TIMERS: SpinLock<BTreeMap<(u64, u64), Due>, { rank::TIMER }> =
    SpinLock::new(BTreeMap::new());
static NEXT_TIMER: AtomicU64 = AtomicU64::new(0);
/// Unix time at boot in ns.
static BOOT_REALTIME: AtomicU64 = AtomicU64::new(0);

/// When the run is to end itself, in ns since boot.
static LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);

/// What happens at a deadline.
enum Due {
    /// A task is woken.
    Wake(TaskRef),
    /// A layer above is called with its number, in the interrupt.
    Call(fn(u32), u32),
}

/// A timer that wakes a task or calls a function; dropping it disarms it.
#[must_use = "a timer that is dropped never rings"]
pub struct TimerGuard {
    key: (u64, u64),
}

/// Returns nanoseconds since boot; never goes back.
pub fn now_ns() -> u64 {
    timer::now_ns()
}

/// Returns Unix time in nanoseconds.
pub fn realtime_ns() -> u64 {
    BOOT_REALTIME.load(Relaxed) + now_ns()
}

/// Says what Unix time it is now, in seconds; boot reads it from the CMOS clock.
pub fn set_realtime(seconds: u64) {
    BOOT_REALTIME.store((seconds * 1_000_000_000).saturating_sub(now_ns()), Relaxed);
}

/// Sets the time in seconds after which the machine ends itself, if any.
pub fn set_limit(seconds: Option<u64>) {
    let limit = seconds.map_or(u64::MAX, |seconds| seconds.saturating_mul(1_000_000_000));
    LIMIT.store(limit, Relaxed);
}

/// Returns whether the time set for this run is over.
pub fn limit_passed() -> bool {
    now_ns() >= LIMIT.load(Relaxed)
}

/// Starts the tick.
pub fn start() {
    timer::arm(now_ns() + TICK_NS);
}

/// Makes the current task be woken at `deadline` (ns since boot), unless the guard goes first.
pub fn wake_at(deadline: u64) -> TimerGuard {
    insert(deadline, Due::Wake(task::current_ref()))
}

/// Calls `call` with `argument` at `deadline` (ns since boot), in the interrupt, unless the guard goes first.
pub fn call_at(deadline: u64, call: fn(u32), argument: u32) -> TimerGuard {
    insert(deadline, Due::Call(call, argument))
}

fn insert(deadline: u64, due: Due) -> TimerGuard {
    let key = (deadline, NEXT_TIMER.fetch_add(1, Relaxed));
    let mut timers = TIMERS.lock();
    timers.insert(key, due);
    if timers
        .first_key_value()
        .is_some_and(|(first, _)| *first == key)
    {
        timer::arm(deadline.min(now_ns() + TICK_NS));
    }
    TimerGuard { key }
}

/// Sleeps until `deadline` (ns since boot), or until the task has to end.
pub fn sleep_until(deadline: u64) -> Result<(), Interrupted> {
    let nobody_wakes = WaitQueue::new();
    let _timer = wake_at(deadline);
    nobody_wakes.wait_until_interruptible(|| now_ns() >= deadline)
}

/// The timer interrupt: wakes or calls who is due, ends slices, arms the next one. Interrupts are off.
pub fn interrupt() {
    TIMER_INTERRUPTS.inc();
    let now = now_ns();
    while let Some(due) = take_due(now) {
        match due {
            Due::Wake(task) => sched::wake(&task),
            Due::Call(call, argument) => lockcheck::in_interrupt(|| call(argument)),
        }
    }
    sched::tick(now);
    let next = TIMERS
        .lock()
        .first_key_value()
        .map_or(u64::MAX, |((deadline, _), _)| *deadline);
    timer::arm(next.min(now + TICK_NS));
}

fn take_due(now: u64) -> Option<Due> {
    let mut timers = TIMERS.lock();
    let first = timers.first_entry()?;
    (first.key().0 <= now).then(|| first.remove())
}

impl Drop for TimerGuard {
    fn drop(&mut self) {
        let due = TIMERS.lock().remove(&self.key);
        drop(due);
    }
}
