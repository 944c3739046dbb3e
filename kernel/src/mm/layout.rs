//! Where things lie in the kernel half of every address space (docs/memory-map.md).
//!
//! The bootloader is asked for the same direct map, so that a physical address has one virtual
//! address before and after the kernel's own page tables are loaded.

use addr::{PAGE_SIZE, Page, VirtAddr};

/// Whether this code runs in a program on the host (tests/mmu), which owns nothing but a user half.
const HOSTED: bool = cfg!(not(target_os = "none"));

/// Direct map of physical memory.
pub const PHYSMAP: u64 = if HOSTED {
    0x1000_0000_0000
} else {
    0xffff_8880_0000_0000
};
/// Kernel stacks, in slots with guard pages.
pub const KSTACKS: u64 = 0xffff_c900_0000_0000;
/// Device registers (the local APIC), uncached.
pub const MMIO: u64 = 0xffff_ca00_0000_0000;
/// Arena behind the heap's size classes.
pub const HEAP: u64 = 0xffff_cb00_0000_0000;
/// The largest size of the heap's arena.
pub const HEAP_MAX: u64 = 1 << 30;
/// The frame table: one `FrameInfo` for each frame.
pub const FRAME_TABLE: u64 = if HOSTED {
    0x2000_0000_0000
} else {
    0xffff_ea00_0000_0000
};
/// Per-CPU entry area: GDT, TSS and IST stacks.
pub const CPU_ENTRY: u64 = 0xffff_fe00_0000_0000;
/// Size of one CPU's part of the entry area.
pub const CPU_ENTRY_STRIDE: u64 = 0x2_0000;
/// Link address of the kernel image.
pub const KERNEL_IMAGE: u64 = 0xffff_ffff_8000_0000;

/// Pages of a kernel stack: 16 KiB.
pub const KSTACK_PAGES: u64 = 4;
/// Pages of a slot: the guard below the stack is as large as the stack, so that one large Rust
/// frame cannot step over it.
pub const KSTACK_SLOT_PAGES: u64 = 2 * KSTACK_PAGES;
/// How many kernel stacks there may be.
pub const KSTACK_SLOTS: u64 = 1 << 16;

/// First PML4 slot of the kernel half.
pub const KERNEL_SLOT: usize = 256;

/// Names the region of the kernel half that `addr` lies in, for reports.
pub fn region(addr: VirtAddr) -> &'static str {
    match addr.as_u64() {
        a if a < addr::USER_END => "user half",
        a if a < 1 << 47 => "the page below the hole",
        a if a < 0xffff_8000_0000_0000 => "non-canonical hole",
        a if a >= KERNEL_IMAGE => "kernel image",
        a if a >= CPU_ENTRY => "CPU entry area",
        a if (FRAME_TABLE..FRAME_TABLE + (1 << 40)).contains(&a) => "frame table",
        a if (HEAP..HEAP + HEAP_MAX).contains(&a) => "heap arena",
        a if (MMIO..HEAP).contains(&a) => "device registers",
        a if (KSTACKS..MMIO).contains(&a) => kstack_part(a),
        a if (PHYSMAP..KSTACKS).contains(&a) => "direct map",
        _ => "unused kernel half",
    }
}

fn kstack_part(addr: u64) -> &'static str {
    let in_slot = (addr - KSTACKS) / PAGE_SIZE % KSTACK_SLOT_PAGES;
    if in_slot < KSTACK_SLOT_PAGES - KSTACK_PAGES {
        "kernel stack guard"
    } else {
        "kernel stack"
    }
}

/// Returns the slot of the kernel stack region that `addr` lies in, guard included.
pub fn kstack_slot(addr: VirtAddr) -> Option<u64> {
    let offset = addr.as_u64().checked_sub(KSTACKS)?;
    let slot = offset / (KSTACK_SLOT_PAGES * PAGE_SIZE);
    (slot < KSTACK_SLOTS).then_some(slot)
}

/// Returns the first page of kernel stack slot `slot` that is mapped; the guard lies below it.
pub fn kstack_base(slot: u64) -> Page {
    let pages = slot * KSTACK_SLOT_PAGES + (KSTACK_SLOT_PAGES - KSTACK_PAGES);
    Page::containing(VirtAddr::new(KSTACKS + pages * PAGE_SIZE))
}
