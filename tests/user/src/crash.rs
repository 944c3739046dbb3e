//! Instructions that a user program may not get away with, one function each.
//!
//! A function that returns at all says so with [`SURVIVED`]; most cannot. They are run in children only, or with
//! [`crate::signals::recover`] as the handler: where to go on, and with which stack, is in R12, R13 and R14.
#![expect(unsafe_code, reason = "forbidden instructions are the subject")]

use std::arch::asm;

/// The exit code of a child that outlived the instruction that should have killed it.
pub const SURVIVED: i32 = 99;

/// Makes a function that runs a few instructions and reports that it survived them.
macro_rules! deadly {
    ($($(#[$doc:meta])* $name:ident: $($line:literal),+;)+) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name() -> i32 {
            // SAFETY: the child that runs this dies of it, or leaves at once with what it has clobbered.
            unsafe {
                asm!(
                    "lea r12, [rip + 77f]", "mov r13, rsp", "mov r14, rbp",
                    $($line),+,
                    "77:", "mov rsp, r13", "mov rbp, r14",
                    out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _,
                    out("r8") _, out("r9") _, out("r10") _, out("r11") _, out("r12") _, out("r13") _,
                    out("r14") _, out("xmm0") _, out("xmm1") _,
                )
            };
            SURVIVED
        }
    )+};
}

/// Reads the byte at an address; a handler may go on after the instruction.
#[must_use]
pub fn read(addr: u64) -> i32 {
    // SAFETY: reads one byte, if at all; a handler that skips it leaves everything as it is.
    unsafe {
        asm!("lea r12, [rip + 77f]", "mov r13, rsp", "mov r14, rbp", "mov al, [{}]", "77:",
            in(reg) addr, out("rax") _, out("r12") _, out("r13") _, out("r14") _);
    }
    SURVIVED
}

/// Writes a byte to an address; a handler may go on after the instruction.
#[must_use]
pub fn write(addr: u64) -> i32 {
    // SAFETY: the cases pass addresses where nothing of Rust's lies.
    unsafe {
        asm!("lea r12, [rip + 77f]", "mov r13, rsp", "mov r14, rbp", "mov byte ptr [{}], 1", "77:",
            in(reg) addr, out("r12") _, out("r13") _, out("r14") _);
    }
    SURVIVED
}

/// Runs the undefined instruction with 1 in RAX, and gives what is in RAX where a handler goes on.
#[must_use]
pub fn undefined_with_rax() -> u64 {
    let rax;
    // SAFETY: a handler goes on behind the instruction.
    unsafe {
        asm!("lea r12, [rip + 77f]", "mov r13, rsp", "mov r14, rbp", "ud2", "77:",
            inout("rax") 1_u64 => rax, out("r12") _, out("r13") _, out("r14") _);
    }
    rax
}

/// Jumps to an address; a handler may go on after the instruction.
#[must_use]
pub fn jump(addr: u64) -> i32 {
    // SAFETY: nothing runs there; a handler goes on behind the jump.
    unsafe {
        asm!("lea r12, [rip + 77f]", "mov r13, rsp", "mov r14, rbp", "jmp {}", "77:",
            in(reg) addr, out("r12") _, out("r13") _, out("r14") _);
    }
    SURVIVED
}

