//! Which vector starts at which stub, on which stack, for whom.
//!
//! All 256 gates are interrupt gates (interrupts go off on entry) to the stubs of `entry`, so that
//! an interrupt nobody expected is counted and reported by name instead of faulting.
//! Programs may raise 3 (INT3) and 4 (INTO) themselves; every other `INT n` is a general
//! protection fault, 0x80 included, as on a Linux without 32-bit emulation.
//!
//! | vectors | what |
//! |---|---|
//! | 0–31 | exceptions |
//! | 0x20–0x2f | the old interrupt controllers' lines, all masked but the serial port's |
//! | 0xf0 | this CPU's timer |
//! | 0xf1, 0xf2 | other CPUs: reschedule, call a function |
//! | 0xff | the local APIC's spurious interrupt |
#![expect(unsafe_code, reason = "loading the interrupt descriptor table")]

use lazy_static::lazy_static;
use x86_64::PrivilegeLevel;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;
use x86_64::structures::idt::{Entry, HandlerFunc};

use super::entry;
use super::gdt::Ist;

/// Divide error.
pub const DIVIDE_ERROR: u64 = 0;
/// Debug exception: single step, breakpoint registers, INT1.
pub const DEBUG: u64 = 1;
/// Non-maskable interrupt.
pub const NMI: u64 = 2;
/// INT3.
pub const BREAKPOINT: u64 = 3;
/// INTO, INT 4.
pub const OVERFLOW: u64 = 4;
/// BOUND.
pub const BOUND_RANGE: u64 = 5;
/// An instruction that does not exist.
pub const INVALID_OPCODE: u64 = 6;
/// A fault while another was delivered: here nearly always a kernel stack that ran out.
pub const DOUBLE_FAULT: u64 = 8;
/// A segment marked absent.
pub const SEGMENT_NOT_PRESENT: u64 = 11;
/// A fault of the stack segment, for example a non-canonical RSP.
pub const STACK_SEGMENT: u64 = 12;
/// General protection: privileged instructions, non-canonical addresses, bad selectors.
pub const GENERAL_PROTECTION: u64 = 13;
/// Page fault.
pub const PAGE_FAULT: u64 = 14;
/// x87 floating-point error.
pub const X87_ERROR: u64 = 16;
/// An unaligned access with RFLAGS.AC set.
pub const ALIGNMENT_CHECK: u64 = 17;
/// Machine check: the hardware found an error in itself.
pub const MACHINE_CHECK: u64 = 18;
/// SSE or AVX floating-point error.
pub const SIMD_ERROR: u64 = 19;
/// The first vector that is not an exception; the old controllers' line 0.
pub const PIC_BASE: u64 = 0x20;
/// The old controllers' line 4: the first serial port.
pub const COM1_IRQ: u64 = PIC_BASE + 4;
/// The old controllers' line 5: the third serial port.
pub const COM3_IRQ: u64 = PIC_BASE + 5;
/// This CPU's timer.
pub const TIMER: u64 = 0xf0;
/// Another CPU wants this one to run its scheduler.
pub const RESCHEDULE: u64 = 0xf1;
/// Another CPU wants this one to call a function.
pub const CALL_FUNCTION: u64 = 0xf2;
/// The local APIC's spurious interrupt.
pub const SPURIOUS: u64 = 0xff;

/// Returns an exception's name as the manuals write it, for an oops.
pub fn exception_name(vector: u64) -> &'static str {
    const NAMES: [&str; 22] = [
        "#DE divide error",
        "#DB debug",
        "NMI",
        "#BP breakpoint",
        "#OF overflow",
        "#BR bound range",
        "#UD invalid opcode",
        "#NM no FPU",
        "#DF double fault",
        "reserved",
        "#TS invalid TSS",
        "#NP segment not present",
        "#SS stack segment",
        "#GP general protection",
        "#PF page fault",
        "reserved",
        "#MF x87 error",
        "#AC alignment check",
        "#MC machine check",
        "#XM SIMD error",
        "#VE virtualization",
        "#CP control protection",
    ];
    let index = usize::try_from(vector).unwrap_or(usize::MAX);
    NAMES.get(index).copied().unwrap_or(if vector < PIC_BASE {
        "reserved"
    } else {
        "interrupt"
    })
}

type Gate = Entry<HandlerFunc>;

#[repr(C, align(16))]
struct Idt([Gate; 256]);

lazy_static! {
    /// In use until the IST stacks exist.
    static ref EARLY: Idt = Idt::new(|_| None);
    static ref FINAL: Idt = Idt::new(ist_of);
}

/// Catches exceptions from now on, on whatever stack is in use.
pub fn init_early() {
    EARLY.load();
}

/// Gives four vectors their own stacks; after `gdt::init_cpu`, on each CPU.
pub fn init() {
    FINAL.load();
}

/// The vectors that must work even when RSP is worthless.
fn ist_of(vector: u64) -> Option<Ist> {
    match vector {
        DOUBLE_FAULT => Some(Ist::DoubleFault),
        NMI => Some(Ist::Nmi),
        MACHINE_CHECK => Some(Ist::MachineCheck),
        DEBUG => Some(Ist::Debug),
        _ => None,
    }
}

impl Idt {
    fn new(ist_of: fn(u64) -> Option<Ist>) -> Self {
        let mut idt = Self([Gate::missing(); 256]);
        for (vector, gate) in (0..).zip(&mut idt.0) {
            let stub = x86_64::VirtAddr::new(entry::stub_address(vector));
            // SAFETY: each stub expects exactly what the CPU pushes for its vector.
            let options = unsafe { gate.set_handler_addr(stub) };
            if matches!(vector, BREAKPOINT | OVERFLOW) {
                options.set_privilege_level(PrivilegeLevel::Ring3);
            }
            if let Some(ist) = ist_of(vector) {
                // SAFETY: `gdt::init_cpu` made these stacks; no two vectors share one.
                unsafe { options.set_stack_index(ist as u16) };
            }
        }
        idt
    }

    fn load(&'static self) {
        let pointer = DescriptorTablePointer {
            base: x86_64::VirtAddr::from_ptr(self),
            limit: (size_of::<Self>() - 1) as u16,
        };
        // SAFETY: the table lives for ever and every gate is valid.
        unsafe { lidt(&pointer) };
    }
}
