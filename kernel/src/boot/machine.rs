//! The CPU's entry area, interrupt controllers and clocks.
//!
//! Island: hands the entry area's memory to the GDT, TSS and IST stacks.
#![expect(unsafe_code, reason = "gives mapped memory to the CPU's tables")]

use addr::{Frame, PAGE_SIZE, Page, PhysAddr, VirtAddr};
use log::{info, warn};

use crate::arch::{apic, cpu, gdt, idt, pic, rtc, serial, timer};
use crate::mm::frame::{self, Owner};
use crate::mm::kernel_map::{kernel_data, kernel_device, map_kernel};
use crate::mm::kstack::Kstack;
use crate::mm::layout::{CPU_ENTRY, CPU_ENTRY_STRIDE, MMIO};
use crate::percpu;
use crate::sched::kthread;
use crate::task::TaskRef;
use crate::time;

/// Pages of an IST stack: 8 KiB, with an unmapped page below each.
const IST_PAGES: u64 = 2;

/// Gives this CPU its GDT, TSS and IST stacks, interrupt controller and clock.
pub fn init() {
    gdt::init_cpu(&entry_area(percpu::cpu_id() as u64));
    idt::init();
    pic::init();
    let registers = map_device(apic::physical_address());
    // SAFETY: the registers were just mapped there, uncached and for good.
    if let Err(why) = unsafe { apic::init(registers) } {
        super::refuse(format_args!("{why}"));
    }
    let clocks = timer::init().unwrap_or_else(|why| super::refuse(format_args!("{why}")));
    serial::COM1.enable_receive_interrupt();
    pic::unmask(pic::COM1_LINE);
    match rtc::unix_time() {
        Some(seconds) => time::set_realtime(seconds),
        None => warn!(target: "cpu", "the CMOS clock gives no sensible time: it is 1970"),
    }
    describe(&clocks);
}

/// Makes the flow of control that boots into the idle task of this CPU.
pub fn boot_task() -> TaskRef {
    kthread::adopt_idle(Kstack::adopt_boot())
}

/// Maps the entry area of CPU `cpu`: one page of tables, then guard and stack four times.
fn entry_area(cpu: u64) -> gdt::EntryArea {
    let base = CPU_ENTRY + cpu * CPU_ENTRY_STRIDE;
    map_data(base);
    let ist_tops = core::array::from_fn(|stack| {
        let bottom = base + (1 + stack as u64 * (IST_PAGES + 1) + 1) * PAGE_SIZE;
        (0..IST_PAGES).for_each(|page| map_data(bottom + page * PAGE_SIZE));
        VirtAddr::new(bottom + IST_PAGES * PAGE_SIZE)
    });
    // SAFETY: all of it was just mapped in the kernel half, for good and for nothing else.
    unsafe { gdt::EntryArea::new(VirtAddr::new(base), ist_tops) }
}

fn map_data(addr: u64) {
    let frame = frame::alloc_zeroed(Owner::Kernel);
    let mapped =
        frame.map(|frame| map_kernel(Page::containing(VirtAddr::new(addr)), frame, kernel_data()));
    if !matches!(mapped, Some(Ok(()))) {
        super::refuse(format_args!(
            "no memory for the CPU entry area; start with more memory"
        ));
    }
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
