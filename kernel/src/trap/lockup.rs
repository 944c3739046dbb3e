//! A CPU that ticks but does not schedule, although it should: soft lockup.
//!
//! Kernel code that has turned preemption off and does not come to an end still hears the timer. Each tick
//! looks whether the wish to reschedule has gone unheard for too long
//! (`softlockup=MS`), and says so once, with where the CPU is. Code that runs with interrupts off
//! is [`super::hard_lockup`]'s business.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use watch::Watch;

use super::report;
use crate::arch::local;
use crate::arch::trapframe::TrapFrame;
use crate::locks::{SpinLock, rank};
use crate::mm::counters::SOFT_LOCKUPS;
use crate::percpu::{MAX_CPUS, PerCpu};
use crate::task;

/// After how many ns it is too long; 0 for never.
static LIMIT: AtomicU64 = AtomicU64::new(0);

static WATCHES: PerCpu<SpinLock<Watch, { rank::TASK }>> =
    PerCpu::new([const { SpinLock::new(Watch::new()) }; MAX_CPUS]);

/// Sets the time in ns after which a CPU counts as locked up; 0 for never.
pub fn set_limit(ns: u64) {
    LIMIT.store(ns, Relaxed);
}

/// Looks at this CPU; the timer interrupt calls it when it has done its work.
pub fn look(frame: &TrapFrame, now: u64) {
    let limit = LIMIT.load(Relaxed);
    if limit == 0 || !task::current::exists() {
        return;
    }
    let heard = local::schedules().into();
    let stuck = WATCHES
        .this()
        .lock()
        .look(now, local::need_resched(), heard, limit);
    if let Some(lasted) = stuck {
        SOFT_LOCKUPS.inc();
        report::soft_lockup(frame, lasted);
    }
}
