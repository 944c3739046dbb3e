//! Stopping the other CPUs for good.
//!
//! At power-off they are asked in an interrupt, so that they hold no spin lock when they stop and what is counted and compared then is
//! whole. In a panic there is no time to ask: an NMI stops them wherever they are.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use cpumask::{AtomicCpuMask, CpuMask};
use lapic::Message;

use super::{call_function, online, send};
use crate::arch::{cpu, timer};
use crate::percpu::cpu_id;

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

/// Stops this CPU.
pub fn here() -> ! {
    STOPPED.insert(cpu_id());
    cpu::halt()
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
