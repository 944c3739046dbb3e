//! Stopping the other CPUs: for a moment, or for good.
//!
//! At power-off they are asked in an interrupt, so that they hold no spin lock when they stop and what is counted and compared then is
//! whole. In a panic there is no time to ask: an NMI stops them wherever they are.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use cpumask::{AtomicCpuMask, CpuMask};
use lapic::Message;

use super::{call_function, online, send};
use crate::arch::{cpu, local, timer};
use crate::percpu::cpu_id;

/// Whether a CPU works alone, or is about to, or lets the others go on.
static IS_ALONE: AtomicBool = AtomicBool::new(false);
/// Whether the others have to wait.
static HOLD: AtomicBool = AtomicBool::new(false);
/// CPUs that wait. Empty before the next who works alone holds anybody, so that nobody is counted who is on its way out.
static PAUSED: AtomicCpuMask = AtomicCpuMask::new(CpuMask::EMPTY);
/// CPUs that have stopped.
static STOPPED: AtomicCpuMask = AtomicCpuMask::new(CpuMask::EMPTY);
/// Whether an NMI means: stop.
static BY_FORCE: AtomicBool = AtomicBool::new(false);
/// The CPU that ends the machine; [`NOBODY`] until one does.
static LAST: AtomicU32 = AtomicU32::new(NOBODY);
const NOBODY: u32 = u32::MAX;
/// How long the others are given, in ns: a CPU of an emulator may not get time for long.
const PATIENCE: u64 = 2_000_000_000;

/// Who ends the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// This CPU, from now on.
    Ours,
    /// This CPU was about to already.
    OursBefore,
    /// Another CPU.
    Other,
}

/// Claims the end of the machine for this CPU: of several that fail at once, one reports.
pub fn claim() -> Claim {
    let me = cpu_id() as u32;
    match LAST.compare_exchange(NOBODY, me, SeqCst, SeqCst) {
        Ok(_) => Claim::Ours,
        Err(last) if last == me => Claim::OursBefore,
        Err(_) => Claim::Other,
    }
}

/// Asks all others to stop and waits until they have; returns those that did not in time. Interrupts are on.
pub fn ask_others() -> CpuMask {
    call_function(others(), |_| here(), 0, false);
    wait()
}

/// Stops all others wherever they are; returns those that did not in time.
pub fn force_others() -> CpuMask {
    BY_FORCE.store(true, SeqCst);
    for cpu in others() {
        send(cpu, Message::Nmi);
    }
    wait()
}

/// Returns whether an NMI that has come means that this CPU is to stop.
pub fn is_meant() -> bool {
    BY_FORCE.load(SeqCst) && LAST.load(SeqCst) != cpu_id() as u32
}

/// Returns the CPUs that are expected to go on with their work: none while one works alone.
pub fn at_work() -> CpuMask {
    match HOLD.load(SeqCst) {
        true => CpuMask::EMPTY,
        false => online() - STOPPED.load() - PAUSED.load(),
    }
}

/// Stops this CPU.
pub fn here() -> ! {
    STOPPED.insert(cpu_id());
    cpu::halt()
}

/// Runs `work` while all other CPUs wait in an interrupt: they hold no spin lock, and change nothing.
///
/// Interrupts are on. `work` neither sleeps nor calls other CPUs.
pub fn alone<R>(work: impl FnOnce() -> R) -> R {
    undisturbed(|| hold_others(work))
}

/// Runs `work` while nobody else works alone: a CPU that comes up meanwhile would not wait.
///
/// Interrupts are on. `work` does not sleep.
pub fn undisturbed<R>(work: impl FnOnce() -> R) -> R {
    local::preempt_disable();
    // Who has to wait for its turn waits in the other's interrupt meanwhile.
    while IS_ALONE.swap(true, SeqCst) {
        cpu::relax();
    }
    let result = work();
    IS_ALONE.store(false, SeqCst);
    local::preempt_enable_no_resched();
    result
}

fn hold_others<R>(work: impl FnOnce() -> R) -> R {
    HOLD.store(true, SeqCst);
    call_function(others(), |_| pause(), 0, false);
    while !PAUSED.load().covers(others()) {
        cpu::relax();
    }
    let result = work();
    HOLD.store(false, SeqCst);
    while !PAUSED.load().is_empty() {
        cpu::relax();
    }
    result
}

/// Waits until whoever wants to be alone has done its work.
fn pause() {
    PAUSED.insert(cpu_id());
    while HOLD.load(SeqCst) {
        cpu::relax();
    }
    PAUSED.remove(cpu_id());
}

fn others() -> CpuMask {
    online().without(cpu_id()) - STOPPED.load()
}

fn wait() -> CpuMask {
    let end = timer::now_ns() + PATIENCE;
    while !others().is_empty() && timer::now_ns() < end {
        cpu::relax();
    }
    others()
}
