//! What the bootloader hands over, copied into the kernel's own memory before its tables go.
//!
//! Island: views the initramfs, which stays where it was put for good.
#![expect(unsafe_code, reason = "views the reserved memory of the initramfs")]

use acpi::Processors;
use addr::{Frame, FrameRange, PAGE_SIZE, PhysAddr, VirtAddr};
use bootinfo::memory::{Kind, MemoryMap};
use bootloader_api::BootInfo;
use bootloader_api::info::{MemoryRegionKind, Optional};
use log::warn;

use super::processors::LOW_FRAMES;
use crate::arch::{fwcfg, mmu};
use crate::locks::{Once, SpinLock, rank};
use crate::mm::{pgtable, physmap};

/// fw_cfg's name of an initramfs that replaces the image's own.
const INITRAMFS_FILE: &str = "opt/lodger/initramfs";

/// The frame at which device memory begins in every PC.
const END_OF_LOW: u64 = 0xa0;
/// How much physical memory the direct map has room for.
const DIRECT_MAP: u64 = 1 << 46;

/// What boot needs to know about the machine.
pub struct Handover {
    /// RAM that is free; boot carves what it needs out of it.
    pub map: MemoryMap,
    /// Where the initramfs lies and how long it is in bytes; length 0 for none.
    pub initramfs: (PhysAddr, u64),
    /// The processors that the firmware names; none if it does not.
    pub processors: Processors,
    /// Free frames below 640 KiB, in which other CPUs can start.
    pub low: Option<FrameRange>,
    /// Frames of the initramfs that were carved out of `map`, if it came through fw_cfg.
    pub carved_initramfs: Option<FrameRange>,
}

static HANDOVER: Once<SpinLock<Handover, { rank::FRAME }>> = Once::new();

/// Returns what [`collect`] found.
pub fn get() -> &'static SpinLock<Handover, { rank::FRAME }> {
    HANDOVER.get().expect("boot collects the handover first")
}

/// Copies what matters out of the bootloader's information.
pub fn collect(boot_info: &BootInfo) {
    let mut map = MemoryMap::from_entries(boot_info.memory_regions.iter().map(|region| {
        let usable = region.kind == MemoryRegionKind::Usable;
        (
            region.start,
            region.end,
            if usable { Kind::Usable } else { Kind::Reserved },
        )
    }));
    let low = low_frames(&map);
    // The first megabyte belongs to the firmware, to device memory, and later to other CPUs' first code.
    map.reserve(FrameRange::new(Frame::new(0), Frame::new(256)));
    let (initramfs, carved_initramfs) = match from_fw_cfg(&mut map) {
        Some((start, len, range)) => ((start, len), Some(range)),
        None => (from_bootloader(boot_info), None),
    };
    HANDOVER.call_once(|| {
        SpinLock::new(Handover {
            map,
            processors: processors(boot_info),
            low,
            initramfs,
            carved_initramfs,
        })
    });
}

/// Finds frames for other CPUs' first code. The first frame of all is the firmware's, whatever it says.
fn low_frames(map: &MemoryMap) -> Option<FrameRange> {
    let fit = |run: FrameRange| {
        let start = run.start.number().max(1);
        let end = start + LOW_FRAMES;
        (end <= run.end.number().min(END_OF_LOW))
            .then(|| FrameRange::new(Frame::new(start), Frame::new(end)))
    };
    map.usable().find_map(fit)
}

/// Reads the firmware's tables while the bootloader's tables show all of them.
fn processors(boot_info: &BootInfo) -> Processors {
    let Optional::Some(rsdp) = boot_info.rsdp_addr else {
        warn!(target: "boot", "the firmware has no ACPI tables: one CPU is used");
        return Processors::default();
    };
    acpi::processors(&Shown, rsdp).unwrap_or_else(|why| {
        warn!(target: "boot", "the firmware's ACPI tables are of no use: {why}; one CPU is used");
        Processors::default()
    })
}

/// What the direct map shows of physical memory.
struct Shown;

impl acpi::Memory for Shown {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let mut at = PhysAddr::new(address);
        let mut rest = into;
        while !rest.is_empty() {
            let here = (PAGE_SIZE - at.frame_offset()).min(rest.len() as u64) as usize;
            if at.as_u64() >= DIRECT_MAP || translate(VirtAddr::new(physmap::virt(at))) != Some(at)
            {
                return false;
            }
            let (now, later) = rest.split_at_mut(here);
            physmap::read(at.frame(), at.frame_offset() as usize, now);
            (at, rest) = (at.frame().next().start(), later);
        }
        true
    }
}

/// Views the initramfs; empty if there is none.
pub fn initramfs() -> &'static [u8] {
    let (start, len) = get().lock().initramfs;
    // SAFETY: these frames are reserved: carved out of the map, or never in it; nobody writes there.
    unsafe { physmap::reserved_bytes(start, len as usize) }
}

/// The ramdisk that the image carries: contiguous in memory, mapped somewhere by the bootloader.
fn from_bootloader(boot_info: &BootInfo) -> (PhysAddr, u64) {
    let Optional::Some(start) = boot_info.ramdisk_addr else {
        return (PhysAddr::new(0), 0);
    };
    let start = VirtAddr::new(start);
    let phys = translate(start)
        .unwrap_or_else(|| super::refuse(format_args!("the ramdisk at {start:#x} is not mapped")));
    (phys, boot_info.ramdisk_len)
}

/// Loads an initramfs that QEMU offers, into frames carved out of `map`.
fn from_fw_cfg(map: &mut MemoryMap) -> Option<(PhysAddr, u64, FrameRange)> {
    let file = fwcfg::find(INITRAMFS_FILE).filter(|_| fwcfg::has_dma())?;
    let len = file.size();
    let frames = (len as u64).div_ceil(PAGE_SIZE);
    // One frame more, at the end, for the description of the transfer.
    let Some(range) = map.carve(frames + 1) else {
        super::refuse(format_args!(
            "the initramfs of {} KiB does not fit into {} KiB of free memory; start with more memory",
            len / 1024,
            map.total_frames() * 4
        ))
    };
    let start = range.start.start();
    let last = Frame::new(range.end.number() - 1).start();
    // SAFETY: the direct map shows the carved frame, which nobody else has.
    let scratch = unsafe { fwcfg::Scratch::new(VirtAddr::new(physmap::virt(last)), last) };
    // SAFETY: the device has DMA, and the frames were just carved out for this.
    if let Err(why) = unsafe { fwcfg::read_dma(file, scratch, start, len) } {
        super::refuse(format_args!("the initramfs cannot be loaded: {why}"));
    }
    Some((start, len as u64, range))
}

/// Translates through whatever tables are loaded.
pub fn translate(addr: VirtAddr) -> Option<PhysAddr> {
    let (level, entry) = pgtable::leaf(mmu::current_root(), addr)?;
    let size = PAGE_SIZE << (9 * (level - 1));
    // A large page's entry has its PAT bit where a small one's address begins.
    let base = entry.frame().start().as_u64() & !(size - 1);
    Some(PhysAddr::new(base + addr.as_u64() % size))
}
