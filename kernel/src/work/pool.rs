//! Lists of work, each with a worker: one for every CPU that was up when they were started.

use alloc::collections::VecDeque;
use alloc::format;
use core::sync::atomic::{
    AtomicUsize,
    Ordering::{Acquire, Release},
};

use workq::Request;

use super::WorkRef;
use crate::locks::{Interrupted, SpinLock, WaitQueue, rank};
use crate::mm::OutOfMemory;
use crate::percpu::{MAX_CPUS, PerCpu, cpu_id};
use crate::sched::kthread::{kthread_create, serve};

/// One list and what its worker sleeps in.
struct Pool {
    list: SpinLock<VecDeque<WorkRef>, { rank::WORK_LIST }>,
    more: WaitQueue,
}

static POOLS: PerCpu<Pool> = PerCpu::new(
    [const {
        Pool {
            list: SpinLock::new(VecDeque::new()),
            more: WaitQueue::new(),
        }
    }; MAX_CPUS],
);
/// How many pools have a worker, from the first on.
static WORKERS: AtomicUsize = AtomicUsize::new(0);

/// Starts a worker for each of the first `cpus` CPUs.
pub fn start_workers(cpus: usize) -> Result<(), OutOfMemory> {
    for cpu in 0..cpus {
        let body = move || serve(|| turn(cpu));
        kthread_create(&format!("kworker/{cpu}"), body)?.start();
    }
    WORKERS.store(cpus, Release);
    Ok(())
}

/// Waits for an entry and does what it says.
fn turn(cpu: usize) -> Result<(), Interrupted> {
    let pool = POOLS.of(cpu);
    let next = || pool.list.lock().pop_front();
    pool.more.wait_for_interruptible(next)?.run(cpu as u32);
    Ok(())
}

/// Puts an entry where the answer to a request says; returns whether there was one to put.
pub(super) fn enter(work: &WorkRef, answer: Request) -> bool {
    let Request::Enqueue(bound) = answer else {
        return false;
    };
    let pool = POOLS.of(bound.map_or_else(own, |pool| pool as usize));
    pool.list.lock().push_back(work.clone());
    pool.more.wake_one();
    true
}

/// This CPU's pool, or another one's if the CPU has no worker; the task may move on meanwhile.
fn own() -> usize {
    match cpu_id() {
        cpu if cpu < WORKERS.load(Acquire) => cpu,
        _ => 0,
    }
}
