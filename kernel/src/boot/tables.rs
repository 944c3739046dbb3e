//! The kernel's own page tables: built once, in the direct map that the bootloader lends.
//!
//! All 256 upper PML4 slots get a table of the next level here and never change again (KH-2), so
//! that every later kernel mapping shows in every address space by itself. Mapped are: physical
//! memory (NX, RW; large pages; the aliases of text and rodata read-only), the frame table, the boot
//! stack, and the kernel image with one protection for each section (W^X).
//!
//! Island: reads the linker's symbols, and leaves the bootloader's tables and stack.
#![expect(
    unsafe_code,
    reason = "linker symbols, and the step onto new tables and a new stack"
)]

use core::sync::atomic::Ordering::Relaxed;

use addr::{Frame, FrameRange, PAGE_SIZE, Page, PageRange, VirtAddr};
use pte::{Pte, PteFlags};

use super::handover::{self, Handover};
use crate::arch::switch;
use crate::mm::frame::FrameInfo;
use crate::mm::kernel_map::kernel_data;
use crate::mm::layout::{FRAME_TABLE, KERNEL_SLOT, KSTACK_PAGES, PHYSMAP, kstack_base};
use crate::mm::mm_struct;
use crate::mm::physmap::{self, TABLE_ENTRIES};

unsafe extern "C" {
    static __kernel_start: u8;
    static __text_start: u8;
    static __text_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __kernel_end: u8;
}

/// Frames that boot took for itself, to be claimed in the frame table.
#[derive(Clone, Copy)]
pub struct BootFrames {
    /// The frame table.
    pub frame_table: FrameRange,
    /// Page tables; the unused rest has been given back to the map.
    pub tables: FrameRange,
    /// The boot task's kernel stack.
    pub kstack: FrameRange,
    /// How many frames the frame table describes.
    pub frames: u64,
}

/// Frames for page tables, handed out one after the other.
struct Pool {
    next: Frame,
    end: Frame,
}

/// Builds the tables and continues as `function` on them, on the boot task's own kernel stack.
pub fn leave_bootloader(function: extern "C" fn() -> !) -> ! {
    let (root, frames) = build(&mut handover::get().lock());
    mm_struct::set_init_root(root);
    super::memory::remember(frames);
    let top = VirtAddr::new(kstack_base(0).start().as_u64() + KSTACK_PAGES * PAGE_SIZE);
    // SAFETY: the new tables map the kernel image where it is and the stack of slot 0, just now;
    // nothing on the bootloader's stack is needed any more.
    unsafe { switch::on_new_stack(top, root, function) }
}

fn build(handover: &mut Handover) -> (Frame, BootFrames) {
    let frames = handover
        .map
        .highest_frame()
        .map_or(0, |last| last.number() + 1);
    let frames = frames.max(last_frame_of(handover));
    let frame_table = carve(
        handover,
        (frames * size_of::<FrameInfo>() as u64).div_ceil(PAGE_SIZE),
    );
    let kstack = carve(handover, KSTACK_PAGES);
    let pool = carve(handover, tables_needed(frames, frame_table.len()));
    let mut tables = Pool {
        next: pool.start,
        end: pool.end,
    };
    let root = tables.take();
    for slot in KERNEL_SLOT..TABLE_ENTRIES {
        physmap::table(root)[slot].store(Pte::kernel_table(tables.take()).raw(), Relaxed);
    }
    tables.map_physical(root, frames);
    tables.map_image(root);
    tables.map_run(
        root,
        Page::containing(VirtAddr::new(FRAME_TABLE)),
        frame_table,
    );
    tables.map_run(root, kstack_base(0), kstack);
    frame_table.iter().for_each(physmap::zero);
    let used = FrameRange::new(pool.start, tables.next);
    (
        root,
        BootFrames {
            frame_table,
            tables: used,
            kstack,
            frames,
        },
    )
}

/// The initramfs must be reachable too, wherever the bootloader put it.
fn last_frame_of(handover: &Handover) -> u64 {
    let (start, len) = handover.initramfs;
    (start.as_u64() + len).div_ceil(PAGE_SIZE)
}

fn carve(handover: &mut Handover, frames: u64) -> FrameRange {
    handover.map.carve(frames).unwrap_or_else(|| {
        super::refuse(format_args!(
            "{} KiB of free memory are too little: {} KiB in one piece are needed next; start with more memory",
            handover.map.total_frames() * 4,
            frames * 4
        ))
    })
}

/// An upper bound: 256 upper tables, the direct map's, two for each of the other regions, and one
/// for each large page that the image's aliases split.
fn tables_needed(frames: u64, frame_table_pages: u64) -> u64 {
    let gib = frames.div_ceil(1 << 18);
    let image_pages =
        (symbol(&raw const __kernel_end) - symbol(&raw const __kernel_start)) / PAGE_SIZE;
    let split = image_pages + 1;
    1 + 256 + gib + split + frame_table_pages.div_ceil(512) + image_pages.div_ceil(512) + 16
}

