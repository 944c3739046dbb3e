//! How the machine ends: counters, audit, then isa-debug-exit with a code of its own for each way.

use core::fmt::Write;

use log::{error, info};

use crate::arch::cpu;
use crate::fs::host;
use crate::locks::stats;
use crate::mm::{self, audit, counters};
use crate::process::power::Ending;
use crate::smp;
use crate::smp::stop::{self, Claim};

/// isa-debug-exit values; QEMU's exit code is twice that plus one.
pub const PASS: u32 = 0x10;
/// Init failed, or there was none.
pub const FAIL: u32 = 0x11;
/// The audit found something.
pub const LEAK: u32 = 0x14;

/// How many findings are told one by one.
const FINDINGS: u32 = 20;

/// Ends the machine for a program, or for want of one.
pub fn end(ending: Ending) -> ! {
    let code = match ending {
        Ending::PowerOff | Ending::Halt | Ending::Restart | Ending::InitExited(0) => PASS,
        Ending::InitExited(_) | Ending::InitKilled(_) | Ending::NoInit => FAIL,
    };
    match ending {
        Ending::InitExited(code) => host::ended(code),
        Ending::InitKilled(signal) => host::ended(128 + signal.number()),
        _ => {}
    }
    info!(target: "power", "{ending}");
    off(code)
}

/// Stops the other CPUs, prints what was counted, checks what must hold, and ends the machine with `code`.
pub fn off(code: u32) -> ! {
    stop_others();
    counters::for_each(|name, value| info!(target: "counters", "{name} {value}"));
    stats::for_each(|name, what, count| {
        if count > 0 {
            info!(target: "counters", "lock_{name}_{what} {count}");
        }
    });
    for_each_cpu();
    mm::audit::for_each_owner(|name, frames| info!(target: "counters", "{name} {frames}"));
    let compared = fsck();
    match audit() {
        Ok(report) => {
            info!(target: "power", "audit ok: {} upper slots identical in {} PML4s, every frame has one owner", report.slots, report.pml4s);
            cpu::debug_exit(if compared { code } else { LEAK })
        }
        Err(what) => {
            error!(target: "power", "audit failed: {what}");
            cpu::debug_exit(LEAK)
        }
    }
}

/// What each CPU did that did anything, where there are several.
fn for_each_cpu() {
    let cpus = smp::presence::known();
    for cpu in cpus.iter().filter(|_| cpus.len() > 1) {
        let mut line = arrayvec::ArrayString::<480>::new();
        let mut sum = 0;
        counters::for_each_of(cpu, |name, value| {
            sum += value;
            // A line that is too long ends early.
            let _ = write!(line, " {name} {value}");
        });
        if sum != 0 {
            info!(target: "cpus", "cpu {cpu}:{line}");
        }
    }
}

/// Lets nobody change what is about to be counted; of CPUs that end the machine at once one does.
fn stop_others() {
    match stop::claim() {
        Claim::Ours => {}
        // A panic on the way: its report does the rest.
        Claim::OursBefore => return,
        Claim::Other => loop {
            cpu::relax();
        },
    }
    let others = stop::ask_others();
    if !others.is_empty() {
        error!(target: "power", "these CPUs do not stop: {others}");
    }
}

/// Compares page tables, mappings and frames with each other; returns whether all agree.
fn fsck() -> bool {
    let mut lines = 0;
    let report = mm::fsck::run(&mut |what| {
        lines += 1;
        if lines <= FINDINGS {
            error!(target: "power", "fsck: {what}");
        }
    });
    if report.findings == 0 {
        info!(target: "power", "fsck ok: {report}");
    } else {
        error!(target: "power", "fsck failed: {} findings; {report}", report.findings);
    }
    report.findings == 0
}
