//! Kernel stacks: one for each task, in slots with an unmapped guard below (KS-1).
//!
//! A stack is mapped in full when it is made, because the CPU could not push the frame of a fault
//! onto a stack that faults (I-9). A few freed stacks stay mapped for the next fork.

use alloc::vec::Vec;

use addr::{PAGE_SIZE, Page, PageRange, VirtAddr};
use arrayvec::ArrayVec;

use super::OutOfMemory;
use super::counters::KSTACKS_ALIVE;
use super::frame::{self, Owner};
use super::kernel_map::{kernel_data, map_kernel, unmap_kernel};
use super::layout::{KSTACK_PAGES, KSTACK_SLOTS, kstack_base};
use crate::arch::mmu;
use crate::locks::{SpinLock, rank};

/// Stacks kept mapped for reuse.
const CACHE: usize = 4;

/// A mapped kernel stack of 16 KiB; freed when dropped, so never by the task that runs on it.
pub struct Kstack {
    slot: u64,
}

struct Slots {
    /// Stacks mapped and unused.
    cached: ArrayVec<u64, CACHE>,
    /// Slots used before and unmapped.
    free: Vec<u64>,
    /// Slots below this number have been used.
    next: u64,
}

static SLOTS: SpinLock<Slots, { rank::KSTACK }> = SpinLock::new(Slots {
    cached: ArrayVec::new_const(),
    free: Vec::new(),
    next: 0,
});

impl Kstack {
    /// Maps a stack in a free slot.
    pub fn new() -> Result<Self, OutOfMemory> {
        let stack = Self { slot: take_slot()? };
        KSTACKS_ALIVE.inc();
        Ok(stack)
    }

    /// Takes over slot 0, which boot mapped before there was an allocator; called once, first of all.
    pub fn adopt_boot() -> Self {
        let mut slots = SLOTS.lock();
        assert!(slots.next == 0, "the boot stack is the first of all stacks");
        slots.next = 1;
        KSTACKS_ALIVE.inc();
        Self { slot: 0 }
    }

    /// Returns the pages of the stack, guard not included.
    pub fn range(&self) -> PageRange {
        pages(self.slot)
    }

    /// Returns the address just above the stack, where it starts; page-aligned.
    pub fn top(&self) -> VirtAddr {
        self.range().end.start()
    }

    /// Returns the number of the slot, which names the stack in reports.
    pub fn slot(&self) -> u64 {
        self.slot
    }
}

impl Drop for Kstack {
    fn drop(&mut self) {
        KSTACKS_ALIVE.dec();
        if SLOTS.lock().cached.try_push(self.slot).is_err() {
            unmap(pages(self.slot));
            SLOTS.lock().free.push(self.slot);
        }
    }
}

fn pages(slot: u64) -> PageRange {
    let base = kstack_base(slot);
    PageRange::from_len(base, KSTACK_PAGES).expect("the stack region lies below the end of memory")
}

fn take_slot() -> Result<u64, OutOfMemory> {
    let mut slots = SLOTS.lock();
    if let Some(slot) = slots.cached.pop() {
        return Ok(slot);
    }
    let slot = match slots.free.pop() {
        Some(slot) => slot,
        None if slots.next < KSTACK_SLOTS => {
            slots.next += 1;
            slots.next - 1
        }
        None => return Err(OutOfMemory),
    };
    drop(slots);
    map(pages(slot)).inspect_err(|_| SLOTS.lock().free.push(slot))?;
    Ok(slot)
}

fn map(range: PageRange) -> Result<(), OutOfMemory> {
    for page in range {
        if map_page(page).is_err() {
            unmap(PageRange::new(range.start, page));
            return Err(OutOfMemory);
        }
    }
    Ok(())
}

fn map_page(page: Page) -> Result<(), OutOfMemory> {
    let frame = frame::alloc_zeroed(Owner::Kstack).ok_or(OutOfMemory)?;
    map_kernel(page, frame, kernel_data()).inspect_err(|_| frame::free(frame))
}

/// Unmaps, flushes, then frees (I-6).
fn unmap(range: PageRange) {
    let mut frames = ArrayVec::<_, { KSTACK_PAGES as usize }>::new();
    for page in range {
        frames.push(unmap_kernel(page));
        mmu::flush_page(page.start());
    }
    frames.into_iter().for_each(frame::free);
}

const _: () = assert!(KSTACK_PAGES * PAGE_SIZE == 16 << 10);
