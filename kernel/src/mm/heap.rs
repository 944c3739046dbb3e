//! The kernel heap: size classes for what is small, whole frames for what is large, and `linked_list_allocator` behind
//! them where no frames lie beside each other.
//!
//! | request | from |
//! |---|---|
//! | up to 2 KiB | a slab: one frame of equal objects, chained through their first bytes |
//! | more | a buddy block, through the direct map (at most 4 MiB) |
//! | any, if there is no such block | the arena, a window of virtual memory that grows on demand; for more than 32 KiB only while it is small |
//!
//! What a slab or a block was goes back to all others with its last object. The arena never shrinks: what programs make
//! the kernel keep for a while, messages among it, must not stay in it.
//!
//! Each CPU has classes of its own, and a slab's frame knows whose lists it is in: what one CPU took another may
//! give back. An empty slab goes back to the frame allocator unless it is the only one of its class with room
//! there. A class's lists and its slabs' words in the frame table are guarded by the class's lock.
//!
//! Island: hands out raw memory.
#![expect(unsafe_code, reason = "implements GlobalAlloc: hands out raw memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::Relaxed;

use addr::{Frame, PAGE_SIZE, Page, PhysAddr, VirtAddr};

use super::OutOfMemory;
use super::frame::{self, FrameInfo, Owner};
use super::inject;
use super::kernel_map::{kernel_data, map_kernel};
use super::layout::{HEAP, HEAP_MAX, PHYSMAP};
use super::physmap;
use crate::locks::{SpinLock, rank};
use crate::percpu::{MAX_CPUS, PerCpu, cpu_id};

/// Sizes of the classes; each is also the alignment of its objects.
const CLASSES: [usize; 8] = [16, 32, 64, 128, 256, 512, 1024, 2048];
/// Each is twice the one before; the first is this power of two.
const FIRST_BITS: usize = CLASSES[0].ilog2() as usize;
/// Largest request that the arena always serves where there is no block.
const ARENA_LIMIT: usize = 32 << 10;
/// For larger ones it grows to one part of the memory in so many.
const ARENA_SHARE: u64 = 16;
/// Pages by which the arena grows at least.
const ARENA_STEP: u64 = 16;
/// "No object" and "no slab".
const NONE: u32 = u32::MAX;

#[global_allocator]
static HEAP_ALLOCATOR: KernelHeap = KernelHeap;

struct KernelHeap;

/// Slabs of one class that have room: head of a doubly linked list through the frame table.
struct Class {
    partial: u32,
}

/// The classes of one CPU, in cache lines of their own.
#[repr(align(64))]
struct Slabs([SpinLock<Class, { rank::HEAP }>; CLASSES.len()]);

static SLABS: PerCpu<Slabs> = PerCpu::new(
    [const { Slabs([const { SpinLock::new(Class { partial: NONE }) }; CLASSES.len()]) }; MAX_CPUS],
);
static ARENA: SpinLock<Arena, { rank::HEAP }> = SpinLock::new(Arena {
    heap: linked_list_allocator::Heap::empty(),
    pages: 0,
});

struct Arena {
    heap: linked_list_allocator::Heap,
    pages: u64,
}

/// Maps the arena's first page: its page tables are there from the start, and not the first user's.
pub fn init() -> Result<(), OutOfMemory> {
    match ARENA.lock().extend(1) {
        true => Ok(()),
        false => Err(OutOfMemory),
    }
}

/// Where a request goes.
enum Place {
    Slab(usize),
    Block(usize),
}

#[inline(always)]
fn place(layout: Layout) -> Place {
    let need = layout.size().max(layout.align());
    if need <= CLASSES[CLASSES.len() - 1] {
        // The smallest power of two that holds it.
        let bits = (need.max(CLASSES[0]) - 1).ilog2() as usize + 1;
        Place::Slab(bits - FIRST_BITS)
    } else {
        Place::Block(
            need.div_ceil(PAGE_SIZE as usize)
                .next_power_of_two()
                .trailing_zeros() as usize,
        )
    }
}

// SAFETY: every branch returns memory of at least the layout's size and alignment that nothing else
// uses until it is deallocated, or null.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match place(layout) {
            Place::Slab(class) => alloc_object(class),
            Place::Block(order) => alloc_large(order, layout),
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match place(layout) {
            Place::Slab(class) => free_object(class, pointer),
            Place::Block(order) => free_large(order, pointer, layout),
        }
    }
}

