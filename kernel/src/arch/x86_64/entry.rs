//! Three ways in, two ways out.
//!
//! ```text
//!  user:  SYSCALL          interrupt, exception            #DB
//!            |                     |                        |      kernel: NMI #MC #DF #DB
//!       syscall_entry        stub of vector           debug_stub ------+      |
//!            |                     |                        |          |      |
//!            |              interrupt_entry  <-- from user -+          |      |
//!            |               |           |   (moved to the task stack) |      |
//!            |           from user    from kernel                paranoid_entry
//!            |             swapgs       as is                GSBASE's sign decides on swapgs
//!            v               v           v                             v
//!      upcall::syscall     upcall::trap   upcall::trap            upcall::paranoid
//!            |               |           |                             |
//!            +-- no SYSRET --+           |                             |
//!            v               v           v                             v
//!         SYSRET        return_to_user  IRET                         IRET
//!                        (IRET)
//! ```
//!
//! *Way in 1, SYSCALL.* The hardware changes nothing but CS, SS, RIP and the flags in SFMASK: RSP
//! still is the user's, so the first two instructions must find a stack through GS. RCX and R11
//! hold the user's RIP and RFLAGS.
//!
//! *Way in 2, interrupts and exceptions.* The CPU itself takes the stack from TSS.RSP0 (coming
//! from user mode) or stays on the current one, aligns it and pushes five words. A stub for each
//! vector adds the vector, and 0 where the CPU pushes no error code.
//!
//! *Way in 3, paranoid.* NMI, #MC, #DF and #DB can arrive between any two instructions of the code
//! below, also where CS says kernel while GS still (or already) is the user's. They run on IST
//! stacks and look at GSBASE itself: the kernel's is negative, a program's never is (I-11, SY-9).
//! A #DB that a program caused is moved to the task's stack, because its handler may kill or sleep.
//!
//! *Way out 1, SYSRET*, if the frame still is what SYSCALL made (`TrapFrame::allows_sysret`).
//! *Way out 2, IRET*, for all else. An IRET to user mode can fault, if somebody put a bad selector
//! or address into the frame: the fault comes from kernel code, with the user's GS, on what is left
//! of the frame. `interrupt_entry` recognises the address of that one instruction, puts the frame
//! together again and lets it look like a fault of the user's own instruction (SY-5).
//!
//! # Invariants
//! - One SWAPGS for each crossing (I-11), with interrupts off.
//! - Calls into Rust happen with RSP 16-byte aligned, the direction flag clear, and RFLAGS.AC
//!   clear where SMAP is on: SYSCALL's mask does that, the other two ways execute CLD and CLAC.
//!   CLAC does not exist without SMAP, and the kernel's text is read-only, so it is jumped over by a flag
//!   instead of patched out: two instructions, on paths that already cost hundreds.
//! - CR2 is read before anything that could fault (PF-1) and handed on as an argument.
//! - RBP is 0 at the first call above user mode, so a backtrace ends there; above kernel mode a
//!   small frame links to the interrupted function.
#![expect(unsafe_code, reason = "the kernel's entry and exit code is assembly")]

use core::arch::global_asm;
use core::mem::offset_of;

use super::local::{KSTACK_TOP, USER_RSP};
use super::trapframe::{SYSCALL_VECTOR, TrapFrame, USER_CS, USER_SS};
use super::{uaccess, upcall};

/// Bytes between two stubs.
const STUB_SIZE: u64 = 16;

unsafe extern "C" {
    /// Where SYSCALL arrives.
    pub(super) fn syscall_entry();
    /// Leaves the kernel through the `TrapFrame` at RSP; interrupts are off, all exit work is done.
    pub(super) fn return_to_user();
    /// The first of 256 stubs.
    fn interrupt_stubs();
}

/// Returns the address of `vector`'s stub.
pub(super) fn stub_address(vector: u64) -> u64 {
    interrupt_stubs as *const () as u64 + vector * STUB_SIZE
}

