//! A CPU that takes no interrupts: hard lockup.
//!
//! Code that turned interrupts off and does not come to an end does not hear its own timer, so others look: each CPU, in its timer interrupt, at
//! the clocks of all others (`hardlockup=MS`). A CPU whose clock was to ring long ago is sent an NMI, and says in it, once, where it is. A CPU
//! that idles without a tick is fine, for its clock is not to ring; but as long as there is more than one CPU none rests for longer than
//! a fraction of the limit, so that somebody looks even if all others idle.
//!
//! The NMI comes between any two instructions, so its handler waits for no lock; see [`crate::log::urgently`].

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use watch::Silence;

use super::report;
use crate::arch::timer;
use crate::arch::trapframe::TrapFrame;
use crate::locks::{SpinLock, rank};
use crate::mm::counters::HARD_LOCKUPS;
use crate::percpu::{MAX_CPUS, PerCpu, cpu_id};
use crate::smp::{self, stop};
use crate::task::lockcheck;
use crate::time::timers;

/// After how many ns it is too long; 0 for never.
static LIMIT: AtomicU64 = AtomicU64::new(0);
/// How often a CPU rests at least within the limit.
const RESTS: u64 = 4;
/// How often a CPU looks at most within the limit.
const LOOKS: u64 = 16;

/// What is known of each CPU's clock.
static SILENCES: PerCpu<SpinLock<Silence, { rank::TASK }>> =
    PerCpu::new([const { SpinLock::new(Silence::new()) }; MAX_CPUS]);
/// When each CPU looks at the others next.
static NEXT_LOOK: PerCpu<AtomicU64> = PerCpu::new([const { AtomicU64::new(0) }; MAX_CPUS]);
/// For how many ns a CPU that is asked where it is has been silent; 0 for one that is not asked.
static ASKED: PerCpu<AtomicU64> = PerCpu::new([const { AtomicU64::new(0) }; MAX_CPUS]);

/// Sets the time in ns after which a CPU counts as locked up; 0 for never. Interrupts are on.
pub fn set_limit(ns: u64) {
    LIMIT.store(ns, Relaxed);
    timers::rest_at_most(ns / RESTS);
}

/// Looks at the others, if it is time; the timer interrupt calls it.
pub fn look_at_others(now: u64) {
    let limit = LIMIT.load(Relaxed);
    let next = NEXT_LOOK.this();
    if limit == 0 || now < next.load(Relaxed) {
        return;
    }
    next.store(now + limit / LOOKS, Relaxed);
    for cpu in stop::at_work().without(cpu_id()) {
        // Who finds it taken leaves the look to whoever has it.
        let Some(mut silence) = SILENCES.of(cpu).try_lock() else {
            continue;
        };
        let lasted = silence.look(now, timer::rings_at(cpu), limit);
        drop(silence);
        if let Some(lasted) = lasted {
            HARD_LOCKUPS.inc();
            ASKED.of(cpu).store(lasted, Relaxed);
            smp::send_nmi(cpu);
        }
    }
}

/// Tells where this CPU is, in an NMI, if that is what the NMI is for; returns whether it is.
pub fn answer(frame: &TrapFrame) -> bool {
    let lasted = ASKED.this().swap(0, Relaxed);
    if lasted > 0 {
        lockcheck::in_interrupt(|| report::hard_lockup(frame, lasted));
    }
    lasted > 0
}
