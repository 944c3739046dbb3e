//! Every exception but the page fault: a signal for a program, an oops for the kernel (PF-11).

use abi::Signal;
use abi::linux::{BUS_ADRALN, FPE_INTDIV, ILL_ILLOPN, TRAP_BRKPT, TRAP_TRACE};
use abi::siginfo::SI_KERNEL;

use super::{hard_lockup, page_fault, report};
use crate::arch::trapframe::TrapFrame;
use crate::arch::{cpu, fpu, idt};
use crate::mm::counters::{SEGV_SENT, SIGBUS_SENT};
use crate::process::{self, Fault};
use crate::smp;

/// Handles vectors 0 to 31 but the page fault; entered with interrupts off.
pub fn handle(frame: &mut TrapFrame, cr2: u64) {
    match frame.vector {
        idt::DOUBLE_FAULT => report::double_fault(frame, cr2),
        idt::NMI if smp::stop::is_meant() => smp::stop::here(),
        idt::NMI if hard_lockup::answer(frame) => {}
        idt::NMI => report::fatal(frame, cr2, "non-maskable interrupt"),
        idt::MACHINE_CHECK => report::fatal(frame, cr2, "machine check"),
        vector if frame.from_user() => {
            let (fault, what) = fault_of(vector, frame.rip);
            match fault.signal {
                Signal::SEGV => SEGV_SENT.inc(),
                Signal::BUS => SIGBUS_SENT.inc(),
                _ => {}
            }
            process::signal_fault(frame, &fault, what);
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

/// What Linux makes of a program's exception, with its name in the log.
fn fault_of(vector: u64, rip: u64) -> (Fault, &'static str) {
    let kernel = SI_KERNEL as u32;
    let (signal, code, addr, what) = match vector {
        idt::DIVIDE_ERROR => (Signal::FPE, FPE_INTDIV, rip, "trap divide error"),
        idt::DEBUG if cpu::take_single_step() => (Signal::TRAP, TRAP_TRACE, rip, "trap debug"),
        idt::DEBUG => (Signal::TRAP, TRAP_BRKPT, rip, "trap debug"),
        idt::BREAKPOINT => (Signal::TRAP, kernel, 0, "trap int3"),
        idt::OVERFLOW => (Signal::SEGV, kernel, 0, "trap overflow"),
        idt::BOUND_RANGE => (Signal::SEGV, kernel, 0, "trap bounds"),
        idt::INVALID_OPCODE => (Signal::ILL, ILL_ILLOPN, rip, "trap invalid opcode"),
        idt::SEGMENT_NOT_PRESENT => (Signal::BUS, kernel, 0, "trap segment not present"),
        idt::STACK_SEGMENT => (Signal::BUS, kernel, 0, "trap stack segment"),
        idt::X87_ERROR => (Signal::FPE, fpu::x87_error(), rip, "trap floating point"),
        idt::SIMD_ERROR => (Signal::FPE, fpu::simd_error(), rip, "trap floating point"),
        idt::ALIGNMENT_CHECK => (Signal::BUS, BUS_ADRALN, 0, "trap alignment check"),
        _ => (Signal::SEGV, kernel, 0, "general protection fault"),
    };
    let fault = Fault {
        signal,
        code: code as i32,
        addr,
        cr2: None,
    };
    (fault, what)
}
