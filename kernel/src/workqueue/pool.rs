//! Lists of work, each with a worker: one for every CPU that was up when they were started.

use alloc::collections::VecDeque;
use alloc::format;

use cpumask::{AtomicCpuMask, CpuMask};
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
/// Which pools have a worker; the first CPU's always does.
static WORKERS: AtomicCpuMask = AtomicCpuMask::new(CpuMask::EMPTY);

/// Starts a worker for each of these CPUs, of which the first is one.
pub fn start_workers(cpus: CpuMask) -> Result<(), OutOfMemory> {
    for cpu in cpus {
        let body = move || serve(|| turn(cpu));
        let worker = kthread_create(&format!("kworker/{cpu}"), body)?;
        worker.bind(cpu).expect("a new thread stands still");
        worker.start();
    }
    WORKERS.store(cpus);
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
        cpu if WORKERS.contains(cpu) => cpu,
        _ => 0,
    }
}
