//! `/proc/PID/status` and `/proc/PID/statm`, in Linux's words and order.

use core::fmt::{self, Write};
use core::sync::atomic::Ordering::Relaxed;

use abi::signal::{SIG_DFL, SIG_IGN};
use abi::{SigSet, Signal};
use addr::PAGE_SIZE;
use sigstate::{SignalState, Signals};

use super::thread::{Thread, thread_of};
use super::view::{number_of, process_of};
use super::{Process, kernel_thread, tree};
use crate::fs::procfs::registry::{ProcessFacts, What, register};
use crate::mm::figures::Figures;
use crate::sched::policy;
use crate::task::{self, Task};

/// Adds the files.
pub(super) fn init() {
    register("status", What::ProcessText(status));
    register("statm", What::ProcessText(statm));
}

fn status(facts: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    if let Some(thread) = kernel_thread::of(facts) {
        return thread.status(out);
    }
    let Some(process) = process_of(facts) else {
        return Ok(());
    };
    let Some(family) = tree::family(process.pid()) else {
        return Ok(());
    };
    let (tgid, parent) = (process.pid(), family.parent);
    let pid = number_of(facts).unwrap_or(tgid);
    let task = process.task_of(pid).or_else(|| process.task());
    let (umask, state) = (process.umask(), state(process, task.as_deref()));
    // The table of descriptors has room for a power of two, 64 at least.
    let slots = process.with_files(|files| files.len()).max(64);
    writeln!(out, "Name:\t{}\nUmask:\t{umask:04o}", facts.name())?;
    writeln!(out, "State:\t{state}\nTgid:\t{tgid}\nNgid:\t0\nPid:\t{pid}")?;
    writeln!(out, "PPid:\t{parent}\nTracerPid:\t0")?;
    let thread = task.as_deref().and_then(thread_of);
    let cred = thread.map_or_else(|| process.cred(), Thread::cred);
    for (name, ids) in [("Uid", cred.uid), ("Gid", cred.gid)] {
        let (real, effective) = (ids.real, ids.effective);
        writeln!(
            out,
            "{name}:\t{real}\t{effective}\t{}\t{}",
            ids.saved, ids.fs
        )?;
    }
    write!(out, "FDSize:\t{}\nGroups:\t", slots.next_power_of_two())?;
    for (number, group) in cred.groups.iter().enumerate() {
        write!(out, "{}{group}", if number == 0 { "" } else { " " })?;
    }
    writeln!(out, " ")?;
    writeln!(out, "NStgid:\t{tgid}\nNSpid:\t{pid}")?;
    writeln!(out, "NSpgid:\t{}\nNSsid:\t{}", family.group, family.session)?;
    writeln!(out, "Kthread:\t0")?;
    if let Some(mm) = facts.mm() {
        memory(&mm.figures(), out)?;
    }
    writeln!(out, "Threads:\t{}", process.threads().max(1))?;
    let nobody = || SignalState::new(false);
    let shown = process.with_signals_of(pid, |state| signals(state, out));
    shown.unwrap_or_else(|| signals(&nobody().of_main(), out))?;
    let caps = &cred.caps;
    for (name, set) in [
        ("CapInh", caps.inheritable),
        ("CapPrm", caps.permitted),
        ("CapEff", caps.effective),
        ("CapBnd", caps.bounding),
        ("CapAmb", caps.ambient),
    ] {
        writeln!(out, "{name}:\t{:016x}", set.bits())?;
    }
    let no_new_privs = thread.is_some_and(|thread| thread.no_new_privs.load(Relaxed));
    writeln!(out, "NoNewPrivs:\t{}", u8::from(no_new_privs))?;
    writeln!(out, "Seccomp:\t0\nSeccomp_filters:\t0")?;
    cpus(task.as_deref().map_or(0, policy::allowed), out)?;
    let [voluntary, other] = task.as_deref().map_or([0; 2], Task::switches);
    writeln!(out, "voluntary_ctxt_switches:\t{voluntary}")?;
    writeln!(out, "nonvoluntary_ctxt_switches:\t{other}")
}