/// Takes what no slab has. Apart, like all that is rare here, so that the common way saves no registers for it.
#[cold]
#[inline(never)]
fn alloc_large(order: usize, layout: Layout) -> *mut u8 {
    match alloc_block(order) {
        Some(first) => physmap::virt(first.start()) as *mut u8,
        None if layout.align() < PAGE_SIZE as usize => ARENA.lock().alloc(layout),
        None => ptr::null_mut(),
    }
}

fn alloc_block(order: usize) -> Option<Frame> {
    match order {
        0 => frame::alloc(Owner::Heap),
        1..=buddy::MAX_ORDER => frame::alloc_order(Owner::Heap, order),
        _ => None,
    }
}

#[cold]
#[inline(never)]
fn free_large(order: usize, pointer: *mut u8, layout: Layout) {
    let is_in_arena = (HEAP..HEAP + HEAP_MAX).contains(&(pointer as u64));
    match order {
        _ if is_in_arena => ARENA.lock().dealloc(pointer, layout),
        0 => frame::free(frame_of(pointer)),
        _ => frame::free_order(frame_of(pointer), order),
    }
}

impl Arena {
    fn alloc(&mut self, layout: Layout) -> *mut u8 {
        loop {
            if let Ok(pointer) = self.heap.allocate_first_fit(layout) {
                return pointer.as_ptr();
            }
            let pages = layout.size() as u64 / PAGE_SIZE + 2;
            let is_large = self.pages + pages > frame::total() / ARENA_SHARE;
            if is_large && layout.size() > ARENA_LIMIT {
                return ptr::null_mut();
            }
            if !self.extend(pages.max(ARENA_STEP)) {
                return ptr::null_mut();
            }
        }
    }

    fn dealloc(&mut self, pointer: *mut u8, layout: Layout) {
        let pointer = NonNull::new(pointer).expect("memory that was handed out is not null");
        // SAFETY: the pointer came from this heap with the same layout (contract of `dealloc`).
        unsafe { self.heap.deallocate(pointer, layout) };
    }

    /// Maps `wanted` more pages at the end of the window, or as many as there are.
    fn extend(&mut self, wanted: u64) -> bool {
        if (self.pages + wanted) * PAGE_SIZE > HEAP_MAX {
            return false;
        }
        let first = self.pages;
        while self.pages < first + wanted && self.map_next() {}
        let added = ((self.pages - first) * PAGE_SIZE) as usize;
        if added == 0 {
            return false;
        }
        if first == 0 {
            // SAFETY: the window's first pages were just mapped and belong to the heap alone.
            unsafe { self.heap.init(HEAP as *mut u8, added) };
        } else {
            // SAFETY: the pages just mapped follow the heap's end directly.
            unsafe { self.heap.extend(added) };
        }
        true
    }

    fn map_next(&mut self) -> bool {
        let _pause = inject::Pause::new();
        let page = Page::containing(VirtAddr::new(HEAP + self.pages * PAGE_SIZE));
        let Some(frame) = frame::alloc(Owner::Heap) else {
            return false;
        };
        if map_kernel(page, frame, kernel_data()).is_err() {
            frame::free(frame);
            return false;
        }
        self.pages += 1;
        true
    }
}

fn frame_of(pointer: *mut u8) -> Frame {
    Frame::containing(PhysAddr::new(pointer as u64 - PHYSMAP))
}

/// A slab's word in the frame table: the number of its first free object, and how many are in use.
#[derive(Clone, Copy)]
struct SlabWord {
    free: u16,
    used: u16,
}

impl SlabWord {
    const FULL: u16 = u16::MAX;

    fn load(info: &FrameInfo) -> Self {
        let word = info.word().load(Relaxed);
        Self {
            free: word as u16,
            used: (word >> 16) as u16,
        }
    }

    fn store(self, info: &FrameInfo) {
        info.word()
            .store(u32::from(self.free) | u32::from(self.used) << 16, Relaxed);
    }
}

fn alloc_object(class: usize) -> *mut u8 {
    let cpu = cpu_id();
    let mut list = SLABS.of(cpu).0[class].lock();
    if list.partial == NONE && !new_slab(&mut list, class, cpu) {
        drop(list);
        return alloc_elsewhere(class);
    }
    take_object(&mut list, class)
}

