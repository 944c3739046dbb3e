//! `kstorm`: kernel threads, stays, deferred work and CPUs that come and go, beside programs that do what they like.
//!
//! Unlike a `test=` it does not replace init: it is what the storm of `tests/user` lacks. With `kstorm=hotplug` CPUs go and
//! come back meanwhile. Each round is done before the next, so that nothing but one thread is left behind in between.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::boot::hotplug;
use crate::locks::Interrupted;
use crate::mm::counters::KSTORM_ROUNDS;
use crate::mm::{MmUserRef, OutOfMemory, uaccess};
use crate::process::tree;
use crate::sched;
use crate::sched::kthread::{kthread_create, kthread_run, kthread_use_mm, serve};
use crate::smp;
use crate::task::kthread::Ended;
use crate::time;
use crate::workqueue::{
    Work, WorkRef, cancel_work_sync, flush_work, queue_delayed_work, queue_work,
};

const MS: u64 = 1_000_000;
/// Between two rounds.
const REST: u64 = 2 * MS;
/// A CPU goes in every so many rounds.
const ROUNDS_PER_CPU: u32 = 16;
/// Processes that are visited in a round.
const VISITS: usize = 4;

/// Starts the thread that does it.
pub(super) fn start(with_hotplug: bool) -> Result<(), OutOfMemory> {
    let done = Arc::new(AtomicU32::new(0));
    let count = done.clone();
    let work = Work::new(move || {
        count.fetch_add(1, SeqCst);
        sched::yield_now();
    });
    let mut round = 0;
    kthread_run("kstorm", move || {
        serve(|| {
            round += 1;
            turn(round, with_hotplug, &work)
        });
    })?;
    Ok(())
}

/// What finds no memory is left out: programs are about that want it all.
fn turn(round: u32, with_hotplug: bool, work: &WorkRef) -> Result<(), Interrupted> {
    let _ = a_life(round);
    let _ = visits(round);
    defer(round, work);
    if with_hotplug && round.is_multiple_of(ROUNDS_PER_CPU) {
        let others = smp::online().len().max(2) as u32 - 1;
        a_cpu_goes(1 + (round / ROUNDS_PER_CPU % others) as usize);
    }
    KSTORM_ROUNDS.inc();
    time::sleep_until(time::now_ns() + REST)
}

/// A thread is made, bound, started, parked and stopped, at moments that shift.
fn a_life(round: u32) -> Result<(), OutOfMemory> {
    let thread = kthread_create("kstormling", || {
        serve(|| time::sleep_until(time::now_ns() + MS))
    })?;
    if round.is_multiple_of(2) {
        let cpu = round as usize / 2 % smp::online().len();
        thread.bind(cpu).expect("a new thread stands still");
    }
    if !round.is_multiple_of(5) {
        thread.start();
    }
    (0..round % 4).for_each(|_| sched::yield_now());
    if round.is_multiple_of(3) && thread.park().is_ok() {
        thread.unpark();
    }
    let ended = thread.stop();
    assert!(
        ended == Ended::NeverRan || ended == Ended::Returned(0),
        "a thread that was stopped tells how it ended: {ended:?}"
    );
    Ok(())
}

/// A thread goes from one process's memory into the next one's, while they end, execute and unmap.
fn visits(round: u32) -> Result<(), OutOfMemory> {
    let all = tree::find_all(|pid, _| pid != tree::INIT);
    if all.is_empty() {
        return Ok(());
    }
    let first = round as usize % all.len();
    let chosen = all.iter().cycle().skip(first).take(VISITS.min(all.len()));
    let homes: arrayvec::ArrayVec<MmUserRef, VISITS> = chosen.filter_map(|one| one.mm()).collect();
    drop(all);
    let visitor = kthread_run("kvisitor", move || homes.iter().for_each(visit))?;
    while visitor.result().is_none() {
        let _ = time::sleep_until(time::now_ns() + MS);
    }
    Ok(())
}

fn visit(mm: &MmUserRef) {
    let in_heap = mm.brk(0).wrapping_sub(8);
    let stay = kthread_use_mm(mm);
    for addr in [0, in_heap, u64::MAX] {
        // Refused or not: the program may have no heap, or may be ending.
        let _ = uaccess::read_user::<u64>(addr);
    }
    drop(stay);
    assert!(
        uaccess::read_user::<u64>(in_heap).is_err(),
        "a kernel thread that has left an address space has no user memory (I-8)"
    );
}

fn defer(round: u32, work: &WorkRef) {
    match round % 4 {
        0 => {
            queue_work(work);
            flush_work(work);
        }
        1 => drop(queue_delayed_work(work, MS)),
        2 => drop(cancel_work_sync(work)),
        _ => drop(queue_work(work)),
    }
}

fn a_cpu_goes(cpu: usize) {
    if hotplug::take_out(cpu).is_ok() {
        (0..10).for_each(|_| sched::yield_now());
        hotplug::take_in(cpu).expect("a CPU that has gone comes back");
    }
}
