//! Every exception but the page fault: a signal for a program, an oops for the kernel (PF-11).

use super::{page_fault, report};
use crate::arch::idt;
use crate::arch::trapframe::TrapFrame;
use crate::mm::counters::{SEGV_SENT, SIGBUS_SENT};
use crate::process::{self, Signal};

const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGBUS: i32 = 7;
const SIGFPE: i32 = 8;
const SIGSEGV: i32 = 11;
/// `si_code` of a signal without a better one.
const SI_KERNEL: i32 = 128;

/// Handles vectors 0 to 31 but the page fault; entered with interrupts off.
pub fn handle(frame: &mut TrapFrame, cr2: u64) {
    match frame.vector {
        idt::DOUBLE_FAULT => report::double_fault(frame, cr2),
        idt::NMI => report::fatal(frame, cr2, "non-maskable interrupt"),
        idt::MACHINE_CHECK => report::fatal(frame, cr2, "machine check"),
        vector if frame.from_user() => {
            let (signal, what) = signal_for(vector, frame.rip);
            match signal.signo {
                SIGSEGV => SEGV_SENT.inc(),
                SIGBUS => SIGBUS_SENT.inc(),
                _ => {}
            }
            process::kill_by_fault(frame, signal, what);
        }
        // A debug exception in the kernel is a leftover of the program's own flags.
        idt::DEBUG => {}
        // A non-canonical address in a user copy raises #GP or #SS, not #PF (PF-14).
        idt::GENERAL_PROTECTION | idt::STACK_SEGMENT => {
            page_fault::fix_up(frame, cr2, "general protection fault")
        }
        vector => report::oops(frame, cr2, idt::exception_name(vector)),
    }
}

/// The signal that Linux sends for a program's exception, with its name in the log.
fn signal_for(vector: u64, rip: u64) -> (Signal, &'static str) {
    let (signo, code, addr, what) = match vector {
        idt::DIVIDE_ERROR => (SIGFPE, 1, rip, "trap divide error"),
        idt::DEBUG => (SIGTRAP, 2, rip, "trap debug"),
        idt::BREAKPOINT => (SIGTRAP, SI_KERNEL, 0, "trap int3"),
        idt::OVERFLOW => (SIGSEGV, SI_KERNEL, 0, "trap overflow"),
        idt::BOUND_RANGE => (SIGSEGV, SI_KERNEL, 0, "trap bounds"),
        idt::INVALID_OPCODE => (SIGILL, 2, rip, "trap invalid opcode"),
        idt::SEGMENT_NOT_PRESENT => (SIGBUS, SI_KERNEL, 0, "trap segment not present"),
        idt::STACK_SEGMENT => (SIGBUS, SI_KERNEL, 0, "trap stack segment"),
        idt::X87_ERROR | idt::SIMD_ERROR => (SIGFPE, 0, rip, "trap floating point"),
        idt::ALIGNMENT_CHECK => (SIGBUS, 1, 0, "trap alignment check"),
        _ => (SIGSEGV, SI_KERNEL, 0, "general protection fault"),
    };
    (Signal { signo, code, addr }, what)
}
