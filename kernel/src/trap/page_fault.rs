//! The page fault, from the vector to its outcome. See docs/paths/page-fault.md.
//!
//! CR2 came in as an argument; `fault::classify` says which case it is; `mm::fault` resolves what a
//! program may do; what is left ends in a signal, in the exception table, or in an oops.

use abi::Signal;
use abi::linux::BUS_ADRERR;
use abi::siginfo::SI_KERNEL;
use addr::VirtAddr;
use fault::{Class, Context, ErrorCode, SegvCode};
use pte::Access;

use super::report;
use crate::arch::trapframe::{RFLAGS_AC, TrapFrame};
use crate::arch::{cpu, local, mmu, uaccess};
use crate::log::trace::{self, Area};
use crate::mm::counters::{FAULT_SPURIOUS, FAULTS_TOTAL, FIXUPS, SEGV_SENT, SIGBUS_SENT};
use crate::mm::fault::FaultError;
use crate::mm::{self, init_mm_root, pgtable};
use crate::process::oom::Verdict;
use crate::process::{self, Fault};
use crate::task;

/// Handles a page fault; entered with interrupts off.
pub fn handle(frame: &mut TrapFrame, cr2: u64) {
    FAULTS_TOTAL.inc();
    let context = describe(frame, cr2);
    match fault::classify(&context) {
        Class::User(access) => user_address(frame, &context, access),
        Class::KernelSpuriousCandidate if permitted_by_now(&context) => {
            mmu::flush_page(context.addr);
            FAULT_SPURIOUS.inc();
        }
        Class::ImplicitSupervisor => implicit(frame, cr2),
        Class::KernelSpuriousCandidate if context.from_user => implicit(frame, cr2),
        Class::KernelAddress | Class::KernelSpuriousCandidate | Class::NoContext => {
            bad_area(frame, &context, SegvCode::MapErr);
        }
        Class::SupervisorFetch => {
            report::oops(frame, cr2, "the kernel jumped into the user half (SMEP)")
        }
        Class::SmapViolation => report::oops(
            frame,
            cr2,
            "the kernel touched user memory outside a user copy (SMAP)",
        ),
        Class::ReservedBit => corrupted(frame, &context),
    }
}

/// PF-2: the access was the CPU's own, on behalf of a program that can do nothing about it.
///
/// The CPU's tables lie in the kernel half. At a user address it is QEMU's TCG, which reads a
/// program's stack as supervisor in a far return: that must cost the program, not the machine.
fn implicit(frame: &mut TrapFrame, cr2: u64) {
    if frame.from_user() && VirtAddr::new(cr2).is_user() {
        SEGV_SENT.inc();
        let fault = Fault {
            signal: Signal::SEGV,
            code: SI_KERNEL,
            addr: 0,
            cr2: None,
        };
        return process::signal_fault(frame, &fault, "general protection fault");
    }
    report::oops(
        frame,
        cr2,
        "the CPU failed to read a table of its own for a program (GDT, IDT, TSS)",
    )
}

/// PF-3: the tables of a program are damaged. It ends, wherever it was; the others go on.
fn corrupted(frame: &mut TrapFrame, context: &Context) {
    let (what, addr) = (
        "a page table entry has reserved bits set",
        context.addr.as_u64(),
    );
    let mm = task::current::exists().then(task::current_mm).flatten();
    let is_copy = uaccess::search_exception_table(frame.rip).is_some();
    let Some(mm) = mm.filter(|_| context.from_user || is_copy && context.may_sleep) else {
        report::oops(frame, addr, what);
    };
    report::damage(frame, addr, what);
    cpu::irq_enable();
    let mended = mm.mend_entry(context.addr.page());
    log::error!(target: "oops", "the entry: {mended:?}; the program ends");
    drop(mm);
    // A kernel thread that uses the mm has no end of a program's to come to: its copy fails.
    if task::current().owner().is_some() {
        process::kill_by_fault(frame, addr, "bad page table");
    }
    if !context.from_user {
        fix_up(frame, addr, what);
    }
}