fn symbol(symbol: *const u8) -> u64 {
    symbol as u64
}

fn pages(from: *const u8, to: *const u8) -> PageRange {
    PageRange::new(
        VirtAddr::new(symbol(from)).page(),
        VirtAddr::new(symbol(to).next_multiple_of(PAGE_SIZE)).page(),
    )
}

impl Pool {
    fn take(&mut self) -> Frame {
        assert!(
            self.next < self.end,
            "the pool of boot page tables is large enough"
        );
        let frame = self.next;
        self.next = frame.next();
        physmap::zero(frame);
        frame
    }

    /// Maps all physical memory in 2 MiB pages, so that an alias of the image splits one of those.
    fn map_physical(&mut self, root: Frame, frames: u64) {
        let large = kernel_data() | PteFlags::HUGE;
        for first in (0..frames).step_by(512) {
            let page = Page::containing(VirtAddr::new(PHYSMAP + first * PAGE_SIZE));
            let table = self.descend(root, page, 2);
            physmap::table(table)[page.start().pd_index()]
                .store(Pte::new(Frame::new(first), large).raw(), Relaxed);
        }
    }

    /// Maps the kernel image: text RX, rodata R, data RW-NX; and takes W from the first two's aliases.
    fn map_image(&mut self, root: Frame) {
        let read = (kernel_data() - PteFlags::WRITE) - PteFlags::DIRTY;
        let text = pages(&raw const __text_start, &raw const __text_end);
        let rodata = pages(&raw const __rodata_start, &raw const __rodata_end);
        let data = pages(&raw const __data_start, &raw const __kernel_end);
        for (range, flags) in [
            (text, read - PteFlags::NX),
            (rodata, read),
            (data, kernel_data()),
        ] {
            for page in range {
                let phys = handover::translate(page.start())
                    .expect("the bootloader has mapped the kernel image");
                self.map(root, page, phys.frame(), flags);
                if !flags.contains(PteFlags::WRITE) {
                    self.protect_alias(root, phys.frame(), read);
                }
            }
        }
    }

    /// Makes the direct map's view of `frame` read-only, splitting the large page it lies in.
    fn protect_alias(&mut self, root: Frame, frame: Frame, flags: PteFlags) {
        let page = Page::containing(VirtAddr::new(physmap::virt(frame.start())));
        let directory = self.descend(root, page, 2);
        let entry = &physmap::table(directory)[page.start().pd_index()];
        let large = Pte::from_raw(entry.load(Relaxed));
        if large.is_huge() {
            let table = self.take();
            let first = large.frame().number();
            for (offset, small) in (0..).zip(physmap::table(table)) {
                small.store(
                    Pte::new(Frame::new(first + offset), kernel_data()).raw(),
                    Relaxed,
                );
            }
            entry.store(Pte::kernel_table(table).raw(), Relaxed);
        }
        let table = Pte::from_raw(entry.load(Relaxed)).frame();
        physmap::table(table)[page.start().pt_index()].store(Pte::new(frame, flags).raw(), Relaxed);
    }

    /// Maps consecutive pages from `first` on to `frames` as data.
    fn map_run(&mut self, root: Frame, first: Page, frames: FrameRange) {
        for (offset, frame) in (0..).zip(frames) {
            let page = first
                .checked_add(offset)
                .expect("kernel regions end below the end of memory");
            self.map(root, page, frame, kernel_data());
        }
    }

    fn map(&mut self, root: Frame, page: Page, frame: Frame, flags: PteFlags) {
        let table = self.descend(root, page, 1);
        physmap::table(table)[page.start().pt_index()].store(Pte::new(frame, flags).raw(), Relaxed);
    }

    /// Returns the table of `level` on the way to `page`, making the tables above it as needed.
    fn descend(&mut self, root: Frame, page: Page, level: u8) -> Frame {
        let addr = page.start();
        let indices = [addr.pml4_index(), addr.pdpt_index(), addr.pd_index()];
        let mut table = root;
        for &index in &indices[..usize::from(4 - level)] {
            let entry = &physmap::table(table)[index];
            if !Pte::from_raw(entry.load(Relaxed)).is_present() {
                entry.store(Pte::kernel_table(self.take()).raw(), Relaxed);
            }
            table = Pte::from_raw(entry.load(Relaxed)).frame();
        }
        table
    }
}

/// Returns the size of the kernel image in bytes.
pub fn image_bytes() -> u64 {
    symbol(&raw const __kernel_end) - symbol(&raw const __kernel_start)
}
