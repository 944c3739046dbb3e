//! Kernel stacks: one for each task, in slots with an unmapped guard below (KS-1).
//!
//! A stack is mapped in full when it is made, because the CPU could not push the frame of a fault
//! onto a stack that faults (I-9). A few freed stacks stay mapped for the next fork. The others are unmapped several at a
//! time, for every CPU must forget them before anything else lies there (TLB-4), and that takes messages and waiting.

use alloc::vec::Vec;

use addr::{PAGE_SIZE, Page, PageRange, VirtAddr};
use arrayvec::ArrayVec;

use super::OutOfMemory;
use super::counters::KSTACKS_ALIVE;
use super::frame::{self, Owner};
use super::kernel_map::{kernel_data, map_kernel, unmap_kernel};
use super::layout::{KSTACK_PAGES, KSTACK_SLOTS, kstack_base};
use crate::arch::{cpu, mmu};
use crate::locks::{SpinLock, rank};
use crate::smp;

/// Stacks kept mapped for reuse. One more, and [`BATCH`] of them are unmapped.
const CACHE: usize = 4;
/// How many stacks are unmapped at a time: as many slots as one argument of a call names.
const BATCH: usize = 4;
/// Bits of a slot's number.
const SLOT_BITS: u32 = 16;

/// A mapped kernel stack of 16 KiB; freed when dropped, so never by the task that runs on it.
pub struct Kstack {
    slot: u64,
}

struct Slots {
    /// Stacks mapped and unused; more than [`CACHE`] where they were freed with interrupts off.
    cached: Vec<u64>,
    /// Slots used before and unmapped.
    free: Vec<u64>,
    /// Slots below this number have been used.
    next: u64,
}

static SLOTS: SpinLock<Slots, { rank::KSTACK }> = SpinLock::new(Slots {
    cached: Vec::new(),
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
        SLOTS.lock().cached.push(self.slot);
        trim();
    }
}

fn pages(slot: u64) -> PageRange {
    let base = kstack_base(slot);
    PageRange::from_len(base, KSTACK_PAGES).expect("the stack region lies below the end of memory")
}

/// Unmaps stacks of which there are too many. Others are asked to forget them, and answered while they do: with interrupts off
/// the surplus stays for the next one who comes by.
fn trim() {
    while cpu::irqs_enabled() {
        let surplus = {
            let slots = &mut *SLOTS.lock();
            if slots.cached.len() <= CACHE {
                return;
            }
            let from = slots.cached.len() - BATCH;
            slots.cached.drain(from..).collect::<ArrayVec<u64, BATCH>>()
        };
        unmap_stacks(&surplus);
        SLOTS.lock().free.extend(surplus);
    }
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
    map(slot).inspect_err(|_| SLOTS.lock().free.push(slot))?;
    Ok(slot)
}

fn map(slot: u64) -> Result<(), OutOfMemory> {
    let range = pages(slot);
    for page in range {
        if map_page(page).is_err() {
            // Nobody has used it yet, so nobody remembers it.
            let mapped = PageRange::new(range.start, page);
            mapped
                .iter()
                .for_each(|page| frame::free(unmap_kernel(page)));
            return Err(OutOfMemory);
        }
    }
    Ok(())
}

fn map_page(page: Page) -> Result<(), OutOfMemory> {
    let frame = frame::alloc_zeroed(Owner::Kstack).ok_or(OutOfMemory)?;
    map_kernel(page, frame, kernel_data()).inspect_err(|_| frame::free(frame))
}

/// Unmaps, flushes everywhere, then frees (I-6).
fn unmap_stacks(slots: &[u64]) {
    let mut frames = ArrayVec::<_, { BATCH * KSTACK_PAGES as usize }>::new();
    for page in slots.iter().flat_map(|slot| pages(*slot)) {
        frames.push(unmap_kernel(page));
    }
    smp::call_function(smp::online(), forget, pack(slots), true);
    frames.into_iter().for_each(frame::free);
}

/// Makes this CPU forget the stacks in the slots that `packed` names; called on each, with interrupts off.
fn forget(packed: usize) {
    let slots =
        (0..BATCH as u32).map(|nth| packed as u64 >> (nth * SLOT_BITS) & (KSTACK_SLOTS - 1));
    for page in slots.flat_map(pages) {
        mmu::flush_page(page.start());
    }
}

/// Puts the numbers of up to [`BATCH`] slots into one; the first fills the places of those that are missing.
fn pack(slots: &[u64]) -> usize {
    let nth = |nth: usize| slots.get(nth).unwrap_or(&slots[0]);
    (0..BATCH)
        .rev()
        .fold(0, |packed, at| packed << SLOT_BITS | *nth(at) as usize)
}

const _: () = assert!(KSTACK_PAGES * PAGE_SIZE == 16 << 10);
const _: () = assert!(KSTACK_SLOTS == 1 << SLOT_BITS && BATCH * SLOT_BITS as usize <= 64);
