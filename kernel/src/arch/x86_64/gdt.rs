//! Segments, the TSS, and the stacks the CPU changes to by itself.
//!
//! 64-bit mode ignores base and limit; what is left of a segment is its privilege level. The order
//! is dictated by SYSCALL and SYSRET (see `cpu::set_syscall`) and by the selectors Linux programs see:
//!
//! | selector | segment |
//! |---|---|
//! | 0x00, 0x08 | null |
//! | 0x10, 0x18 | kernel code, kernel data |
//! | 0x23 | null, where 32-bit user code would be |
//! | 0x2b, 0x33 | user data, 64-bit user code |
//! | 0x38 | TSS (two entries) |
//!
//! A program that jumps to 0x23 faults. That is wanted: SYSCALL from 32-bit code would enter at CSTAR, for
//! which there is no entry code.
//!
//! The TSS holds nothing but stack pointers: RSP0, the current task's kernel stack, for traps from
//! user mode; and four IST stacks for the vectors that must work even when RSP is worthless:
//! double fault (kernel stack overflow), NMI, machine check, debug. Page faults and general
//! protection are *not* among them: their handlers may sleep or fault again (SY-8).
//!
//! Boot uses a table in the kernel image; each CPU then moves to its own, in its entry area.
#![expect(
    unsafe_code,
    reason = "loading the descriptor tables and the task register"
)]

use core::mem::offset_of;

use addr::{PAGE_SIZE, VirtAddr};
use x86_64::instructions::segmentation::{CS, DS, ES, FS, GS, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::registers::segmentation::SegmentSelector;
use x86_64::structures::gdt::{Descriptor, DescriptorFlags, GlobalDescriptorTable};
use x86_64::structures::tss::TaskStateSegment;

use super::local;
use super::trapframe::{KERNEL_CS, KERNEL_SS};

type Gdt = GlobalDescriptorTable<9>;

/// The entries up to the TSS; the table of the selectors above.
const SEGMENTS: [u64; 7] = [
    0,
    0,
    DescriptorFlags::KERNEL_CODE64.bits(),
    DescriptorFlags::KERNEL_DATA.bits(),
    0,
    DescriptorFlags::USER_DATA.bits(),
    DescriptorFlags::USER_CODE64.bits(),
];

static BOOT_GDT: Gdt = Gdt::from_raw_entries(&SEGMENTS);

/// Which IST stack a vector uses, as an index into [`EntryArea`]'s `ist_tops`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ist {
    /// IST 1, #DF.
    DoubleFault = 0,
    /// IST 2.
    Nmi = 1,
    /// IST 3, #MC.
    MachineCheck = 2,
    /// IST 4, #DB.
    Debug = 3,
}

/// A CPU's entry area: memory for its GDT and TSS, and its four IST stacks.
///
/// # Invariants
/// The page is mapped writable in every PML4 and is nobody else's; so are the stacks (I-9).
#[derive(Clone, Copy, Debug)]
pub struct EntryArea {
    page: VirtAddr,
    ist_tops: [VirtAddr; 4],
}

impl EntryArea {
    /// Names a CPU's entry area; `ist_tops` are in the order of [`Ist`].
    ///
    /// # Safety
    /// 1. `page` is page-aligned, mapped writable in every PML4 for ever, and used for nothing else.
    /// 2. Each of `ist_tops` is the 16-byte aligned top of a stack of which the same is true.
    pub const unsafe fn new(page: VirtAddr, ist_tops: [VirtAddr; 4]) -> Self {
        Self { page, ist_tops }
    }
}

/// What lies in the entry area's page.
#[repr(C, align(16))]
struct Tables {
    gdt: Gdt,
    tss: TaskStateSegment,
}

const _: () = assert!(size_of::<Tables>() as u64 <= PAGE_SIZE);

/// Leaves the segments that brought CPU `cpu` here, and makes GS point to its head.
pub fn init_early(cpu: usize) {
    BOOT_GDT.load();
    load_kernel_segments();
    let null = SegmentSelector(0);
    // SAFETY: null data segments are allowed in 64-bit mode.
    unsafe { DS::set_reg(null) };
    // SAFETY: as above.
    unsafe { ES::set_reg(null) };
    // SAFETY: as above; nothing uses FSBASE yet.
    unsafe { FS::set_reg(null) };
    // SAFETY: as above; GSBASE, which this may clear, is written next.
    unsafe { GS::set_reg(null) };
    local::install(cpu);
}

/// Moves this CPU to the GDT and TSS in its own entry area; GS must be installed.
///
/// From here on the IST stacks exist, so `idt::init` may follow.
pub fn init_cpu(area: &EntryArea) {
    let tables: *mut Tables = core::ptr::with_exposed_provenance_mut(area.page.as_u64() as usize);
    let tss = tss_for(area);
    let mut gdt = Gdt::from_raw_entries(&SEGMENTS);
    // SAFETY: only the address is computed, inside `Tables`.
    let tss_address = unsafe { &raw mut (*tables).tss };
    // SAFETY: the TSS is written below, before the task register is loaded, and stays (EntryArea).
    let selector = gdt.append(unsafe { Descriptor::tss_segment_unchecked(tss_address) });
    // SAFETY: the page is writable, aligned and nobody else's (EntryArea).
    unsafe { tables.write(Tables { gdt, tss }) };
    // SAFETY: the tables were just written and live for ever.
    let tables: &'static Tables = unsafe { &*tables };
    tables.gdt.load();
    load_kernel_segments();
    // SAFETY: `selector` names the TSS descriptor in the table just loaded.
    unsafe { load_tss(selector) };
    let rsp0 = tss_address
        .cast::<u8>()
        .wrapping_add(offset_of!(TaskStateSegment, privilege_stack_table));
    local::head().set_tss_rsp0(rsp0.cast());
}

/// RSP0 stays 0 until the first switch to a task; `TaskStateSegment::new` puts the I/O bitmap beyond the limit.
fn tss_for(area: &EntryArea) -> TaskStateSegment {
    let mut tss = TaskStateSegment::new();
    for (index, top) in area.ist_tops.iter().enumerate() {
        tss.interrupt_stack_table[index] = x86_64::VirtAddr::new(top.as_u64());
    }
    tss
}

fn load_kernel_segments() {
    // SAFETY: both tables have the kernel's 64-bit code segment there.
    unsafe { CS::set_reg(SegmentSelector(KERNEL_CS as u16)) };
    // SAFETY: both tables have the kernel's data segment there.
    unsafe { SS::set_reg(SegmentSelector(KERNEL_SS as u16)) };
}
