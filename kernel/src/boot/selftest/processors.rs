//! Messages between CPUs, a CPU that does not come, and CPUs that fail.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use cpumask::{AtomicCpuMask, CpuMask};
use log::info;

use crate::arch::cpu;
use crate::boot::processors::{self, LeftOut};
use crate::mm::counters::RESCHEDULES_RECEIVED;
use crate::percpu::cpu_id;
use crate::{smp, time};

/// How often everybody is called.
const ROUNDS: usize = 1000;
/// Longest wait for what must come, in ns.
const PATIENCE: u64 = 20_000_000_000;

static CALLED: AtomicCpuMask = AtomicCpuMask::new(CpuMask::EMPTY);
static CALLS: AtomicUsize = AtomicUsize::new(0);
static SUM: AtomicU64 = AtomicU64::new(0);

/// A called function runs once on each CPU that was named, with its argument; a reschedule arrives.
pub(super) fn messages() {
    let all = smp::online();
    for round in 1..=ROUNDS {
        smp::call_function(all, note, round, true);
        let ran = (CALLED.take(), CALLS.swap(0, SeqCst));
        assert_eq!(
            ran,
            (all, all.len()),
            "who waits goes on when all have run it once"
        );
    }
    let sum = (1..=ROUNDS as u64).sum::<u64>() * all.len() as u64;
    assert_eq!(SUM.load(SeqCst), sum, "each call has its own argument");
    posted(all);
    reschedules(all);
    info!(target: "test", "{} CPUs called {ROUNDS} times", all.len());
}

/// Calls that nobody waits for all arrive, none replaces another.
fn posted(all: CpuMask) {
    for _ in 0..ROUNDS {
        smp::call_function(all, note, 0, false);
    }
    wait_until(|| CALLS.load(SeqCst) == ROUNDS * all.len());
}

fn reschedules(all: CpuMask) {
    for cpu in all.without(cpu_id()) {
        let before = RESCHEDULES_RECEIVED.get();
        smp::send_reschedule(cpu);
        wait_until(|| RESCHEDULES_RECEIVED.get() > before);
    }
}

fn note(argument: usize) {
    CALLED.insert(cpu_id());
    CALLS.fetch_add(1, SeqCst);
    SUM.fetch_add(argument as u64, SeqCst);
}

/// A number that no APIC has: nobody answers, that is told, and the machine goes on.
pub(super) fn absent_cpu() {
    const NOBODYS: u32 = 0xfd;
    let online = smp::online();
    let outcome = processors::start_absent(NOBODYS);
    assert_eq!(outcome, Err(LeftOut::NoAnswer), "nobody has this number");
    assert_eq!(smp::online(), online, "who is left out is not online");
}

/// Another CPU panics: it stops this one.
pub(super) fn panic_elsewhere() {
    let others = smp::online().without(cpu_id());
    let other = others.first().expect("this test needs two CPUs");
    let fails = |_| panic!("this invariant is broken on purpose, elsewhere");
    smp::call_function(CpuMask::of(other), fails, 0, true);
    unreachable!("who waits for a CPU that panics is stopped");
}

/// All CPUs panic at once: one reports.
pub(super) fn panic_everywhere() {
    let fails = |_| panic!("this invariant is broken on purpose, everywhere");
    smp::call_function(smp::online(), fails, 0, true);
}

fn wait_until(done: impl Fn() -> bool) {
    let end = time::now_ns() + PATIENCE;
    while !done() {
        assert!(time::now_ns() < end, "a message arrives");
        cpu::relax();
    }
}
