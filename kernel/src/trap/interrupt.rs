//! Interrupts: the timer ticks, another CPU wants something, the serial port has input, or nobody knows why.

use super::{hard_lockup, lockup, report, serial};
use crate::arch::trapframe::TrapFrame;
use crate::arch::{apic, idt, local, pic};
use crate::fs::host;
use crate::mm::counters::{RESCHEDULES_RECEIVED, SPURIOUS_INTERRUPTS};
use crate::process::account;
use crate::smp;
use crate::task::lockcheck;
use crate::time;

/// First vector above the old controllers' sixteen lines.
const PIC_END: u64 = idt::PIC_BASE + 16;

/// Handles an interrupt with a vector above the exceptions; interrupts are off.
pub fn handle(frame: &TrapFrame) {
    match frame.vector {
        idt::TIMER => {
            apic::end_of_interrupt();
            account::tick(frame.from_user());
            time::interrupt();
            lockup::look(frame, time::now_ns());
            hard_lockup::look_at_others(time::now_ns());
            if time::limit_passed() {
                report::watchdog(frame);
            }
        }
        idt::RESCHEDULE => {
            apic::end_of_interrupt();
            RESCHEDULES_RECEIVED.inc();
            local::set_need_resched();
        }
        idt::CALL_FUNCTION => {
            apic::end_of_interrupt();
            lockcheck::in_interrupt(smp::answer);
        }
        idt::COM1_IRQ => {
            serial::interrupt();
            pic::end_of_interrupt(idt::COM1_IRQ);
        }
        idt::COM3_IRQ => {
            host::interrupt();
            pic::end_of_interrupt(idt::COM3_IRQ);
        }
        // A line of the old controllers that fell silent too early must still be ended there.
        idt::PIC_BASE..PIC_END if pic::end_of_interrupt(frame.vector) => SPURIOUS_INTERRUPTS.inc(),
        // The APIC's spurious vector and lines nobody asked for get no end-of-interrupt (SDM 3A 11.9).
        _ => SPURIOUS_INTERRUPTS.inc(),
    }
}
