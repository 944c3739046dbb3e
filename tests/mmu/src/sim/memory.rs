//! Physical memory: one mapping of the host's at the address of the direct map, and what boot does
//! with it before anything else runs.
#![expect(
    unsafe_code,
    reason = "maps memory at the direct map's fixed address and publishes the frame table"
)]

use std::sync::atomic::Ordering::Relaxed;

use addr::{Frame, FrameRange, PAGE_SIZE};
use pte::Pte;

use super::cpu::{self, CPUS};
use crate::mm::frame::{self, FrameInfo, Owner};
use crate::mm::layout::{FRAME_TABLE, KERNEL_SLOT, PHYSMAP};
use crate::mm::physmap::{self, TABLE_ENTRIES};
use crate::mm::{self, mm_struct, reclaim};

/// Frame 0 is nobody's, as on a real machine: lists of frames end with 0.
const ROOT: Frame = Frame::new(1);
/// Frames that are the kernel's page tables: the PML4, and an empty table for each of its upper slots.
pub const KERNEL_TABLES: u64 = 1 + (TABLE_ENTRIES - KERNEL_SLOT) as u64;

/// Makes a machine with `frames` frames; once in a process.
///
/// # Panics
/// If the host has no memory at the fixed addresses.
pub fn boot(frames: u64) {
    map(PHYSMAP, frames * PAGE_SIZE);
    map(FRAME_TABLE, frames * size_of::<FrameInfo>() as u64);
    // SAFETY: the table was just mapped for that many frames, and the host gives zeroed memory.
    unsafe { frame::publish_table(frames) };
    let tables = FrameRange::new(ROOT, ROOT.add(KERNEL_TABLES));
    frame::claim(tables, Owner::PageTable);
    let slots = &physmap::table(ROOT)[KERNEL_SLOT..];
    for (slot, table) in slots.iter().zip(tables.iter().skip(1)) {
        slot.store(Pte::kernel_table(table).raw(), Relaxed);
    }
    mm_struct::set_init_root(ROOT);
    (0..CPUS).for_each(|number| cpu::with(number, |cpu| cpu.root = ROOT));
    frame::release(FrameRange::new(tables.end, Frame::new(frames)));
    mm::init_zero_frame().expect("a machine that just started has free frames");
    reclaim::register(crate::file::shrink);
}

/// Maps `len` zeroed bytes at `at`.
fn map(at: u64, len: u64) {
    let (prot, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
    );
    // SAFETY: an anonymous mapping that replaces nothing.
    let got = unsafe { libc::mmap(at as *mut libc::c_void, len as usize, prot, flags, -1, 0) };
    assert!(
        got as u64 == at,
        "the host has no memory at {at:#x}: {}",
        std::io::Error::last_os_error()
    );
}
