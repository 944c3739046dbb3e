//! Lodger: boot as a table of contents.
#![no_std]
#![no_main]
#![deny(unsafe_code)]
#![expect(
    unreachable_pub,
    reason = "in a binary nothing is reachable from outside; `pub` says what a file offers the others"
)]

extern crate alloc;

mod arch;
mod boot;
mod fs;
mod locks;
mod log;
mod mm;
mod percpu;
mod process;
mod sched;
mod smp;
mod syscall;
mod task;
mod time;
mod trace;
mod trap;
mod workqueue;

use ::log::info;
use bootloader_api::config::Mapping;
use bootloader_api::{BootInfo, BootloaderConfig};

static CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    // The same direct map that the kernel's own tables have; see mm/layout.rs.
    config.mappings.physical_memory = Some(Mapping::FixedAddress(mm::layout::PHYSMAP));
    config.mappings.dynamic_range_start = Some(0xffff_f000_0000_0000);
    config.mappings.dynamic_range_end = Some(0xffff_f7ff_ffff_ffff);
    config.kernel_stack_size = 64 * 1024;
    config
};
bootloader_api::entry_point!(on_bootloader_tables, config = &CONFIG);

/// On the bootloader's tables and stack: look around, then leave both behind.
fn on_bootloader_tables(boot_info: &'static mut BootInfo) -> ! {
    arch::gdt::init_early(0); // own segments, per-CPU data
    arch::idt::init_early(); // exceptions are reported from here on
    arch::serial::COM1.init();
    arch::serial::COM2.init();
    log::init();
    info!(target: "boot", "Lodger {}: kernel threads lodge in borrowed address spaces", env!("CARGO_PKG_VERSION"));
    if let Err(why) = arch::cpu::init() {
        boot::refuse(format_args!("{why}")); // NX, WP, SMEP, SMAP, UMIP, SYSCALL
    }
    boot::handover::collect(boot_info); // memory map, initramfs
    boot::tables::leave_bootloader(on_own_tables)
}

/// On the kernel's own tables and the boot task's own stack.
extern "C" fn on_own_tables() -> ! {
    arch::mmu::flush_all(); // nothing of the bootloader's tables stays cached
    boot::memory::take_over(); // frame table, allocator; the heap works from here on
    let initramfs = boot::handover::initramfs();
    let cmdline = boot::cmdline::read(initramfs);
    boot::cmdline::choose_pcids(&cmdline); // the TLB remembers several address spaces, where it can
    boot::machine::init(!cmdline.no_x2apic); // entry area, APIC, clocks
    boot::cmdline::choose_borrowing(&cmdline); // lazy TLB, with references, unless told otherwise
    mm::large::set_mode(boot::cmdline::large_pages(&cmdline)); // who gets large pages
    process::layout::set_random(!cmdline.same_addresses); // where programs find their parts
    time::set_limit(cmdline.timeout); // the whole run's, if one is set
    sched::init(boot::machine::boot_task()); // this flow of control becomes the idle task
    time::start(); // the clock rings from here on
    arch::cpu::irq_enable();
    boot::processors::start_others(on_another_cpu, cmdline.max_cpus); // up to maxcpus=
    mm::frame::share_among(smp::online().len()); // single frames at hand, for each
    trace::start_kthreads(&cmdline); // reaper, workers
    process::power::set_handler(boot::power::end);
    if !boot::selftest::start(&cmdline) {
        boot::start_userland(cmdline, initramfs); // root file system, PID 1
    }
    sched::idle_loop()
}

/// What every other CPU does first, on the kernel's own tables and the stack of its idle task: the shorter twin of the two above.
extern "C" fn on_another_cpu(cpu: usize) -> ! {
    arch::gdt::init_early(cpu); // own segments, per-CPU data
    arch::idt::init_early(); // exceptions are reported from here on
    if let Err(why) = arch::cpu::init() {
        boot::processors::give_up(why); // the same bits as on the first
    }
    arch::mmu::flush_all(); // nothing of the first tables stays cached
    boot::machine::init_other(cpu); // entry area, APIC
    mm::pcid::start(); // as on the first
    mm::switch::load_init(); // on init_mm, and known to be
    sched::init(boot::processors::idle_task(cpu)); // this flow of control becomes the idle task
    time::start(); // its own clock
    smp::presence::set_up(cpu); // messages and tasks from here on
    arch::cpu::irq_enable();
    sched::idle_loop()
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    trap::report::panic(info)
}
