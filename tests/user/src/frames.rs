//! Registers around a handler: what it finds at its first instruction, and what is left after its return.
#![expect(
    unsafe_code,
    reason = "raises signals and returns from them in assembly"
)]

use std::arch::{asm, global_asm};

use crate::sys;

/// Is what a handler found at its first instruction, by [`raise_and_look`].
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
#[allow(missing_docs, reason = "the fields are registers")]
pub struct Entry {
    pub rsp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rax: u64,
    pub rflags: u64,
    pub mxcsr: u64,
    pub r12: u64,
}

static mut ENTRY: Entry = Entry {
    rsp: 0,
    rdi: 0,
    rsi: 0,
    rdx: 0,
    rax: 0,
    rflags: 0,
    mxcsr: 0,
    r12: 0,
};

global_asm!(
    ".globl user_signal_look",
    "user_signal_look:",
    "mov r8, rsp",
    "pushfq",
    "pop r9",
    "lea r10, [rip + {entry}]",
    "mov [r10], r8",
    "mov [r10 + 8], rdi",
    "mov [r10 + 16], rsi",
    "mov [r10 + 24], rdx",
    "mov [r10 + 32], rax",
    "mov [r10 + 40], r9",
    "stmxcsr [r10 + 48]",
    "mov [r10 + 56], r12",
    "cld",
    "ret",
    entry = sym ENTRY,
);

unsafe extern "C" {
    fn user_signal_look();
}

/// Gives the address of a handler that notes the registers it starts with.
#[must_use]
pub fn looker() -> u64 {
    user_signal_look as *const () as u64
}

/// Raises `signal`, which [`looker`] handles, with odd flags and MXCSR; gives what it found, and whether all
/// registers were the same afterwards.
#[must_use]
pub fn raise_and_look(signal: i32) -> (Entry, bool) {
    let pid = sys::getpid() as u64;
    let (mxcsr, mut after) = (0x3f80_u32, 0_u32);
    let (flags, r12, xmm): (u64, u64, u64);
    // SAFETY: tgkill to this very thread; the handler touches nothing but ENTRY, and what is changed is put back.
    unsafe {
        asm!(
            "ldmxcsr [{mxcsr}]",
            "mov r12, 0x1234",
            "movq xmm5, r12",
            "std",
            "syscall",
            "pushfq",
            "pop r13",
            "cld",
            "stmxcsr [{after}]",
            "movq r14, xmm5",
            mxcsr = in(reg) &mxcsr,
            after = in(reg) &mut after,
            inout("rax") libc::SYS_tgkill => _,
            in("rdi") pid, in("rsi") pid, in("rdx") signal as u64,
            out("rcx") _, out("r11") _, out("r12") r12, out("r13") flags, out("r14") xmm,
            out("xmm5") _,
        );
    }
    let normal = 0x1f80_u32;
    // SAFETY: the value every program starts with.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &normal) };
    let kept = r12 == 0x1234 && xmm == 0x1234 && flags & 0x400 != 0 && after == mxcsr;
    let found = &raw const ENTRY;
    // SAFETY: no handler runs now.
    (unsafe { found.read() }, kept)
}

/// Raises `signal` and gives RFLAGS as they are after its handler.
#[must_use]
pub fn raise_and_read_flags(signal: i32) -> u64 {
    let pid = sys::getpid() as u64;
    let flags;
    // SAFETY: tgkill to this very thread; the direction flag, which a handler may have set, is cleared.
    unsafe {
        asm!(
            "syscall", "pushfq", "pop {flags}", "cld",
            flags = out(reg) flags,
            inout("rax") libc::SYS_tgkill => _,
            in("rdi") pid, in("rsi") pid, in("rdx") signal as u64,
            out("rcx") _, out("r11") _,
        );
    }
    flags
}

/// Raises `signal` with another stack pointer, in a child only: nothing comes back.
#[must_use]
pub fn raise_at(signal: i32, rsp: u64) -> i32 {
    let pid = sys::getpid() as u64;
    // SAFETY: the child ends here, one way or the other.
    unsafe {
        asm!(
            "mov rsp, r8", "syscall",
            "mov eax, 231", "mov edi, 99", "syscall", "ud2",
            in("rax") libc::SYS_tgkill, in("rdi") pid, in("rsi") pid, in("rdx") signal as u64,
            in("r8") rsp, options(noreturn),
        )
    }
}

/// Calls `rt_sigreturn` with this stack pointer, in a child only: nothing comes back.
#[must_use]
pub fn sigreturn_at(rsp: u64) -> i32 {
    // SAFETY: whatever the kernel makes of it, it is not this code that goes on, or the child ends.
    unsafe {
        asm!(
            "mov rsp, {}", "mov eax, 15", "syscall",
            "mov eax, 231", "mov edi, 99", "syscall", "ud2",
            in(reg) rsp, options(noreturn),
        )
    }
}

/// Reads MXCSR.
#[must_use]
pub fn mxcsr() -> u32 {
    let mut mxcsr = 0_u32;
    // SAFETY: stores into a local variable.
    unsafe { asm!("stmxcsr [{}]", in(reg) &mut mxcsr) };
    mxcsr
}

/// Writes MXCSR.
pub fn set_mxcsr(mxcsr: u32) {
    // SAFETY: the callers pass masks of all exceptions.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &mxcsr) };
}

/// Raises `signal` with `vector` in YMM5, or its first half in XMM5 without AVX; leaves there what is there afterwards.
pub fn raise_with_vector(signal: i32, vector: &mut [u8; 32]) {
    let pid = sys::getpid() as u64;
    let at = vector.as_mut_ptr();
    if std::arch::is_x86_feature_detected!("avx") {
        // SAFETY: tgkill to this very thread; loads and stores 32 bytes, and there is AVX.
        unsafe {
            asm!(
                "vmovdqu ymm5, [{at}]", "syscall", "vmovdqu [{at}], ymm5", "vzeroupper",
                at = in(reg) at,
                inout("rax") libc::SYS_tgkill => _,
                in("rdi") pid, in("rsi") pid, in("rdx") signal as u64,
                out("rcx") _, out("r11") _, out("xmm5") _,
            );
        }
    } else {
        // SAFETY: tgkill to this very thread; loads and stores 16 bytes.
        unsafe {
            asm!(
                "movdqu xmm5, [{at}]", "syscall", "movdqu [{at}], xmm5",
                at = in(reg) at,
                inout("rax") libc::SYS_tgkill => _,
                in("rdi") pid, in("rsi") pid, in("rdx") signal as u64,
                out("rcx") _, out("r11") _, out("xmm5") _,
            );
        }
    }
}

/// Reads XMM5, and then fills it with ones.
#[must_use]
pub fn exchange_vector() -> [u64; 2] {
    let mut found = [0_u64; 2];
    // SAFETY: stores 16 bytes into a local variable.
    unsafe {
        asm!("movdqu [{}], xmm5", "pcmpeqd xmm5, xmm5", in(reg) &mut found, out("xmm5") _);
    }
    found
}
