//! What `/proc` says of the machine as a whole: its processors, its load, its kernel.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use clocks::load::Averages;
use cpumask::MAX_CPUS;

use super::{account, tree};
use crate::fs::procfs::registry::{MakeText, What, register};
use crate::locks::{SpinLock, rank};
use crate::percpu::counters::{CONTEXT_SWITCHES, FORKS};
use crate::sched::runqueue;
use crate::smp::presence;
use crate::time;

/// The kernel's name.
pub const SYSNAME: &str = "Linux";
/// The Linux whose behaviour is meant: programs look at it to learn which calls there are.
pub const RELEASE: &str = "6.12.0-lodger";
/// What was built.
pub const VERSION: &str = concat!("#1 Lodger ", env!("CARGO_PKG_VERSION"));

/// Nanoseconds of a clock tick.
const TICK: u64 = 10_000_000;
/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

static LOAD: SpinLock<Averages, { rank::SOURCE }> = SpinLock::new(Averages::new());
/// When the load is to be looked at next, so that a tick need not take the lock.
static LOAD_DUE: AtomicU64 = AtomicU64::new(0);

/// Adds the files.
pub(super) fn init() {
    let texts: [(&str, MakeText); 10] = [
        ("stat", stat),
        ("loadavg", load_average),
        ("version", |out| {
            writeln!(out, "{SYSNAME} version {RELEASE} {VERSION}")
        }),
        ("cpuinfo", cpu_info),
        ("devices", devices),
        ("interrupts", nothing),
        ("partitions", |out| {
            writeln!(out, "major minor  #blocks  name\n")
        }),
        ("swaps", |out| {
            writeln!(out, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority")
        }),
        ("modules", nothing),
        ("consoles", |out| {
            writeln!(out, "ttyS0                -W- (EC   a)    4:64")
        }),
    ];
    for (name, make) in texts {
        register(name, What::Text(make));
    }
}

fn nothing(_: &mut dyn Write) -> fmt::Result {
    Ok(())
}

/// Brings the load averages up to date, if it is time; called in the timer interrupt too.
pub(super) fn note_load(now: u64) {
    if now < LOAD_DUE.load(Relaxed) {
        return;
    }
    let active = running();
    let mut load = LOAD.lock();
    LOAD_DUE.store(load.update(now, active), Relaxed);
}

/// Returns the load averages over 1, 5 and 15 minutes, in 1/65536.
pub fn load_averages() -> [u64; 3] {
    note_load(time::now_ns());
    LOAD.lock().scaled()
}

/// How many tasks run, or would if there were more CPUs.
fn running() -> u64 {
    cpus()
        .map(|cpu| u64::from(runqueue::load_of(cpu).tasks))
        .sum()
}

fn cpus() -> impl Iterator<Item = usize> {
    let online = presence::online();
    (0..MAX_CPUS).filter(move |cpu| online.contains(*cpu))
}

fn load_average(out: &mut dyn Write) -> fmt::Result {
    for load in load_averages() {
        let load = load + 65536 / 200;
        write!(out, "{}.{:02} ", load >> 16, ((load & 0xffff) * 100) >> 16)?;
    }
    let (running, all) = (running().max(1), tree::count());
    writeln!(out, "{running}/{all} {}", tree::last_number())
}

/// One line for all CPUs, one for each, in clock ticks; then counts.
fn stat(out: &mut dyn Write) -> fmt::Result {
    let now = time::now_ns();
    let (in_programs, samples) = account::samples();
    let times = |cpu: usize| {
        let idle = runqueue::idle_ns(cpu, now).min(now);
        let busy = now - idle;
        let user = (u128::from(busy) * u128::from(in_programs) / u128::from(samples.max(1))) as u64;
        [user, busy - user, idle].map(|ns| ns / TICK)
    };
    let mut sum = [0; 3];
    for cpu in cpus() {
        for (sum, own) in sum.iter_mut().zip(times(cpu)) {
            *sum += own;
        }
    }
    write_times(out, format_args!("cpu "), sum)?;
    for cpu in cpus() {
        write_times(out, format_args!("cpu{cpu}"), times(cpu))?;
    }
    writeln!(out, "intr 0\nctxt {}", CONTEXT_SWITCHES.get())?;
    writeln!(out, "btime {}", (time::realtime_ns() - now) / SECOND)?;
    writeln!(out, "processes {}", FORKS.get() + 1)?;
    writeln!(out, "procs_running {}\nprocs_blocked 0", running().max(1))?;
    writeln!(out, "softirq 0 0 0 0 0 0 0 0 0 0 0")
}

fn write_times(out: &mut dyn Write, name: fmt::Arguments<'_>, times: [u64; 3]) -> fmt::Result {
    let [user, system, idle] = times;
    writeln!(out, "{name} {user} 0 {system} {idle} 0 0 0 0 0 0")
}

fn cpu_info(out: &mut dyn Write) -> fmt::Result {
    let cpuid = raw_cpuid::CpuId::new();
    let vendor = cpuid.get_vendor_info();
    let vendor = vendor.as_ref().map_or("unknown", |vendor| vendor.as_str());
    let brand = cpuid.get_processor_brand_string();
    let brand = brand.as_ref().map_or("unknown", |brand| brand.as_str());
    let features = cpuid.get_feature_info();
    let of = |value: fn(&raw_cpuid::FeatureInfo) -> u8| features.as_ref().map_or(0, value);
    for cpu in cpus() {
        writeln!(out, "processor\t: {cpu}\nvendor_id\t: {vendor}")?;
        writeln!(
            out,
            "cpu family\t: {}",
            of(raw_cpuid::FeatureInfo::family_id)
        )?;
        writeln!(out, "model\t\t: {}", of(raw_cpuid::FeatureInfo::model_id))?;
        writeln!(out, "model name\t: {}", brand.trim())?;
        writeln!(
            out,
            "stepping\t: {}",
            of(raw_cpuid::FeatureInfo::stepping_id)
        )?;
        writeln!(
            out,
            "physical id\t: {cpu}\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1"
        )?;
        writeln!(
            out,
            "fpu\t\t: yes\nflags\t\t: fpu tsc msr pae cx8 apic sep pge cmov fxsr sse sse2 syscall nx lm"
        )?;
        writeln!(
            out,
            "clflush size\t: 64\naddress sizes\t: 40 bits physical, 48 bits virtual\n"
        )?;
    }
    Ok(())
}

fn devices(out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console"
    )?;
    writeln!(out, "  5 /dev/ptmx\n136 pts\n\nBlock devices:")
}
