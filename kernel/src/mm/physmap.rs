//! The direct map: reading and writing frames by their physical address.
//!
//! Island: the only place that turns a physical address into a pointer. Whoever calls it owns the
//! frame, or shares it in a way that tolerates concurrent access (page tables are atomics; user
//! pages belong to programs, which may race as they like).
#![expect(unsafe_code, reason = "turns physical addresses into pointers")]

use core::arch::asm;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicU64};

use addr::{Frame, PAGE_SIZE, PhysAddr};

use super::layout::PHYSMAP;
use crate::arch::uaccess;

/// Entries of a page table.
pub const TABLE_ENTRIES: usize = 512;
/// A page table as memory: 512 entries that the CPU may write to as well (A and D bits).
pub type Table = [AtomicU64; TABLE_ENTRIES];

/// Returns the direct map's address of `phys`.
pub fn virt(phys: PhysAddr) -> u64 {
    PHYSMAP + phys.as_u64()
}

fn pointer(frame: Frame) -> *mut u8 {
    virt(frame.start()) as *mut u8
}

/// Views a frame that holds a page table.
///
/// The reference may outlive the table: whoever walks tables holds the lock that keeps them.
pub fn table(frame: Frame) -> &'static Table {
    // SAFETY: the direct map covers every frame of RAM, a frame is aligned and as large as a table,
    // and all bit patterns are valid for atomics.
    unsafe { &*pointer(frame).cast::<Table>() }
}

/// Fills a frame with zeros.
pub fn zero(frame: Frame) {
    // SAFETY: the caller owns the frame, and the direct map makes it 4096 writable bytes.
    unsafe {
        asm!("rep stosq", inout("rdi") pointer(frame) => _, inout("rcx") PAGE_SIZE / 8 => _, in("rax") 0_u64,
             options(nostack, preserves_flags));
    }
}

/// Bytes of half a table.
const HALF: u64 = PAGE_SIZE / 2;

/// Fills the lower half of a frame, a PML4's user half, with zeros.
pub fn zero_lower_half(frame: Frame) {
    // SAFETY: the caller owns the frame, and the direct map makes it 4096 writable bytes.
    unsafe {
        asm!("rep stosq", inout("rdi") pointer(frame) => _, inout("rcx") HALF / 8 => _, in("rax") 0_u64,
             options(nostack, preserves_flags));
    }
}

/// Copies the upper half of a frame, a PML4's kernel half.
pub fn copy_upper_half(to: Frame, from: Frame) {
    let (to, from) = (virt(to.start()) + HALF, virt(from.start()) + HALF);
    // SAFETY: as for `copy`; both ranges end with their frames.
    unsafe {
        asm!("rep movsq", inout("rdi") to => _, inout("rsi") from => _, inout("rcx") HALF / 8 => _,
             options(nostack, preserves_flags));
    }
}

/// Copies all of frame `from` to frame `to`.
pub fn copy(to: Frame, from: Frame) {
    // SAFETY: two distinct frames in the direct map; the caller owns `to` and keeps `from` alive.
    unsafe {
        asm!("rep movsq", inout("rdi") pointer(to) => _, inout("rsi") pointer(from) => _, inout("rcx") PAGE_SIZE / 8 => _,
             options(nostack, preserves_flags));
    }
}

fn check(offset: usize, len: usize) {
    let end = offset.checked_add(len);
    assert!(
        end.is_some_and(|end| end <= PAGE_SIZE as usize),
        "an access stays within its frame"
    );
}

/// Writes `bytes` to the frame from byte `offset` on.
pub fn write(frame: Frame, offset: usize, bytes: &[u8]) {
    check(offset, bytes.len());
    // SAFETY: `offset` lies within the frame, as checked above.
    let to = unsafe { pointer(frame).add(offset) };
    // SAFETY: source and destination are valid for the length; a slice of kernel memory does not
    // overlap a frame that the caller owns.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
}

/// Reads bytes of the frame from byte `offset` on.
pub fn read(frame: Frame, offset: usize, bytes: &mut [u8]) {
    check(offset, bytes.len());
    // SAFETY: `offset` lies within the frame, as checked above.
    let from = unsafe { pointer(frame).add(offset) };
    // SAFETY: as for `write`, the other way round.
    unsafe { core::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) };
}

/// Calls `each` with the word at byte `offset` of the frame, which is aligned to it.
pub fn with_word<R>(frame: Frame, offset: usize, each: impl FnOnce(&AtomicU32) -> R) -> R {
    check(offset, size_of::<u32>());
    assert!(offset.is_multiple_of(size_of::<u32>()), "a word is aligned");
    // SAFETY: `offset` lies within the frame, as checked above.
    let word = unsafe { pointer(frame).add(offset) };
    // SAFETY: the word is aligned and lies in RAM; programs and other CPUs access it as they like, as they may an atomic.
    each(unsafe { &*word.cast::<AtomicU32>() })
}

/// Fills the bytes `within` of the frame with zeros.
pub fn zero_range(frame: Frame, within: Range<usize>) {
    check(within.start, within.len());
    // SAFETY: the range lies within the frame, as checked above.
    let start = unsafe { pointer(frame).add(within.start) };
    // SAFETY: the direct map makes them writable bytes; whoever maps the frame may race, as programs may.
    unsafe { core::ptr::write_bytes(start, 0, within.len()) };
}

/// Fills the bytes `within` of the frame from user address `from`; returns how many were *not* copied.
///
/// May sleep, and needs a reference to the frame: programs may see it and change it meanwhile.
pub fn copy_from_user(frame: Frame, within: Range<usize>, from: u64) -> usize {
    check(within.start, within.len());
    let to = pointer(frame) as u64 + within.start as u64;
    // SAFETY: the direct map makes the range writable bytes, which only raw copies ever touch.
    unsafe { uaccess::copy_from_user_to(to, from, within.len()) }
}

/// Copies the bytes `within` of the frame to user address `to`; returns how many were *not* copied.
///
/// May sleep, and needs a reference to the frame.
pub fn copy_to_user(to: u64, frame: Frame, within: Range<usize>) -> usize {
    check(within.start, within.len());
    let from = pointer(frame) as u64 + within.start as u64;
    // SAFETY: the direct map makes the range readable bytes.
    unsafe { uaccess::copy_to_user_from(to, from, within.len()) }
}

/// [`copy_from_user`] into frames that follow each other, the caller's all of them.
#[inline]
pub fn copy_run_from_user(first: Frame, within: Range<usize>, from: u64) -> usize {
    let to = pointer(first) as u64 + within.start as u64;
    // SAFETY: the direct map makes the range writable bytes, which only raw copies ever touch.
    unsafe { uaccess::copy_from_user_to(to, from, within.len()) }
}

/// [`copy_to_user`] out of frames that follow each other, the caller's all of them.
#[inline]
pub fn copy_run_to_user(to: u64, first: Frame, within: Range<usize>) -> usize {
    let from = pointer(first) as u64 + within.start as u64;
    // SAFETY: the direct map makes the range readable bytes.
    unsafe { uaccess::copy_to_user_from(to, from, within.len()) }
}

/// Views `len` bytes of physical memory that nobody will ever write to or free.
///
/// # Safety
/// The bytes lie in RAM and are reserved for good: the initramfs, and nothing else.
pub unsafe fn reserved_bytes(start: PhysAddr, len: usize) -> &'static [u8] {
    // SAFETY: the direct map covers RAM; the caller promises that nobody writes there.
    unsafe { core::slice::from_raw_parts(virt(start) as *const u8, len) }
}
