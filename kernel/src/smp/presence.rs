//! Which CPUs are there, and how one goes.
//!
//! ```text
//!             is online   is active   is asked
//!   starts        –           –           –
//!   set_up        x           x           –      takes messages, is given tasks
//!   ask           x           –           x      is given none; what it has moves on
//!   agree         x           –           –      has none left, and will go for certain
//!   farewell      –           –           –      takes no messages; halts
//! ```
//!
//! Between *ask* and *agree* the one who asked may take it back: whoever takes the bit out has decided.

use cpumask::{AtomicCpuMask, CpuMask};

use super::{answer, call_function};
use crate::arch::{cpu, timer};
use crate::percpu::cpu_id;

/// CPUs that run this kernel's code and take messages. The one that boots is among them from the start.
static ONLINE: AtomicCpuMask = AtomicCpuMask::new(CpuMask::of(0));
/// CPUs that are given tasks.
static ACTIVE: AtomicCpuMask = AtomicCpuMask::new(CpuMask::of(0));
/// CPUs that are asked to go.
static ASKED: AtomicCpuMask = AtomicCpuMask::new(CpuMask::EMPTY);
/// CPUs that have gone, and can be started again.
static GONE: AtomicCpuMask = AtomicCpuMask::new(CpuMask::EMPTY);

/// Returns the CPUs that are there and can be sent messages.
#[inline]
pub fn online() -> CpuMask {
    ONLINE.load()
}

/// Returns the CPUs that may be given tasks: those online, but for one that is about to go.
#[inline]
pub fn active() -> CpuMask {
    ACTIVE.load()
}

/// Returns the CPUs that have been online.
pub fn known() -> CpuMask {
    online() | gone()
}

/// Returns the CPUs that have gone.
pub fn gone() -> CpuMask {
    GONE.load()
}

/// Says that this CPU takes messages from now on, and tasks.
pub fn set_up(cpu: usize) {
    GONE.remove(cpu);
    ONLINE.insert(cpu);
    ACTIVE.insert(cpu);
}

/// Asks a CPU to go when it has nothing left to do.
pub fn ask(cpu: usize) {
    ACTIVE.remove(cpu);
    ASKED.insert(cpu);
}

/// Takes that back; returns whether it was in time.
pub fn take_back(cpu: usize) -> bool {
    let in_time = ASKED.remove(cpu);
    if in_time {
        ACTIVE.insert(cpu);
    }
    in_time
}

/// Returns whether this CPU is asked to go.
#[inline]
pub fn is_asked() -> bool {
    ASKED.contains(cpu_id())
}

/// Decides that this CPU goes; returns whether it still has to.
pub fn agree() -> bool {
    ASKED.remove(cpu_id())
}

/// Takes leave of the other CPUs, on one that will run no task any more: from here on nobody sends it anything. Preemption is off,
/// interrupts are on; on return they are off.
///
/// Who has seen this CPU online has put everything into its inbox as soon as it answers a call, for it looks and sends with
/// interrupts off.
pub fn take_leave() {
    let here = cpu_id();
    ONLINE.remove(here);
    call_function(online(), |_| {}, 0, true);
    cpu::irq_disable();
    answer();
    timer::disarm();
}

/// Says that this CPU has gone, and stops it; it can be started as at the first time.
pub fn go() -> ! {
    GONE.insert(cpu_id());
    cpu::halt()
}