/// Takes an object that another CPU has room for, when there is no memory for a new slab.
#[cold]
fn alloc_elsewhere(class: usize) -> *mut u8 {
    let mut others = (0..MAX_CPUS).map(|cpu| SLABS.of(cpu).0[class].lock());
    let found = others.find(|list| list.partial != NONE);
    found.map_or(ptr::null_mut(), |mut list| take_object(&mut list, class))
}

/// Takes an object of a slab that has room.
#[inline(always)]
fn take_object(list: &mut Class, class: usize) -> *mut u8 {
    let slab = Frame::new(list.partial.into());
    let info = frame::info(slab);
    let word = SlabWord::load(info);
    let object = object(slab, class, word.free);
    let next = read_link(object);
    SlabWord {
        free: next,
        used: word.used + 1,
    }
    .store(info);
    if next == SlabWord::FULL {
        unlink(list, slab);
    }
    object
}

fn free_object(class: usize, pointer: *mut u8) {
    let slab = frame_of(pointer);
    let info = frame::info(slab);
    // Stays what it is as long as an object is out.
    let home = usize::from(info.home().load(Relaxed));
    let mut list = SLABS.of(home).0[class].lock();
    let word = SlabWord::load(info);
    debug_assert!(
        info.owner() == Owner::Slab && word.used > 0,
        "a freed object lies in a slab"
    );
    write_link(pointer, word.free);
    // Every class's size is a power of two.
    let number = ((pointer as usize % PAGE_SIZE as usize) >> (class + FIRST_BITS)) as u16;
    SlabWord {
        free: number,
        used: word.used - 1,
    }
    .store(info);
    if word.free == SlabWord::FULL || word.used == 1 {
        file_anew(&mut list, slab, word);
    }
}

/// Puts a slab where it belongs that was full, or is empty, `word` having been its word before an object came back.
#[cold]
#[inline(never)]
fn file_anew(list: &mut Class, slab: Frame, word: SlabWord) {
    if word.free == SlabWord::FULL {
        link(list, slab);
    }
    if word.used == 1 && !is_only(list, slab) {
        unlink(list, slab);
        frame::free(slab);
    }
}

fn object(slab: Frame, class: usize, number: u16) -> *mut u8 {
    let offset = usize::from(number) << (class + FIRST_BITS);
    (physmap::virt(slab.start()) as usize + offset) as *mut u8
}

/// Takes a frame, chains its objects and puts it at the head of the class.
#[cold]
#[inline(never)]
fn new_slab(list: &mut Class, class: usize, cpu: usize) -> bool {
    let Some(slab) = frame::alloc(Owner::Slab) else {
        return false;
    };
    let objects = (PAGE_SIZE as usize / CLASSES[class]) as u16;
    for number in 0..objects {
        let next = if number + 1 == objects {
            SlabWord::FULL
        } else {
            number + 1
        };
        write_link(object(slab, class, number), next);
    }
    frame::info(slab).home().store(cpu as u8, Relaxed);
    SlabWord { free: 0, used: 0 }.store(frame::info(slab));
    link(list, slab);
    true
}

fn read_link(object: *mut u8) -> u16 {
    // SAFETY: a free object belongs to its slab, is at least 16 bytes large and aligned to its size.
    unsafe { object.cast::<u16>().read() }
}

fn write_link(object: *mut u8, next: u16) {
    // SAFETY: as for `read_link`.
    unsafe { object.cast::<u16>().write(next) };
}

fn link(list: &mut Class, slab: Frame) {
    let number = slab.number() as u32;
    let (next, prev) = frame::info(slab).links();
    next.store(list.partial, Relaxed);
    prev.store(NONE, Relaxed);
    if list.partial != NONE {
        frame::info(Frame::new(list.partial.into()))
            .links()
            .1
            .store(number, Relaxed);
    }
    list.partial = number;
}

fn unlink(list: &mut Class, slab: Frame) {
    let (next, prev) = frame::info(slab).links();
    let (next, prev) = (next.load(Relaxed), prev.load(Relaxed));
    if prev == NONE {
        list.partial = next;
    } else {
        frame::info(Frame::new(prev.into()))
            .links()
            .0
            .store(next, Relaxed);
    }
    if next != NONE {
        frame::info(Frame::new(next.into()))
            .links()
            .1
            .store(prev, Relaxed);
    }
}

fn is_only(list: &Class, slab: Frame) -> bool {
    let (next, _) = frame::info(slab).links();
    list.partial == slab.number() as u32 && next.load(Relaxed) == NONE
}
