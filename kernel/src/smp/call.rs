//! Functions that other CPUs run in an interrupt.
//!
//! Each CPU has two slots for what it asks of others: one for calls it waits for, one for calls it does not. In every
//! receiver's inbox lies one bit for each CPU that asks:
//!
//! ```text
//!   sender                                receiver, in the interrupt
//!   slot.request = (call, argument)
//!   slot.unanswered = receivers
//!   inbox of each += sender, message      inbox -> empty; for each sender that was in it:
//!                                             run its slot's request
//!                                             slot.unanswered -= receiver
//!   wait until slot.unanswered is empty
//! ```
//!
//! The sender waits with interrupts on, so that it answers others meanwhile: two CPUs that call each other both get on
//! (TLB-12). Spin locks keep interrupts off, so that none is held. Preemption is off: a slot belongs to one call at a time.

use cpumask::{AtomicCpuMask, CpuMask};
use lapic::Message;

use super::{online, send};
use crate::arch::{cpu, idt, local};
use crate::locks::{SpinLock, rank};
use crate::percpu::counters::CALLS_SENT;
use crate::percpu::{MAX_CPUS, PerCpu, cpu_id};

/// A function that runs on other CPUs, with interrupts off; it takes no lock that a sender may hold, and does not sleep.
pub type Call = fn(usize);

/// What a CPU asks of others.
struct Slot {
    request: SpinLock<Option<(Call, usize)>, { rank::CALL }>,
    /// Who has not run it yet.
    unanswered: AtomicCpuMask,
}

/// A way to ask: the slots of all senders, and the inboxes of all receivers.
struct Channel {
    slots: PerCpu<Slot>,
    inboxes: PerCpu<AtomicCpuMask>,
}

/// Calls that their senders wait for.
static WAITED: Channel = Channel::new();
/// Calls that they do not wait for.
static POSTED: Channel = Channel::new();

/// Runs `call(argument)` on every CPU of `cpus` that is online, this one included if it is named.
///
/// With `wait` it has run everywhere on return. Without, a CPU that has interrupts off runs it later; the sender waits only
/// for the answers to its own call before.
///
/// # Panics
/// In builds with debug assertions, if interrupts are off (TLB-12).
pub fn call_function(cpus: CpuMask, call: Call, argument: usize, wait: bool) {
    local::preempt_disable();
    let me = cpu_id();
    let channel = if wait { &WAITED } else { &POSTED };
    if !(cpus & online()).without(me).is_empty() {
        debug_assert!(
            cpu::irqs_enabled(),
            "who calls other CPUs answers theirs meanwhile (TLB-12)"
        );
        channel.slots.of(me).wait();
        channel.ask(me, cpus, call, argument);
    }
    if cpus.contains(me) {
        let irq = cpu::irq_save();
        call(argument);
        cpu::irq_restore(irq);
    }
    if wait {
        channel.slots.of(me).wait();
    }
    local::preempt_enable_no_resched();
}

/// Runs what others ask of this CPU: the interrupt's handler. Interrupts are off.
pub fn answer() {
    let me = cpu_id();
    for channel in [&WAITED, &POSTED] {
        channel.answer(me);
    }
}

impl Channel {
    const fn new() -> Self {
        Self {
            slots: PerCpu::new(
                [const {
                    Slot {
                        request: SpinLock::new(None),
                        unanswered: AtomicCpuMask::new(CpuMask::EMPTY),
                    }
                }; MAX_CPUS],
            ),
            inboxes: PerCpu::new([const { AtomicCpuMask::new(CpuMask::EMPTY) }; MAX_CPUS]),
        }
    }

    /// Sends a request. Who looks who is there sends at once, with interrupts off: a CPU that goes waits for that
    /// ([`presence`](super::presence)).
    fn ask(&self, me: usize, cpus: CpuMask, call: Call, argument: usize) {
        let irq = cpu::irq_save();
        let others = (cpus & online()).without(me);
        let slot = self.slots.of(me);
        *slot.request.lock() = Some((call, argument));
        slot.unanswered.store(others);
        for to in others {
            // A message is on its way already if the inbox was not empty.
            if self.inboxes.of(to).fetch_insert(me).is_empty() {
                CALLS_SENT.inc();
                send(to, Message::Interrupt(idt::CALL_FUNCTION as u8));
            }
        }
        cpu::irq_restore(irq);
    }

    fn answer(&self, me: usize) {
        for from in self.inboxes.of(me).take() {
            let slot = self.slots.of(from);
            let request = *slot.request.lock();
            if let Some((call, argument)) = request {
                call(argument);
            }
            slot.unanswered.remove(me);
        }
    }
}

impl Slot {
    fn wait(&self) {
        while !self.unanswered.load().is_empty() {
            cpu::relax();
        }
    }
}
