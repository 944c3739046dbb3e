//! The only instructions that may touch user memory (with those of [`fpu_frame`](super::fpu_frame)), and what happens if they fault.
//!
//! Each is listed in the exception table (`.ex_table`, pairs of addresses: the instruction, and where to go
//! on). A page fault in one of them is first handled like a program's own: pages appear, copies are made,
//! the stack grows. Only if the program could not have done it either, the trap code asks
//! [`search_exception_table`] and continues at the fix-up, and the copy reports how much is missing: a
//! wrong pointer is an error code, never a crash (PF-14). Non-canonical addresses raise a general protection
//! fault instead and take the same way.
//!
//! With SMAP, STAC opens user memory for the copy and CLAC closes it. An interrupt or fault in
//! between closes it as well (`entry`), and the saved flags open it again on the way back.
//!
//! The safe functions below first check that the range lies in user space: the kernel's own memory cannot be
//! named through them. They may sleep in the fault handler, so no spin lock may be held (PF-17).
//!
//! # Invariants
//! - `.ex_table` holds only addresses of this file and of [`fpu_frame`](super::fpu_frame).
//! - A fix-up of a REP instruction of this file finds in RCX how many units it has left.
#![expect(unsafe_code, reason = "the only instructions that touch user memory")]

use core::arch::{asm, naked_asm};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use addr::{VirtAddr, user_range};
use zerocopy::FromBytes;

/// Whether SMAP is on; read by assembly here and in `entry`.
pub(super) static SMAP: AtomicBool = AtomicBool::new(false);

/// Tells the assembly whether STAC and CLAC exist.
pub(super) fn set_smap(on: bool) {
    SMAP.store(on, Relaxed);
}

/// Copies from the user address `source` and returns how many bytes were *not* copied.
#[inline]
pub fn copy_from_user(destination: &mut [u8], source: u64) -> usize {
    let len = destination.len();
    if user_range(source, len as u64).is_none() {
        return len;
    }
    // SAFETY: the destination is a slice of `len` bytes; the source is user memory.
    unsafe { copy(destination.as_mut_ptr() as u64, source, len) }
}

/// Reads a value from the user address `source`; `None` if not all of it is readable.
#[inline]
pub fn read<T: FromBytes>(source: u64) -> Option<T> {
    let mut place = MaybeUninit::uninit();
    read_into(&mut place, source)?;
    // SAFETY: what was read stands there.
    Some(unsafe { place.assume_init() })
}

/// As [`read`], to a place that the caller has: a large value is not moved.
#[inline]
pub fn read_into<T: FromBytes>(place: &mut MaybeUninit<T>, source: u64) -> Option<&mut T> {
    user_range(source, size_of::<T>() as u64)?;
    // SAFETY: there is room for all of the value; the source is user memory.
    let left = unsafe { copy(place.as_mut_ptr() as u64, source, size_of::<T>()) };
    if left != 0 {
        return None;
    }
    // SAFETY: every byte was written, and any bytes are a `T`.
    Some(unsafe { place.assume_init_mut() })
}

/// Reads four words from the user address `source` into registers; `None` if not all of them are readable.
#[inline]
pub fn read_words(source: u64) -> Option<[u64; 4]> {
    user_range(source, 32)?;
    let [a, b, c, d, failed]: [u64; 5];
    // SAFETY: the source is user memory, and each load is in the exception table.
    unsafe {
        asm!(
            "cmp byte ptr [rip + {smap}], 0",
            "je 2f",
            "stac",
            "2: mov {a}, [{source}]",
            "3: mov {b}, [{source} + 8]",
            "4: mov {c}, [{source} + 16]",
            "5: mov {d}, [{source} + 24]",
            "xor {failed:e}, {failed:e}",
            "6: cmp byte ptr [rip + {smap}], 0",
            "je 7f",
            "clac",
            "7:",
            ".pushsection .text.fixup, \"ax\"",
            "8: mov {failed:e}, 1",
            "jmp 6b",
            ".popsection",
            ".pushsection .ex_table, \"a\"",
            ".quad 2b, 8b",
            ".quad 3b, 8b",
            ".quad 4b, 8b",
            ".quad 5b, 8b",
            ".popsection",
            smap = sym SMAP,
            source = in(reg) source,
            a = out(reg) a,
            b = out(reg) b,
            c = out(reg) c,
            d = out(reg) d,
            failed = out(reg) failed,
            options(nostack),
        );
    }
    (failed == 0).then_some([a, b, c, d])
}