/// A set of CPUs as a number, 32 bits between commas, and as a list.
pub(super) fn cpus(set: u64, out: &mut dyn Write) -> fmt::Result {
    write!(out, "Cpus_allowed:\t")?;
    match set >> 32 {
        0 => write!(out, "{set:x}")?,
        high => write!(out, "{high:x},{:08x}", set as u32)?,
    }
    write!(out, "\nCpus_allowed_list:\t")?;
    let mut comma = "";
    let mut rest = set;
    while rest != 0 {
        let first = rest.trailing_zeros();
        let len = (rest >> first).trailing_ones();
        match len {
            1 => write!(out, "{comma}{first}")?,
            _ => write!(out, "{comma}{first}-{}", first + len - 1)?,
        }
        comma = ",";
        rest &= u64::MAX.checked_shl(first + len).unwrap_or(0);
    }
    writeln!(out)
}

pub(super) fn state(process: &Process, task: Option<&Task>) -> &'static str {
    let Some(task) = task.filter(|_| !tree::has_ended(process.pid())) else {
        return "Z (zombie)";
    };
    match task.state() {
        task::BLOCKED if process.with_signals(|signals| signals.is_stopped()) => "T (stopped)",
        task::BLOCKED => "S (sleeping)",
        task::DEAD => "X (dead)",
        _ => "R (running)",
    }
}

fn memory(figures: &Figures, out: &mut dyn Write) -> fmt::Result {
    for (name, pages) in [
        ("VmPeak", figures.peak),
        ("VmSize", figures.size),
        ("VmLck", figures.locked),
        ("VmPin", 0),
        ("VmHWM", figures.peak_rss),
        ("VmRSS", figures.rss()),
        ("RssAnon", figures.anon),
        ("RssFile", figures.file),
        ("RssShmem", figures.shmem),
        ("VmData", figures.data),
        ("VmStk", figures.stack),
        ("VmExe", figures.exe),
        ("VmLib", figures.lib),
        ("VmPTE", figures.tables),
        ("VmSwap", 0),
        ("HugetlbPages", 0),
    ] {
        writeln!(out, "{name}:\t{:8} kB", pages * PAGE_SIZE / 1024)?;
    }
    writeln!(out, "CoreDumping:\t0\nTHP_enabled:\t1")?;
    writeln!(out, "untag_mask:\t{:#x}", u64::MAX)
}

fn signals(state: &Signals<'_>, out: &mut dyn Write) -> fmt::Result {
    let of = |wanted: &dyn Fn(u64) -> bool| {
        let all = SigSet::ALL.iter();
        let wanted = all.filter(|signal: &Signal| wanted(state.action(*signal).handler));
        wanted.fold(SigSet::EMPTY, SigSet::with)
    };
    writeln!(out, "SigQ:\t{}/{}", state.queued(), state.limit())?;
    let [private, shared] = state.pending_by_target();
    for (name, set) in [
        ("SigPnd", private),
        ("ShdPnd", shared),
        ("SigBlk", state.blocked()),
        ("SigIgn", of(&|handler| handler == SIG_IGN)),
        (
            "SigCgt",
            of(&|handler| handler != SIG_IGN && handler != SIG_DFL),
        ),
    ] {
        writeln!(out, "{name}:\t{:016x}", set.bits())?;
    }
    Ok(())
}

/// Size, what is in memory, what of that others may have as well, code, 0, data, 0.
fn statm(facts: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    let figures = facts.mm().map_or_else(Figures::default, |mm| mm.figures());
    let (shared, data) = (figures.file + figures.shmem, figures.data + figures.stack);
    let (size, rss, exe) = (figures.size, figures.rss(), figures.exe);
    writeln!(out, "{size} {rss} {shared} {exe} 0 {data} 0")
}
