//! `/proc/PID/stat`, `environ`, `limits`, `io` and other small files about a process.

use core::fmt::{self, Write};

use abi::process::Rlimit;
use addr::PAGE_SIZE;
use runq::{Params, Policy};

use super::status::state;
use super::view::{number_of, process_of};
use super::{Process, kernel_thread, tree, usage::Usage};
use crate::fs::procfs::registry::{ProcessFacts, What, register};
use crate::mm::figures::Figures;
use crate::sched::policy;

/// Nanoseconds of a clock tick.
const TICK: u64 = 10_000_000;

/// Adds the files.
pub(super) fn init() {
    register("stat", What::ProcessText(stat));
    register("environ", What::ProcessText(environment));
    register("limits", What::ProcessText(limits));
    register("io", What::ProcessText(io));
    register("wchan", What::ProcessText(|_, out| out.write_str("0")));
    register("cgroup", What::ProcessText(|_, out| writeln!(out, "0::/")));
    register(
        "loginuid",
        What::ProcessText(|_, out| write!(out, "{}", u32::MAX)),
    );
    register(
        "sessionid",
        What::ProcessText(|_, out| write!(out, "{}", u32::MAX)),
    );
    register("schedstat", What::ProcessText(sched_stat));
}

/// The 52 fields of the line. Addresses of the program's parts are 0, as for those who may not look into it.
fn stat(facts: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    if let Some(thread) = kernel_thread::of(facts) {
        return thread.stat(out);
    }
    let Some(process) = process_of(facts) else {
        return Ok(());
    };
    let (pid, number) = (process.pid(), number_of(facts).unwrap_or_default());
    let Some(family) = tree::family(pid) else {
        return Ok(());
    };
    let task = process.task_of(number).or_else(|| process.task());
    let usage = match process.task_of(number) {
        Some(task) if number != pid => Usage::of_task(&task),
        _ => Usage::of(process),
    };
    let state = state(process, task.as_deref()).get(..1).unwrap_or("R");
    write!(out, "{number} ({}) {state} ", facts.name())?;
    let (terminal, foreground) = process.terminal_numbers();
    write!(
        out,
        "{} {} {} {terminal} {foreground} 4194304 ",
        family.parent, family.group, family.session
    )?;
    let children = tree::children_usage(pid);
    write!(out, "{} {} ", usage.min_faults, children.min_faults)?;
    write!(out, "{} {} ", usage.maj_faults, children.maj_faults)?;
    let ((user, system), (child_user, child_system)) = (usage.ticks(), children.ticks());
    write!(out, "{user} {system} {child_user} {child_system} ")?;
    let params = task.as_deref().map_or(Params::DEFAULT, policy::params);
    let threads = process.threads().max(1);
    let started = process.started_ns() / TICK;
    write!(
        out,
        "{} {} {threads} 0 {started} ",
        priority(&params),
        params.nice
    )?;
    let figures = facts.mm().map_or_else(Figures::default, |mm| mm.figures());
    let rss_limit = u64::MAX;
    write!(
        out,
        "{} {} {rss_limit} ",
        figures.size * PAGE_SIZE,
        figures.rss()
    )?;
    // Code, stack, stack pointer, instruction, four sets of signals, where it waits, and what was swapped.
    write!(out, "0 0 0 0 0 0 0 0 0 0 0 0 ")?;
    let signal = tree::exit_signal(pid).map_or(0, |signal| signal.number());
    let cpu = task.as_deref().map_or(0, |task| task.cpu());
    let rt = params.rt_priority;
    write!(out, "{signal} {cpu} {rt} {} 0 0 0 ", params.policy as u32)?;
    writeln!(out, "0 0 0 0 0 0 0 0")
}

/// The priority as `top` shows it: 20 for most, below 0 for those that come before all these.
pub(super) fn priority(params: &Params) -> i32 {
    match params.policy {
        Policy::Fifo | Policy::RoundRobin => -1 - i32::from(params.rt_priority),
        _ => 20 + i32::from(params.nice),
    }
}

/// Reads the environment where the program keeps it.
fn environment(facts: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    let Some(process) = process_of(facts) else {
        return Ok(());
    };
    crate::fs::procfs::write_memory(facts, process.program().environment, out)
}

fn limits(facts: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    const LIMITS: [(&str, &str); 16] = [
        ("Max cpu time", "seconds"),
        ("Max file size", "bytes"),
        ("Max data size", "bytes"),
        ("Max stack size", "bytes"),
        ("Max core file size", "bytes"),
        ("Max resident set", "bytes"),
        ("Max processes", "processes"),
        ("Max open files", "files"),
        ("Max locked memory", "bytes"),
        ("Max address space", "bytes"),
        ("Max file locks", "locks"),
        ("Max pending signals", "signals"),
        ("Max msgqueue size", "bytes"),
        ("Max nice priority", ""),
        ("Max realtime priority", ""),
        ("Max realtime timeout", "us"),
    ];
    let Some(process) = process_of(facts) else {
        return Ok(());
    };
    writeln!(
        out,
        "{:<26}{:<21}{:<21}{:<10}",
        "Limit", "Soft Limit", "Hard Limit", "Units"
    )?;
    for (resource, (name, unit)) in (0..).zip(LIMITS) {
        let Some(limit) = process.with_limits(|limits| limits.get(resource)) else {
            continue;
        };
        write!(out, "{name:<26}")?;
        for value in [limit.current, limit.maximum] {
            match value {
                Rlimit::INFINITY => write!(out, "{:<21}", "unlimited")?,
                value => write!(out, "{value:<21}")?,
            }
        }
        writeln!(out, "{unit:<10}")?;
    }
    Ok(())
}

/// Nothing is read from or written to a disk, and transfers are not counted.
fn io(_: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    for name in [
        "rchar",
        "wchar",
        "syscr",
        "syscw",
        "read_bytes",
        "write_bytes",
    ] {
        writeln!(out, "{name}: 0")?;
    }
    writeln!(out, "cancelled_write_bytes: 0")
}

/// CPU time in ns, time in the run queue (not kept), turns.
fn sched_stat(facts: &dyn ProcessFacts, out: &mut dyn Write) -> fmt::Result {
    let usage = process_of(facts).map_or(Usage::NOTHING, Usage::of);
    let turns = usage.switches[0] + usage.switches[1];
    writeln!(out, "{} 0 {turns}", usage.cpu_ns)
}

impl Process {
    /// Returns the number of its terminal and the group in the foreground there; 0 and -1 without one.
    fn terminal_numbers(&self) -> (u64, i64) {
        match self.terminal() {
            Some(tty) => {
                let group = tty.foreground(true).map_or(-1, i64::from);
                (tty.number(), group)
            }
            None => (0, -1),
        }
    }
}
