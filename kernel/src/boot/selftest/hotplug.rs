//! CPUs that go and come back: what they borrow, what runs there, what rings there.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use log::info;
use pte::Prot;
use runq::Schedulable;

use super::address_spaces::mm_with_word;
use crate::boot::hotplug::{self, Refused};
use crate::mm::counters::{MM_ALIVE, PML4_ALIVE};
use crate::mm::kstack::Kstack;
use crate::mm::switch;
use crate::percpu::cpu_id;
use crate::sched;
use crate::sched::kthread::{Kthread, kthread_create, kthread_use_mm};
use crate::task::kthread::Ended;
use crate::{smp, time};

const ROUNDS: usize = 20;
const MS: u64 = 1_000_000;

/// LZ-27, LZ-28: a CPU that borrows a dead process's mm gives it back before it goes, and is as new when it is back.
pub(super) fn hotplug() {
    let all = smp::online();
    assert!(all.len() > 1, "this test needs two CPUs");
    refusals();
    for round in 0..ROUNDS {
        let cpu = 1 + round % (all.len() - 1);
        a_borrower_goes(cpu);
        assert_eq!(smp::online(), all, "all are back");
    }
    a_sleeper_wakes_elsewhere(1);
    a_runner_moves_on(1);
    info!(target: "test", "hotplug ok rounds={ROUNDS}");
}

fn refusals() {
    assert_eq!(hotplug::take_out(0), Err(Refused::First));
    assert_eq!(hotplug::take_out(64), Err(Refused::NotSo));
    assert_eq!(hotplug::take_in(0), Err(Refused::NotSo));
    assert_eq!(hotplug::take_in(1), Err(Refused::NotSo));
}

fn a_borrower_goes(cpu: usize) {
    let alive = (MM_ALIVE.get(), PML4_ALIVE.get());
    let mm = mm_with_word(0x40_0000, 7, Prot::READ | Prot::WRITE);
    let stay = mm.clone();
    let ran = finish(&on_cpu(cpu, move || {
        drop(kthread_use_mm(&stay));
        cpu_id() as i32
    }));
    assert_eq!(ran, cpu, "a bound thread runs where it is bound");
    assert!(
        mm.count() == 2 || switch::is_loaded(&mm),
        "an idle CPU keeps what it borrows, or stands on it (LZ-8, LZ-30)"
    );
    assert_eq!(hotplug::take_out(cpu), Ok(()));
    assert!(
        mm.count() == 1 && !switch::is_loaded(&mm),
        "who goes gives back, and stands on init_mm (LZ-27)"
    );
    drop(mm);
    assert_eq!((MM_ALIVE.get(), PML4_ALIVE.get()), alive);
    without(cpu);
    assert_eq!(hotplug::take_in(cpu), Ok(()));
    let ran = finish(&on_cpu(cpu, || cpu_id() as i32));
    assert_eq!(ran, cpu, "a CPU that is back runs tasks");
}

/// Life goes on without it: calls do not wait for it, stacks come and go in places that it remembers.
fn without(cpu: usize) {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    assert!(!smp::online().contains(cpu) && !smp::active().contains(cpu));
    assert_eq!(hotplug::take_out(cpu), Err(Refused::NotSo));
    let note = |_| {
        CALLED.fetch_add(1, SeqCst);
    };
    smp::call_function(cpumask::CpuMask::ALL, note, 0, true);
    assert_eq!(CALLED.swap(0, SeqCst), smp::online().len());
    let stacks: [_; 12] = core::array::from_fn(|_| Kstack::new());
    assert!(stacks.iter().all(Result::is_ok), "a test has memory");
    let elsewhere = finish(&on_cpu(cpu, || cpu_id() as i32));
    assert_ne!(elsewhere, cpu, "who may run nowhere else runs elsewhere");
}

/// Its timer was set on the CPU that goes.
fn a_sleeper_wakes_elsewhere(cpu: usize) {
    let slept = Arc::new(AtomicBool::new(false));
    let begun = slept.clone();
    let sleeper = on_cpu(cpu, move || {
        begun.store(true, SeqCst);
        let woke = time::sleep_until(time::now_ns() + 200 * MS);
        assert!(woke.is_ok(), "nobody wants this thread");
        cpu_id() as i32
    });
    wait_until(|| slept.load(SeqCst));
    assert_eq!(hotplug::take_out(cpu), Ok(()));
    assert_ne!(finish(&sleeper), cpu);
    assert_eq!(hotplug::take_in(cpu), Ok(()));
}

/// It does not sleep, and may run nowhere else.
fn a_runner_moves_on(cpu: usize) {
    static AT: AtomicUsize = AtomicUsize::new(usize::MAX);
    let over = Arc::new(AtomicBool::new(false));
    let runs = over.clone();
    let runner = on_cpu(cpu, move || {
        while !runs.load(SeqCst) {
            AT.store(cpu_id(), SeqCst);
        }
        cpu_id() as i32
    });
    wait_until(|| AT.load(SeqCst) == cpu);
    assert_eq!(hotplug::take_out(cpu), Ok(()));
    wait_until(|| AT.load(SeqCst) != cpu);
    over.store(true, SeqCst);
    assert_ne!(finish(&runner), cpu);
    assert_eq!(hotplug::take_in(cpu), Ok(()));
}

/// Starts a thread that may run on one CPU only.
fn on_cpu(cpu: usize, body: impl FnOnce() -> i32 + Send + 'static) -> Kthread {
    let thread = kthread_create("hotplugged", body).expect("a test has memory");
    thread.task().entity().set_allowed(1 << cpu);
    thread.start();
    thread
}

/// Waits until a thread has ended and has left its CPU; returns what it returned.
fn finish(thread: &Kthread) -> usize {
    wait_until(|| thread.result().is_some());
    sched::wait_off_cpu(thread.task());
    match thread.result() {
        Some(Ended::Returned(cpu)) => cpu as usize,
        other => panic!("the thread returns: {other:?}"),
    }
}

fn wait_until(done: impl Fn() -> bool) {
    while !done() {
        let _ = time::sleep_until(time::now_ns() + MS);
    }
}
