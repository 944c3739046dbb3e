//! Messages between CPUs, a CPU that does not come, and CPUs that fail.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use addr::{Frame, VirtAddr};
use cpumask::{AtomicCpuMask, CpuMask};
use log::info;

use crate::arch::cpu;
use crate::arch::uaccess::read_kernel_word;
use crate::boot::processors::{self, LeftOut};
use crate::mm::counters::{RESCHEDULES_RECEIVED, TIMER_INTERRUPTS};
use crate::mm::frame::{self, Owner};
use crate::mm::kstack::Kstack;
use crate::mm::layout::KSTACK_PAGES;
use crate::mm::{init_mm_root, pgtable, physmap};
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

/// A kernel stack's addresses mean the new stack to every CPU once they are used again (TLB-4).
///
/// All CPUs look at stacks, so that they remember where those lie; then the stacks go, and others come in the same slots, of
/// other frames.
pub(super) fn kstack_reuse() {
    const STACKS: u64 = 12;
    let mut reused = 0;
    let mut old = Vec::new();
    for round in 0..20 {
        let stacks: Vec<Kstack> = (0..STACKS)
            .map(|_| Kstack::new().expect("a test has memory"))
            .collect();
        for stack in &stacks {
            reused += usize::from(old.contains(&stack.slot()));
            let word = round << 32 | stack.slot();
            physmap::write(frame_of(stack), 0, &word.to_le_bytes());
            WANTED.store(word, SeqCst);
            let address = stack.range().start.start().as_u64();
            smp::call_function(smp::online(), compare, address as usize, true);
        }
        old = stacks.iter().map(Kstack::slot).collect();
        // The frames that come free are not those that are taken next.
        let others = (0..STACKS * KSTACK_PAGES).map(|_| frame::alloc(Owner::Kernel));
        let others: Vec<Frame> = others.flatten().collect();
        drop(stacks);
        others.into_iter().for_each(frame::free);
    }
    assert_eq!(
        STALE.load(SeqCst),
        0,
        "each CPU sees the stack that is there"
    );
    assert!(reused > 50, "slots are used again, or nothing was tried");
    info!(target: "test", "{reused} slots used again");
}

static WANTED: AtomicU64 = AtomicU64::new(0);
static STALE: AtomicUsize = AtomicUsize::new(0);

fn compare(address: usize) {
    let seen = read_kernel_word(VirtAddr::new(address as u64));
    if seen != Some(WANTED.load(SeqCst)) {
        STALE.fetch_add(1, SeqCst);
    }
}

fn frame_of(stack: &Kstack) -> Frame {
    let mapped = pgtable::leaf(init_mm_root(), stack.range().start.start());
    mapped.expect("a stack is mapped").1.frame()
}

/// Idle CPUs are not interrupted; one that works is.
///
/// With a tick each CPU would take 500 in two seconds.
pub(super) fn tickless() {
    const FEW: i64 = 100;
    let before = TIMER_INTERRUPTS.get();
    let slept = time::sleep_until(time::now_ns() + 2_000_000_000);
    assert!(slept.is_ok(), "nobody wants this thread");
    let idle = TIMER_INTERRUPTS.get() - before;
    assert!(idle < FEW, "{idle} timer interrupts while nobody ran");
    wait_until(|| TIMER_INTERRUPTS.get() > before + idle + 10);
    info!(target: "test", "{idle} timer interrupts in two idle seconds");
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
