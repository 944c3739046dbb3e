//! Memory touched at any address, with one machine instruction each, so that a fault is exactly the one asked for.
//!
//! Nothing is checked. The addresses come from [`crate::map`] or are wild on purpose; a program that pokes its own
//! variables through here gets what it deserves.
#![expect(
    unsafe_code,
    reason = "reads, writes and jumps at addresses Rust knows nothing of"
)]

use std::arch::asm;

/// The page size.
pub const PAGE: u64 = 4096;

/// Reads one byte.
#[must_use]
pub fn peek(addr: u64) -> u8 {
    let value: u8;
    // SAFETY: a one-byte load: it yields a value or faults, and the caller wants to know which.
    unsafe {
        asm!("mov {v}, byte ptr [{a}]", v = out(reg_byte) value, a = in(reg) addr, options(nostack))
    };
    value
}

/// Writes one byte.
pub fn poke(addr: u64, value: u8) {
    // SAFETY: a one-byte store to memory no Rust object lives in (see the head of this file), or a fault.
    unsafe {
        asm!("mov byte ptr [{a}], {v}", v = in(reg_byte) value, a = in(reg) addr, options(nostack))
    };
}

/// Reads eight bytes.
#[must_use]
pub fn peek64(addr: u64) -> u64 {
    let value: u64;
    // SAFETY: as in `peek`.
    unsafe {
        asm!("mov {v}, qword ptr [{a}]", v = out(reg) value, a = in(reg) addr, options(nostack))
    };
    value
}

/// Writes eight bytes.
pub fn poke64(addr: u64, value: u64) {
    // SAFETY: as in `poke`.
    unsafe {
        asm!("mov qword ptr [{a}], {v}", v = in(reg) value, a = in(reg) addr, options(nostack))
    };
}

/// Calls the code at `addr` as a function that takes and returns a number.
#[must_use]
pub fn run(addr: u64, argument: u64) -> u64 {
    let result: u64;
    // SAFETY: the caller put code that follows the C convention there, or wants the fetch to fault.
    unsafe {
        asm!("call {a}", a = in(reg) addr, in("rdi") argument, lateout("rax") result, clobber_abi("C"))
    };
    result
}

/// Gives the stack pointer.
#[must_use]
#[inline(always)]
pub fn stack_pointer() -> u64 {
    let value: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {v}, rsp", v = out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Writes a byte `distance` bytes below the stack pointer and reads it back.
#[must_use]
pub fn touch_below_stack(distance: u64) -> u8 {
    let value: u8;
    // SAFETY: memory below the stack pointer (and far below the red zone) belongs to nobody.
    unsafe {
        asm!(
            "mov {t}, rsp",
            "sub {t}, {d}",
            "mov byte ptr [{t}], 77",
            "mov {v}, byte ptr [{t}]",
            t = out(reg) _, d = in(reg) distance, v = out(reg_byte) value,
            options(nostack),
        );
    }
    value
}