deadly! {
    /// Halts the machine, it hopes.
    hlt: "hlt";
    /// Switches interrupts off.
    cli: "cli";
    /// Reads an I/O port.
    port_in: "mov edx, 0x3f8", "in al, dx";
    /// Writes an I/O port.
    port_out: "mov edx, 0xf4", "mov al, 0x10", "out dx, al";
    /// Loads a page-table root of its own.
    mov_cr3: "xor eax, eax", "mov cr3, rax";
    /// Switches write protection off.
    mov_cr0: "mov rax, cr0";
    /// Reads a model-specific register.
    rdmsr: "mov ecx, 0xc0000080", "rdmsr";
    /// Writes a model-specific register.
    wrmsr: "mov ecx, 0xc0000080", "xor eax, eax", "xor edx, edx", "wrmsr";
    /// Loads a descriptor table of its own.
    lgdt: "lgdt [rsp]";
    /// Exchanges the GS base with the kernel's.
    swapgs: "swapgs";
    /// Calls an interrupt gate that only hardware may use.
    int_20: "int 0x20";
    /// Pretends to be a double fault.
    int_8: "int 8";
    /// Pretends to be a page fault.
    int_14: "int 14";
    /// Calls the old 32-bit overflow trap.
    int_4: "int 4";
    /// Meets a breakpoint.
    int3: "int3";
    /// Meets the undocumented one-byte debug trap.
    icebp: ".byte 0xf1";
    /// Steps: TF raises a debug trap after the next instruction.
    single_step: "pushfq", "or dword ptr [rsp], 0x100", "popfq", "nop", "nop";
    /// Divides by zero.
    divide_by_zero: "xor edx, edx", "mov eax, 1", "xor ecx, ecx", "div ecx";
    /// Divides the smallest number by minus one.
    divide_overflow: "mov eax, 0x80000000", "cdq", "mov ecx, -1", "idiv ecx";
    /// Runs the instruction that is defined to be undefined.
    ud2: "ud2";
    /// Loads sixteen bytes with an instruction that wants them aligned.
    movaps_unaligned: "lea rax, [rsp - 63]", "or rax, 1", "movaps xmm0, [rax]";
    /// Switches alignment checks on and loads from an odd address.
    alignment_check: "mov rsi, rsp", "or rsi, 1", "pushfq", "or dword ptr [rsp], 0x40000", "popfq",
        "mov eax, [rsi + 8]", "pushfq", "and dword ptr [rsp], 0xfffbffff", "popfq";
    /// Loads a selector that names no segment.
    bad_selector: "mov eax, 0x1238", "mov ds, eax";
    /// Loads a kernel data selector.
    kernel_selector: "mov eax, 0x10", "mov ss, eax";
    /// Unmasks SSE's divide-by-zero exception and raises it.
    sse_divide: "push 0x1d80", "ldmxcsr [rsp]", "pop rax", "xorps xmm1, xmm1", "mov eax, 1",
        "cvtsi2ss xmm0, eax", "divss xmm0, xmm1";
    /// Unmasks x87's divide-by-zero exception and raises it.
    x87_divide: "push 0x37b", "fldcw [rsp]", "fld1", "fldz", "fdivp", "fwait", "pop rax";
    /// Sets reserved bits in MXCSR's upper half.
    bad_mxcsr: "mov eax, 0xffff0000", "push rax", "ldmxcsr [rsp]", "pop rax";
    /// Pushes through a stack pointer that is not canonical.
    push_noncanonical: "mov rcx, rsp", "mov rsp, 0x800000001000", "push rax", "mov rsp, rcx";
    /// Reads through a frame pointer that is not canonical.
    rbp_noncanonical: "mov rcx, rbp", "mov rbp, 0x800000001000", "mov rax, [rbp]", "mov rbp, rcx";
    /// Returns to a 64-bit code segment of ring 0.
    iret_to_kernel: "mov rcx, rsp", "push 0x10", "push rcx", "pushfq", "push 0x08", "lea rax, [rip + 2f]",
        "push rax", "iretq", "2:", "nop";
    /// Returns to an address that is not canonical.
    iret_noncanonical: "mov rcx, rsp", "push 0x2b", "push rcx", "pushfq", "push 0x33", "mov rax, 0x800000000000",
        "push rax", "iretq";
    /// Makes a system call with the last instruction below the end of user space, so that it returns past it.
    syscall_at_the_top: "mov eax, 9", "mov rdi, 0x7fffffffe000", "mov esi, 4096", "mov edx, 7", "mov r10d, 0x32",
        "mov r8, -1", "xor r9d, r9d", "syscall", "mov rdi, 0x7fffffffeffe", "mov word ptr [rdi], 0x050f",
        "mov eax, 39", "jmp rdi";
}

/// Recurses until the stack is used up.
#[must_use]
pub fn recurse(depth: u64) -> u64 {
    let mut frame = [depth; 64];
    std::hint::black_box(&mut frame);
    if std::hint::black_box(depth) == u64::MAX {
        return 0;
    }
    recurse(depth + 1).wrapping_add(frame[63])
}