global_asm!(
    r#"
.macro PUSH_REGISTERS
    push rdi
    push rsi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
.endm

.macro POP_REGISTERS
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    pop rcx
    pop rdx
    pop rsi
    pop rdi
.endm

.macro CLEAR_AC
    cmp byte ptr [rip + {smap}], 0
    je .Lno_smap\@
    clac
.Lno_smap\@:
.endm

// Way in 1. RCX = user RIP, R11 = user RFLAGS, RSP and GS still the user's, interrupts off.
.global syscall_entry
.balign 16
syscall_entry:
    swapgs
    mov gs:[{user_rsp}], rsp
    mov rsp, gs:[{kstack_top}]
    push {user_ss}
    push qword ptr gs:[{user_rsp}]
    push r11
    push {user_cs}
    push rcx
    push rax
    push {syscall_vector}
    PUSH_REGISTERS
    mov rdi, rsp
    xor ebp, ebp
    call {syscall}
    test al, al
    jz return_to_user
    // Way out 1. The values in RCX and R11 are those of RIP and RFLAGS.
    POP_REGISTERS
    mov rsp, [rsp + {rsp_offset} - {vector}]
    swapgs
    sysretq

// Way in 2. The stubs: 256 pieces of 16 bytes, so that the address tells the vector.
// Each is PUSH imm8 0 (unless the CPU pushed an error code), PUSH imm32 vector, JMP.
.global interrupt_stubs
.balign 16
interrupt_stubs:
.set vector, 0
.rept 256
    .balign {stub_size}, 0xcc
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    .byte 0x6a, 0
    .endif
    .byte 0x68
    .long vector
    .if vector == 1
    jmp debug_entry
    .elseif vector == 2 || vector == 8 || vector == 18
    jmp paranoid_entry
    .else
    jmp interrupt_entry
    .endif
    .set vector, vector + 1
.endr

.balign 16
interrupt_entry:
    PUSH_REGISTERS
    test byte ptr [rsp + {cs}], 3
    jz interrupt_from_kernel
    swapgs
interrupt_from_user:
    cld
    CLEAR_AC
    mov rdi, rsp
    mov rsi, cr2
    xor ebp, ebp
    call {trap}
    // Way out 2. RSP -> TrapFrame, interrupts off, all exit work done.
.global return_to_user
return_to_user:
    POP_REGISTERS
    add rsp, 16
    swapgs
iret_to_user:
    iretq

interrupt_from_kernel:
    lea rax, [rip + iret_to_user]
    cmp [rsp + {rip_offset}], rax
    je iret_faulted
    cld
    CLEAR_AC
    mov rdi, rsp
    mov rsi, cr2
    push [rdi + {rip_offset}]
    push rbp
    mov rbp, rsp
    call {trap}
    add rsp, 16
    POP_REGISTERS
    add rsp, 16
    iretq

// IRET to user mode faulted: GS is the user's again, the registers just saved are the user's, and the
// five words IRET wanted still lie at the saved RSP. Vector, error and registers (17 words) move up to
// join them, from the top down because the two places overlap. Marking CS and SS with the user's
// privilege keeps `from_user` true when it was CS that was bad.
iret_faulted:
    swapgs
    mov rdx, [rsp + {rsp_offset}]
    or byte ptr [rdx + 8], 3
    or byte ptr [rdx + 32], 3
    lea rsi, [rsp + {rip_offset} - 8]
    lea rdi, [rdx - 8]
    mov ecx, {words_below_rip}
    std
    rep movsq
    lea rsp, [rdx - {rip_offset}]
    jmp interrupt_from_user

// Way in 3. A program's #DB goes on like any other exception, on the stack of its task. The scratch field
// is free: SYSCALL uses it only while interrupts are off and no program runs.
debug_entry:
    test byte ptr [rsp + {cs} - {vector}], 3
    jz paranoid_entry
    swapgs
    mov gs:[{user_rsp}], rdi
    mov rdi, rsp
    mov rsp, gs:[{kstack_top}]
    push [rdi + {ss} - {vector}]
    push [rdi + {rsp_offset} - {vector}]
    push [rdi + {rflags} - {vector}]
    push [rdi + {cs} - {vector}]
    push [rdi + {rip_offset} - {vector}]
    push [rdi + {error} - {vector}]
    push [rdi]
    mov rdi, gs:[{user_rsp}]
    PUSH_REGISTERS
    jmp interrupt_from_user

// RBX = whether GS was exchanged, R12 = CR2, both kept by the called Rust code.
paranoid_entry:
    PUSH_REGISTERS
    cld
    CLEAR_AC
    mov ecx, {gs_base}
    rdmsr
    xor ebx, ebx
    test edx, edx
    js 1f
    swapgs
    inc ebx
1:  mov r12, cr2
    mov rdi, rsp
    mov rsi, r12
    push [rdi + {rip_offset}]
    push rbp
    mov rbp, rsp
    call {paranoid}
    add rsp, 16
    mov cr2, r12
    test ebx, ebx
    jz 2f
    swapgs
2:  POP_REGISTERS
    add rsp, 16
    iretq
"#,
    smap = sym uaccess::SMAP,
    syscall = sym upcall::syscall,
    trap = sym upcall::trap,
    paranoid = sym upcall::paranoid,
    user_rsp = const USER_RSP,
    kstack_top = const KSTACK_TOP,
    user_ss = const USER_SS,
    user_cs = const USER_CS,
    syscall_vector = const SYSCALL_VECTOR,
    stub_size = const STUB_SIZE,
    gs_base = const 0xc000_0101_u32,
    vector = const offset_of!(TrapFrame, vector),
    error = const offset_of!(TrapFrame, error),
    rip_offset = const offset_of!(TrapFrame, rip),
    cs = const offset_of!(TrapFrame, cs),
    rflags = const offset_of!(TrapFrame, rflags),
    rsp_offset = const offset_of!(TrapFrame, rsp),
    ss = const offset_of!(TrapFrame, ss),
    words_below_rip = const offset_of!(TrapFrame, rip) / 8,
);
