//! The CPU's entry area, interrupt controllers and clocks.
//!
//! Island: hands the entry area's memory to the GDT, TSS and IST stacks.
#![expect(unsafe_code, reason = "gives mapped memory to the CPU's tables")]

use addr::{Frame, PAGE_SIZE, Page, PhysAddr, VirtAddr};
use lapic::Mode;
use log::{info, warn};

use super::handover;
use crate::arch::{apic, cpu, gdt, idt, pic, rtc, serial, timer};
use crate::mm::frame::{self, Owner};
use crate::mm::kernel_map::{kernel_data, kernel_device, map_kernel};
use crate::mm::kstack::Kstack;
use crate::mm::layout::{CPU_ENTRY, CPU_ENTRY_STRIDE, MMIO};
use crate::mm::{OutOfMemory, init_mm_root, pcid, pgtable};
use crate::percpu;
use crate::sched::kthread;
use crate::task::TaskRef;
use crate::time;

/// Pages of an IST stack: 8 KiB, with an unmapped page below each.
const IST_PAGES: u64 = 2;

/// Gives this CPU its GDT, TSS and IST stacks, interrupt controller and clock.
///
/// `x2apic` says whether the APIC may be moved to its newer mode.
pub fn init(x2apic: bool) {
    let cpu = percpu::cpu_id();
    if map_entry_area(cpu).is_err() {
        super::refuse(format_args!(
            "no memory for the CPU entry area; start with more memory"
        ));
    }
    gdt::init_cpu(&entry_area(cpu));
    idt::init();
    pic::init();
    init_apic(x2apic).unwrap_or_else(|why| super::refuse(format_args!("{why}")));
    let clocks = timer::init().unwrap_or_else(|why| super::refuse(format_args!("{why}")));
    serial::COM1.enable_receive_interrupt();
    pic::unmask(pic::COM1_LINE);
    match rtc::unix_time() {
        Some(seconds) => time::set_realtime(seconds),
        None => warn!(target: "cpu", "the CMOS clock gives no sensible time: it is 1970"),
    }
    describe(&clocks);
}

/// What every other CPU does instead, on tables that [`map_entry_area`] has mapped for it.
pub fn init_other(cpu: usize) {
    gdt::init_cpu(&entry_area(cpu));
    idt::init();
    apic::init_other();
}

fn init_apic(x2apic: bool) -> Result<(), &'static str> {
    let ids = handover::get().lock().processors.list.clone();
    let largest = ids.iter().map(|one| one.apic_id).max().unwrap_or(0);
    let registers = match apic::choose_mode(largest, x2apic)? {
        Mode::XApic => Some(map_device(apic::physical_address())),
        Mode::X2Apic => None,
    };
    // SAFETY: the registers were just mapped there, uncached and for good.
    unsafe { apic::init(registers) }
}

/// Makes the flow of control that boots into the idle task of this CPU.
pub fn boot_task() -> TaskRef {
    kthread::adopt_idle(Kstack::adopt_boot())
}

/// Maps the entry area of CPU `cpu`: one page of tables, then guard and stack four times. What is mapped already stays.
///
/// # Errors
/// Without memory; what was mapped then is not mapped again the next time.
pub fn map_entry_area(cpu: usize) -> Result<(), OutOfMemory> {
    let (tables, ist_bottoms) = entry_pages(cpu);
    map_data(tables)?;
    for bottom in ist_bottoms {
        for page in 0..IST_PAGES {
            map_data(bottom + page * PAGE_SIZE)?;
        }
    }
    Ok(())
}

/// Names the entry area of CPU `cpu`, which [`map_entry_area`] has mapped.
fn entry_area(cpu: usize) -> gdt::EntryArea {
    let (tables, ist_bottoms) = entry_pages(cpu);
    let ist_tops = ist_bottoms.map(|bottom| VirtAddr::new(bottom + IST_PAGES * PAGE_SIZE));
    // SAFETY: all of it is mapped in the kernel half, for good and for nothing else.
    unsafe { gdt::EntryArea::new(VirtAddr::new(tables), ist_tops) }
}

/// Where a CPU's tables and the bottoms of its four IST stacks lie.
fn entry_pages(cpu: usize) -> (u64, [u64; 4]) {
    let base = CPU_ENTRY + cpu as u64 * CPU_ENTRY_STRIDE;
    let bottom = |stack: usize| base + (1 + stack as u64 * (IST_PAGES + 1) + 1) * PAGE_SIZE;
    (base, core::array::from_fn(bottom))
}

fn map_data(addr: u64) -> Result<(), OutOfMemory> {
    let page = Page::containing(VirtAddr::new(addr));
    if pgtable::leaf(init_mm_root(), page.start()).is_some() {
        return Ok(());
    }
    let frame = frame::alloc_zeroed(Owner::Kernel).ok_or(OutOfMemory)?;
    map_kernel(page, frame, kernel_data()).inspect_err(|_| frame::free(frame))
}

/// Maps one page of device registers, uncached.
fn map_device(base: PhysAddr) -> VirtAddr {
    let page = Page::containing(VirtAddr::new(MMIO));
    if map_kernel(page, Frame::containing(base), kernel_device()).is_err() {
        super::refuse(format_args!(
            "no memory for the local APIC's mapping; start with more memory"
        ));
    }
    page.start()
}

fn describe(clocks: &timer::Calibration) {
    let features = cpu::features();
    let mut list = arrayvec::ArrayString::<96>::new();
    let known = [
        (features.nx, "nx"),
        (features.smep, "smep"),
        (features.smap, "smap"),
        (features.umip, "umip"),
        (features.pge, "pge"),
        (pcid::is_on(), "pcid"),
        (pcid::has_invpcid(), "invpcid"),
        (features.xsave, "xsave"),
        (features.avx, "avx"),
    ];
    known
        .into_iter()
        .filter(|(on, _)| *on)
        .for_each(|(_, name)| {
            list.push_str(" ");
            list.push_str(name);
        });
    info!(target: "cpu", "on:{list}; time stamp counter {} MHz, APIC timer {} kHz", clocks.tsc_hz / 1_000_000, clocks.timer_hz / 1000);
    if let Some(claimed) = clocks.cpuid_tsc_hz {
        info!(target: "cpu", "CPUID says that the time stamp counter runs at {} MHz", claimed / 1_000_000);
    }
}
