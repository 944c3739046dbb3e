//! Single pages of the kernel half: kernel stacks, the heap's arena, device registers.
//!
//! They hang below the 256 upper PML4 entries, which boot fills once and nobody ever changes (KH-2).

use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use addr::{Frame, Page};
use pte::{Pte, PteFlags};

use super::frame::{self, Owner};
use super::pgtable::index;
use super::physmap;
use super::{OutOfMemory, init_mm_root};
use crate::locks::{SpinLock, rank};

/// Serialises changes to the kernel half below the PML4.
static KERNEL_TABLES: SpinLock<(), { rank::KERNEL_TABLES }> = SpinLock::new(());

/// Maps one page of the kernel half to `frame`; the page was not mapped before.
pub fn map_kernel(page: Page, frame: Frame, flags: PteFlags) -> Result<(), OutOfMemory> {
    let _guard = KERNEL_TABLES.lock();
    let mut table = init_mm_root();
    for level in [4, 3, 2] {
        table = descend_kernel(table, page, level)?;
    }
    let old = physmap::table(table)[index(page, 1)].swap(Pte::new(frame, flags).raw(), AcqRel);
    assert!(old == 0, "a kernel page is mapped once: {page:?}");
    Ok(())
}

fn descend_kernel(table: Frame, page: Page, level: u8) -> Result<Frame, OutOfMemory> {
    let entry = &physmap::table(table)[index(page, level)];
    let found = Pte::from_raw(entry.load(Acquire));
    if found.is_present() {
        assert!(
            !found.is_huge(),
            "small kernel mappings do not overlap the direct map"
        );
        return Ok(found.frame());
    }
    assert!(level < 4, "all upper PML4 slots are filled at boot (KH-2)");
    let new = frame::alloc_zeroed(Owner::PageTable).ok_or(OutOfMemory)?;
    entry.store(Pte::kernel_table(new).raw(), Release);
    Ok(new)
}

/// Unmaps one page of the kernel half and returns its frame; the caller flushes before freeing it.
#[must_use = "the frame may be freed only after the flush"]
pub fn unmap_kernel(page: Page) -> Frame {
    let _guard = KERNEL_TABLES.lock();
    let mut table = init_mm_root();
    for level in [4, 3, 2] {
        table = Pte::from_raw(physmap::table(table)[index(page, level)].load(Acquire)).frame();
    }
    let old = Pte::from_raw(physmap::table(table)[index(page, 1)].swap(0, AcqRel));
    assert!(
        old.is_present(),
        "only a mapped kernel page is unmapped: {page:?}"
    );
    old.frame()
}

/// Flags of kernel data: writable, never executable, global (KH-3).
pub fn kernel_data() -> PteFlags {
    PteFlags::PRESENT
        | PteFlags::WRITE
        | PteFlags::GLOBAL
        | PteFlags::NX
        | PteFlags::ACCESSED
        | PteFlags::DIRTY
}

/// Flags of device registers: as data, and uncached.
pub fn kernel_device() -> PteFlags {
    kernel_data() | PteFlags::PCD | PteFlags::PWT
}