fn describe(frame: &TrapFrame, cr2: u64) -> Context {
    let exists = task::current::exists();
    Context {
        addr: VirtAddr::new(cr2),
        error: ErrorCode::from_bits_retain(frame.error),
        from_user: frame.from_user(),
        ac: frame.rflags & RFLAGS_AC != 0,
        smap: cpu::features().smap,
        interrupts_on: frame.interrupts_on(),
        may_sleep: local::preempt_count() == 0,
        // Whoever runs a program has one.
        has_mm: frame.from_user() || exists && task::current().has_mm(),
    }
}

/// A fault in the user half by somebody who has one: resolve it, or say why not.
fn user_address(frame: &mut TrapFrame, context: &Context, access: Access) {
    // I-12, PF-7: a kernel instruction may touch user memory only if the exception table says so;
    // anything else is reported before it can block on a lock.
    if !context.from_user && uaccess::search_exception_table(frame.rip).is_none() {
        report::oops(
            frame,
            context.addr.as_u64(),
            "the kernel touched user memory outside a user copy",
        );
    }
    cpu::irq_enable();
    let fault = mm::fault::Fault {
        addr: context.addr,
        access,
        present: context.error.contains(ErrorCode::PRESENT),
    };
    let result = task::current().resolve_fault(&fault);
    let result = result.expect("the classification says that the task has an mm");
    if trace::on(Area::Fault) {
        trace::event(format_args!(
            "fault {} {:#x} {access:?} ip {:#x} {result:?}",
            task::current().tid(),
            context.addr,
            frame.rip
        ));
    }
    match result {
        Ok(()) => task::current().count_fault(false),
        Err(FaultError::Segv(code)) => bad_area(frame, context, code),
        Err(FaultError::Bus) => bus_error(frame, context),
        Err(FaultError::OutOfMemory) => out_of_memory(frame, context),
    }
}

/// PF-5: only a refused write or fetch can be stale, and only if the tables allow it by now.
fn permitted_by_now(context: &Context) -> bool {
    let access = context.error.access();
    pgtable::leaf(init_mm_root(), context.addr).is_some_and(|(_, pte)| pte.permits(access, false))
}

/// SIGSEGV for a program; fix-up or oops for the kernel.
fn bad_area(frame: &mut TrapFrame, context: &Context, code: SegvCode) {
    if !context.from_user {
        return fix_up(
            frame,
            context.addr.as_u64(),
            "the kernel touched memory that is not mapped that way",
        );
    }
    SEGV_SENT.inc();
    frame.error = fault::reported_error(context);
    let fault = at_address(Signal::SEGV, code as i32, context);
    process::signal_fault(frame, &fault, "segfault");
}

/// SIGBUS with BUS_ADRERR for a program; fix-up or oops for the kernel.
fn bus_error(frame: &mut TrapFrame, context: &Context) {
    if !context.from_user {
        return fix_up(
            frame,
            context.addr.as_u64(),
            "the kernel touched a file page beyond the end",
        );
    }
    SIGBUS_SENT.inc();
    let fault = at_address(Signal::BUS, BUS_ADRERR as i32, context);
    process::signal_fault(frame, &fault, "bus error");
}

/// A page fault is told with the exact byte, and is what later frames show as the last one.
fn at_address(signal: Signal, code: i32, context: &Context) -> Fault {
    let addr = context.addr.as_u64();
    Fault {
        signal,
        code,
        addr,
        cr2: Some(addr),
    }
}

/// No frame for a program's page, or for a copy to or from it: there is room soon, or somebody ends
/// (HF-19).
fn out_of_memory(frame: &mut TrapFrame, context: &Context) {
    if process::oom::make_room("a page of a program") == Verdict::TryAgain {
        return; // to the instruction that faulted
    }
    if !context.from_user {
        return fix_up(frame, context.addr.as_u64(), "no memory for a user copy");
    }
    if task::current().fatal_signal().is_none() {
        process::kill_by_fault(frame, context.addr.as_u64(), "out of memory");
    }
}

/// Continues a kernel instruction at its fix-up, or reports a kernel bug.
pub fn fix_up(frame: &mut TrapFrame, cr2: u64, what: &str) {
    match uaccess::search_exception_table(frame.rip) {
        Some(fixup) => {
            FIXUPS.inc();
            frame.rip = fixup;
        }
        None => report::oops(frame, cr2, what),
    }
}
