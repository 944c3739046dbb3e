//! The frame table and the allocator take over from boot's memory map.
//!
//! Island: publishes the frame table at its fixed address.
#![expect(unsafe_code, reason = "publishes the frame table that boot has mapped")]

use addr::{Frame, FrameRange, PAGE_SIZE, VirtAddr};
use log::info;

use super::handover;
use super::tables::{self, BootFrames};
use crate::locks::Once;
use crate::mm::frame::{self, Owner};
use crate::mm::layout::KERNEL_IMAGE;
use crate::mm::{self, init_mm_root};

static BOOT_FRAMES: Once<BootFrames> = Once::new();

/// Keeps what boot took for itself until the frame table can say so.
pub(super) fn remember(frames: BootFrames) {
    BOOT_FRAMES.call_once(|| frames);
}

/// Gives every frame its owner and the free ones to the allocator.
pub fn take_over() {
    let boot = *BOOT_FRAMES
        .get()
        .expect("the tables were built before they were loaded");
    // SAFETY: `tables::build` mapped and zeroed that many entries at the table's address.
    unsafe { frame::publish_table(boot.frames) };
    frame::claim(boot.frame_table, Owner::FrameTable);
    frame::claim(boot.tables, Owner::PageTable);
    frame::claim(boot.kstack, Owner::Kstack);
    claim_image();
    claim_initramfs();
    let handover = handover::get().lock();
    for range in handover.map.usable() {
        frame::release(range);
    }
    drop(handover);
    if mm::init_zero_frame()
        .and_then(|()| mm::heap::init())
        .is_err()
    {
        super::refuse(format_args!(
            "no free memory is left; start with more memory"
        ));
    }
    describe();
}

fn claim_image() {
    let image = (0..tables::image_bytes()).step_by(PAGE_SIZE as usize);
    for phys in image.filter_map(|offset| handover::translate(VirtAddr::new(KERNEL_IMAGE + offset)))
    {
        frame::claim(
            FrameRange::new(phys.frame(), phys.frame().next()),
            Owner::Kernel,
        );
    }
}

fn claim_initramfs() {
    let handover = handover::get().lock();
    let (start, len) = handover.initramfs;
    let own = FrameRange::new(
        start.frame(),
        Frame::new((start.as_u64() + len).div_ceil(PAGE_SIZE)),
    );
    frame::claim(handover.carved_initramfs.unwrap_or(own), Owner::Initramfs);
}

fn describe() {
    let kib = |owner| frame::count(owner) * 4;
    info!(
        target: "mm",
        "{} KiB of memory, {} KiB free; kernel image {} KiB, frame table {} KiB, page tables {} KiB, initramfs {} KiB",
        frame::total() * 4, kib(Owner::Free), kib(Owner::Kernel), kib(Owner::FrameTable), kib(Owner::PageTable), kib(Owner::Initramfs),
    );
    info!(
        target: "mm",
        "own page tables at {:#x}: {} upper PML4 slots filled, the bootloader's tables are left behind",
        init_mm_root().start(), mm::pgtable::filled_upper_slots(init_mm_root()),
    );
}
