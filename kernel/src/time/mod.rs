//! Time: what it is, timers that wake tasks or call, and the tick that ends slices.
//!
//! Times are nanoseconds since boot. [`timers`] decides what a CPU is interrupted for; a CPU that idles is not, unless a timer
//! of its own rings.

pub mod timers;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::arch::timer;
use crate::locks::{Interrupted, WaitQueue};

pub use crate::sched::TICK_NS;
pub use timers::{TimerGuard, call_at, interrupt, start, wake_at};

/// Unix time at boot in ns.
static BOOT_REALTIME: AtomicU64 = AtomicU64::new(0);

/// Who sleeps until a time of the wall clock.
static WALL_SLEEPERS: WaitQueue = WaitQueue::new();

/// How often the wall clock was set.
static WALL_CHANGES: AtomicU64 = AtomicU64::new(0);

/// When the run is to end itself, in ns since boot.
static LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);

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

/// Says what Unix time it is now, in ns, which is not before boot. Who sleeps until a time of it looks again.
pub fn set_realtime_ns(ns: u64) {
    BOOT_REALTIME.store(ns.saturating_sub(now_ns()), Relaxed);
    WALL_CHANGES.fetch_add(1, Relaxed);
    WALL_SLEEPERS.wake_all();
}

/// Returns what Unix time it was at boot, in ns.
pub fn realtime_at_boot_ns() -> u64 {
    BOOT_REALTIME.load(Relaxed)
}

/// Returns when, in ns since boot, the clock on the wall will show `ns`.
pub fn when_realtime(ns: u64) -> u64 {
    ns.saturating_sub(BOOT_REALTIME.load(Relaxed))
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

/// Returns when that is, in ns since boot.
fn limit() -> Option<u64> {
    Some(LIMIT.load(Relaxed)).filter(|limit| *limit != u64::MAX)
}

/// Sleeps until the clock on the wall shows `ns`, however it is set meanwhile, or until the task has to end.
pub fn sleep_until_realtime(ns: u64) -> Result<(), Interrupted> {
    while realtime_ns() < ns {
        let changes = WALL_CHANGES.load(Relaxed);
        let _timer = wake_at(when_realtime(ns));
        WALL_SLEEPERS.wait_until_interruptible(|| {
            realtime_ns() >= ns || WALL_CHANGES.load(Relaxed) != changes
        })?;
    }
    Ok(())
}

/// Sleeps until `deadline` (ns since boot), or until the task has to end.
pub fn sleep_until(deadline: u64) -> Result<(), Interrupted> {
    let nobody_wakes = WaitQueue::new();
    let _timer = wake_at(deadline);
    nobody_wakes.wait_until_interruptible(|| now_ns() >= deadline)
}
