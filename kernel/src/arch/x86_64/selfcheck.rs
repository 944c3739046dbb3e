//! Deliberate crimes, to see each punished.
//!
//! The kernel's test hooks call these, one per boot, and expect an oops that names the crime. Each is chosen
//! so that nothing bad happens if the protection is missing: the function then simply returns, which
//! is the failure to report.
#![expect(unsafe_code, reason = "deliberate violations of every protection")]

use core::arch::asm;
use core::hint::black_box;

use addr::VirtAddr;

/// Fetches an instruction (a harmless RET) from a page that holds data: NX.
pub fn execute_data() {
    static RET: [u8; 1] = [0xc3];
    let mut on_stack = RET;
    // SAFETY: the byte is a RET, so if it can be executed nothing happens.
    unsafe { call(black_box(&mut on_stack).as_ptr() as u64) };
}

/// Fetches an instruction from user memory, where the caller has put a RET: SMEP.
pub fn execute_user(address: VirtAddr) {
    assert!(address.is_user(), "SMEP is about user memory");
    // SAFETY: if it can be executed, the code there is a RET.
    unsafe { call(address.as_u64()) };
}

/// Reads a byte of user memory without opening it first: SMAP.
pub fn read_user(address: VirtAddr) -> u8 {
    assert!(address.is_user(), "SMAP is about user memory");
    let value: u8;
    // SAFETY: only reads; if it succeeds, the byte was mapped.
    unsafe {
        asm!("mov {}, [{}]", out(reg_byte) value, in(reg) address.as_u64(), options(readonly, nostack))
    };
    value
}

/// Writes to a constant what it already holds: WP, and the kernel image's own protection.
pub fn write_rodata() {
    static CONSTANT: [u8; 8] = *b"constant";
    // SAFETY: stores the value that is there.
    unsafe { rewrite(CONSTANT.as_ptr() as u64) };
}

/// Writes to the kernel's text what it already holds.
pub fn write_text() {
    // SAFETY: stores the value that is there.
    unsafe { rewrite(write_text as *const () as u64) };
}

/// Reads an address no page table can translate: general protection, not a page fault.
pub fn read_non_canonical() -> u8 {
    let value: u8;
    // SAFETY: always faults.
    unsafe {
        asm!("mov {}, [{}]", out(reg_byte) value, in(reg) 0x8000_0000_0000_u64, options(readonly, nostack))
    };
    value
}

/// Reads address `address`, where the caller knows nothing is mapped: page fault in kernel mode.
pub fn read_unmapped(address: VirtAddr) -> u8 {
    assert!(address.is_kernel_half(), "user memory has its own check");
    let value: u8;
    // SAFETY: only reads.
    unsafe {
        asm!("mov {}, [{}]", out(reg_byte) value, in(reg) address.as_u64(), options(readonly, nostack))
    };
    value
}

/// Divides by zero.
pub fn divide_by_zero() {
    // SAFETY: changes only the named registers.
    unsafe {
        asm!("div {:e}", in(reg) 0_u32, inout("eax") 1_u32 => _, inout("edx") 0_u32 => _, options(nostack))
    };
}

/// Executes an instruction that is guaranteed not to exist.
pub fn undefined_instruction() -> ! {
    // SAFETY: always faults.
    unsafe { asm!("ud2", options(noreturn)) }
}

/// Recurses until the kernel stack has run out: double fault.
///
/// Each level uses more than it needs but less than the guard page, so that none jumps over it.
pub fn overflow_stack() -> ! {
    let depth = recurse(0);
    panic!("the kernel stack did not run out in {depth} levels");
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let mut room = [depth; 32];
    let last = black_box(&mut room)[31];
    if last == u64::MAX {
        return last;
    }
    recurse(depth + 1) + black_box(&room)[0]
}

/// # Safety
/// The code at `address` returns at once, if it can be executed at all.
unsafe fn call(address: u64) {
    // SAFETY: the caller's promise.
    unsafe { asm!("call {}", in(reg) address, clobber_abi("C")) };
}

/// # Safety
/// There is memory at `address`.
unsafe fn rewrite(address: u64) {
    // SAFETY: the caller's promise; a byte is stored that was just loaded.
    unsafe {
        asm!("mov {0}, [{1}]", "mov [{1}], {0}", out(reg_byte) _, in(reg) address, options(nostack))
    };
}
