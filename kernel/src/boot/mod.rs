//! From the bootloader to the first program. The order of steps is in `main.rs`.
//!
//! - [`handover`]: what the bootloader told, copied before its memory goes.
//! - [`tables`]: the kernel's own page tables, and the step onto them.
//! - [`memory`]: the frame table and the allocator take over.
//! - [`machine`]: entry area, interrupt controllers, clocks. [`processors`]: the other CPUs.
//! - [`hotplug`]: taking CPUs out of use and back.
//! - [`cmdline`]: the kernel command line. [`power`]: how the machine ends.
//! - [`selftest`]: what `test=NAME` on the command line runs instead of init.

pub mod cmdline;
pub mod handover;
pub mod hotplug;
pub mod machine;
pub mod memory;
pub mod power;
pub mod processors;
pub mod selftest;
pub mod tables;

use bootinfo::CommandLine;

use crate::{fs, process, sched, trap};

/// Brings the root file system and PID 1 up, in a kernel thread: both may sleep, the idle task may not.
pub fn start_userland(line: CommandLine, initramfs: &'static [u8]) {
    let started = sched::kthread_run("userland", move || {
        if initramfs.is_empty() {
            log::error!(target: "boot", "there is no initramfs: nothing to run");
            process::power::end(process::power::Ending::NoInit);
        }
        if let Err(why) = fs::init(initramfs, line.window) {
            refuse(format_args!("the initramfs is damaged: {why}"));
        }
        cmdline::publish();
        trap::serial::init();
        if line.bare {
            fs::host::open();
        }
        if line.damage {
            process::view::allow_damage();
        }
        process::start_init(&line);
    });
    started.expect("boot has memory for its kernel threads");
}

/// A machine that Lodger cannot run on: says why and ends, without a backtrace that would help nobody.
pub fn refuse(why: core::fmt::Arguments<'_>) -> ! {
    log::error!(target: "boot", "Lodger cannot start: {why}");
    crate::arch::cpu::debug_exit(power::FAIL)
}
