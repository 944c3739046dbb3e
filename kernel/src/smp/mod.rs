//! The processors together: which are there, and how one makes the others do something.
//!
//! - [`presence`]: who is there, and how one goes.
//! - [`call`](mod@call): a function that other CPUs run in an interrupt, and waiting until they have.
//! - [`stop`]: the others stop for good: gently at power-off, by force in a panic.
//!
//! | message | vector | the receiver |
//! |---|---|---|
//! | reschedule | [`idt::RESCHEDULE`] | sets its `need_resched`; the way out of the interrupt looks at that |
//! | call | [`idt::CALL_FUNCTION`] | runs what is in its inbox |
//! | stop in a panic | NMI | halts, wherever it is |
//! | hard lockup | NMI | tells where it is |
//!
//! Nothing here allocates or sleeps.

pub mod call;
pub mod presence;
pub mod stop;

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use lapic::Message;

use crate::arch::{apic, idt, local};
use crate::percpu::counters::RESCHEDULES_SENT;
use crate::percpu::{MAX_CPUS, PerCpu};

pub use call::{answer, call_function};
pub use presence::{active, online};

/// The local APIC of each CPU.
static APIC_ID: PerCpu<AtomicU32> = PerCpu::new([const { AtomicU32::new(0) }; MAX_CPUS]);

/// Says which local APIC a CPU has; before anybody sends it anything.
pub fn set_apic_id(cpu: usize, apic_id: u32) {
    APIC_ID.of(cpu).store(apic_id, Relaxed);
}

/// Returns the number of a CPU's local APIC.
pub fn apic_id(cpu: usize) -> u32 {
    APIC_ID.of(cpu).load(Relaxed)
}

/// Asks CPU `cpu` to run its scheduler at the next chance, and wakes it if it waits.
///
/// Its flag is set at once; the message is for a CPU that would not look at it by itself. No lock, any context.
pub fn send_reschedule(cpu: usize) {
    local::head_of(cpu).set_need_resched();
    if cpu != crate::percpu::cpu_id() {
        RESCHEDULES_SENT.inc();
        send(cpu, Message::Interrupt(idt::RESCHEDULE as u8));
    }
}

/// Interrupts CPU `cpu` wherever it is; its handler finds out what for. No lock, any context.
pub fn send_nmi(cpu: usize) {
    send(cpu, Message::Nmi);
}

fn send(cpu: usize, message: Message) {
    let to = apic_id(cpu);
    apic::send(lapic::Command { to, message });
}