/// Copies to the user address `destination` and returns how many bytes were *not* copied.
#[inline]
pub fn copy_to_user(destination: u64, source: &[u8]) -> usize {
    let len = source.len();
    if user_range(destination, len as u64).is_none() {
        return len;
    }
    // SAFETY: the source is a slice of `len` bytes; the destination is user memory.
    unsafe { copy(destination, source.as_ptr() as u64, len) }
}

/// Copies from user memory to memory that programs may see as well; returns how many bytes were *not* copied.
///
/// # Safety
/// `destination` is valid for writes of `len` bytes, and no reference to them exists.
pub unsafe fn copy_from_user_to(destination: u64, source: u64, len: usize) -> usize {
    if user_range(source, len as u64).is_none() {
        return len;
    }
    // SAFETY: the caller vouches for the destination; the source is user memory.
    unsafe { copy(destination, source, len) }
}

/// Copies to user memory from memory that programs may see as well; returns how many bytes were *not* copied.
///
/// # Safety
/// `source` is valid for reads of `len` bytes.
pub unsafe fn copy_to_user_from(destination: u64, source: u64, len: usize) -> usize {
    if user_range(destination, len as u64).is_none() {
        return len;
    }
    // SAFETY: the caller vouches for the source; the destination is user memory.
    unsafe { copy(destination, source, len) }
}

/// Zeroes `len` bytes at the user address `destination` and returns how many were *not* zeroed.
pub fn clear_user(destination: u64, len: usize) -> usize {
    if user_range(destination, len as u64).is_none() {
        return len;
    }
    // SAFETY: the destination is user memory.
    unsafe { clear(destination, len) }
}

/// How the copy of a string ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringCopy {
    /// The string ended: its length without the NUL, which was copied too.
    Terminated(usize),
    /// The buffer is full and no NUL was seen.
    Full,
    /// An address could not be read, after so many bytes without a NUL.
    Fault(usize),
}

/// Copies a string that ends with NUL from the user address `source`.
pub fn copy_string_from_user(destination: &mut [u8], source: u64) -> StringCopy {
    // The string may end just below the end of user space: only what could be read is asked for.
    let readable = addr::USER_END.saturating_sub(source);
    let len = destination
        .len()
        .min(usize::try_from(readable).unwrap_or(usize::MAX));
    // SAFETY: the destination holds at least `len` bytes; the source is user memory.
    let packed = unsafe { copy_string(destination.as_mut_ptr() as u64, source, len) };
    let copied = packed.copied as usize;
    match packed.end {
        STRING_NUL => StringCopy::Terminated(copied),
        STRING_LIMIT if len == destination.len() => StringCopy::Full,
        _ => StringCopy::Fault(copied),
    }
}

/// Reads a word of the kernel half that may not be there; for backtraces and dumps.
pub fn read_kernel_word(address: VirtAddr) -> Option<u64> {
    if !address.is_kernel_half() {
        return None;
    }
    // SAFETY: the one load is in the exception table.
    let word = unsafe { try_read(address.as_u64()) };
    (word.failed == 0).then_some(word.value)
}

/// Returns where to go on after a fault at `rip`, if that instruction is allowed to fault.
pub fn search_exception_table(rip: u64) -> Option<u64> {
    let table = exception_table();
    table
        .iter()
        .find(|entry| entry.instruction == rip)
        .map(|entry| entry.fixup)
}

/// One pair of `.ex_table`.
#[repr(C)]
struct ExceptionEntry {
    instruction: u64,
    fixup: u64,
}

unsafe extern "C" {
    static __ex_table_start: ExceptionEntry;
    static __ex_table_end: ExceptionEntry;
}

/// A dozen entries: they are searched in the order they were written.
fn exception_table() -> &'static [ExceptionEntry] {
    let start = &raw const __ex_table_start;
    let bytes = (&raw const __ex_table_end).addr() - start.addr();
    // SAFETY: the linker script puts both symbols around a read-only array of entries.
    unsafe { core::slice::from_raw_parts(start, bytes / size_of::<ExceptionEntry>()) }
}

