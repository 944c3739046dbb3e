//! `/sys`: the machine's processors, and the places where programs expect directories.

use core::fmt::{self, Write};

use cpumask::{CpuMask, MAX_CPUS};

use super::registry::{MakeText, What, register};
use crate::smp::presence;

/// Adds the files.
pub(super) fn init() {
    for (name, make) in [
        ("devices/system/cpu/online", online as MakeText),
        ("devices/system/cpu/possible", known),
        ("devices/system/cpu/present", known),
        ("devices/system/cpu/offline", offline),
        ("devices/system/cpu/kernel_max", highest),
        ("devices/system/node/online", first_only),
        ("devices/system/node/possible", first_only),
        ("devices/system/node/node0/cpulist", known),
        ("kernel/mm/transparent_hugepage/hpage_pmd_size", huge_page),
        // Directories with nothing in them.
        ("block/", nothing),
        ("bus/", nothing),
        ("class/", nothing),
        ("dev/block/", nothing),
        ("dev/char/", nothing),
        ("firmware/", nothing),
        ("fs/cgroup/", nothing),
        ("module/", nothing),
    ] {
        register(name, What::Sys(make));
    }
}

fn online(out: &mut dyn Write) -> fmt::Result {
    write_list(out, presence::online())
}

fn known(out: &mut dyn Write) -> fmt::Result {
    write_list(out, presence::known())
}

fn offline(out: &mut dyn Write) -> fmt::Result {
    write_list(out, presence::gone())
}

fn highest(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", MAX_CPUS - 1)
}

fn first_only(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "0")
}

fn huge_page(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "{}", 2 << 20)
}

fn nothing(_: &mut dyn Write) -> fmt::Result {
    Ok(())
}

/// Writes a set of CPUs as ranges with commas between them.
fn write_list(out: &mut dyn Write, set: CpuMask) -> fmt::Result {
    let mut comma = "";
    let mut cpu = 0;
    while cpu < MAX_CPUS {
        let first = cpu;
        while cpu < MAX_CPUS && set.contains(cpu) {
            cpu += 1;
        }
        match cpu - first {
            0 => {}
            1 => write!(out, "{comma}{first}")?,
            _ => write!(out, "{comma}{first}-{}", cpu - 1)?,
        }
        if cpu > first {
            comma = ",";
        }
        cpu += 1;
    }
    writeln!(out)
}