/// Copies `len` bytes and returns how many are left after a fault that could not be repaired.
///
/// Eight bytes at a time, then the rest singly. If a word faults, its bytes are tried one by one, so that the
/// count is exact (PF-15).
///
/// # Safety
/// Either address may be anything in user memory; the other one is valid for `len` bytes.
#[unsafe(naked)]
unsafe extern "C" fn copy(destination: u64, source: u64, len: usize) -> usize {
    naked_asm!(
        "mov rcx, rdx",
        "shr rcx, 3",
        "and edx, 7",
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "stac",
        "2: rep movsq",
        "mov ecx, edx",
        "4: rep movsb",
        "5: cmp byte ptr [rip + {smap}], 0",
        "je 6f",
        "clac",
        "6: mov rax, rcx",
        "ret",
        // A word faulted: RCX words and RDX bytes are left, all of them to be tried as bytes.
        "7: lea rcx, [rdx + rcx * 8]",
        "jmp 4b",
        ".pushsection .ex_table, \"a\"",
        ".quad 2b, 7b",
        ".quad 4b, 5b",
        ".popsection",
        smap = sym SMAP,
    )
}

/// Zeroes `len` bytes and returns how many are left after a fault that could not be repaired.
///
/// # Safety
/// `destination` is in user memory.
#[unsafe(naked)]
unsafe extern "C" fn clear(destination: u64, len: usize) -> usize {
    naked_asm!(
        "mov rcx, rsi",
        "mov edx, esi",
        "shr rcx, 3",
        "and edx, 7",
        "xor eax, eax",
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "stac",
        "2: rep stosq",
        "mov ecx, edx",
        "4: rep stosb",
        "5: cmp byte ptr [rip + {smap}], 0",
        "je 6f",
        "clac",
        "6: mov rax, rcx",
        "ret",
        "7: lea rcx, [rdx + rcx * 8]",
        "jmp 4b",
        ".pushsection .ex_table, \"a\"",
        ".quad 2b, 7b",
        ".quad 4b, 5b",
        ".popsection",
        smap = sym SMAP,
    )
}

/// [`copy_string`] saw a NUL.
const STRING_NUL: u64 = 0;
/// [`copy_string`] copied as much as it was allowed to.
const STRING_LIMIT: u64 = 1;
/// [`copy_string`] met an address it could not read.
const STRING_FAULT: u64 = 2;

/// What [`copy_string`] returns in RAX and RDX.
#[repr(C)]
struct StringEnd {
    copied: u64,
    end: u64,
}

/// Copies bytes up to and with a NUL, but not more than `max`.
///
/// # Safety
/// `destination` is valid for `max` bytes; `source` is in user memory.
#[unsafe(naked)]
unsafe extern "C" fn copy_string(destination: u64, source: u64, max: usize) -> StringEnd {
    naked_asm!(
        "mov r8, rdx",
        "xor eax, eax",
        "mov edx, {limit}",
        "cmp byte ptr [rip + {smap}], 0",
        "je 2f",
        "stac",
        "2: cmp rax, r8",
        "jae 5f",
        "3: movzx ecx, byte ptr [rsi + rax]",
        "mov [rdi + rax], cl",
        "test ecx, ecx",
        "jz 4f",
        "inc rax",
        "jmp 2b",
        "4: mov edx, {nul}",
        "5: cmp byte ptr [rip + {smap}], 0",
        "je 6f",
        "clac",
        "6: ret",
        "7: mov edx, {fault}",
        "jmp 5b",
        ".pushsection .ex_table, \"a\"",
        ".quad 3b, 7b",
        ".popsection",
        smap = sym SMAP,
        nul = const STRING_NUL,
        limit = const STRING_LIMIT,
        fault = const STRING_FAULT,
    )
}

/// What [`try_read`] returns in RAX and RDX.
#[repr(C)]
struct Word {
    value: u64,
    failed: u64,
}

/// Loads a word, or says that it could not.
///
/// # Safety
/// The address belongs to memory, not to a device.
#[unsafe(naked)]
unsafe extern "C" fn try_read(address: u64) -> Word {
    naked_asm!(
        "xor edx, edx",
        "2: mov rax, [rdi]",
        "ret",
        "3: mov edx, 1",
        "ret",
        ".pushsection .ex_table, \"a\"",
        ".quad 2b, 3b",
        ".popsection",
    )
}
