//! A CPU's run queue, with what must survive a switch.
//!
//! A task belongs to the run queue of the CPU that it runs on, waits for or ran on last
//! ([`Task::cpu`]); what that lock guards of a task changes under the lock of *its* run queue. A task that is
//! not running has left its CPU completely once that lock can be taken: the switch away from it holds it to the
//! end. So whoever holds it may send the task to another CPU.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use runq::balance::{Rhythm, View};
use runq::{Entity, Load, RunQueue, Schedulable};

use crate::locks::{KernelHooks, SpinLock, rank};
use crate::mm::counters::TASKS_ALIVE;
use crate::mm::{MmRef, OutOfMemory};
use crate::percpu::{MAX_CPUS, PerCpu};
use crate::task::{Task, TaskRef};

/// What one CPU's run-queue lock guards.
pub struct Rq {
    /// Runnable tasks that do not run, and whose turn is over.
    pub queue: RunQueue<TaskRef>,
    /// When to look at the other CPUs.
    pub rhythm: Rhythm,
    /// The task that runs; this reference keeps it alive while it does.
    pub current: Option<TaskRef>,
    /// Runs when nobody else does.
    pub idle: Option<TaskRef>,
    /// The task that was left, until the switch is complete.
    pub prev: Option<TaskRef>,
    /// Whether that one wants to go on, and may not do so here.
    pub leaves: bool,
    /// The mm whose borrow ended with this switch; dropped after it, outside the lock (LZ-3).
    pub lazy_drop: Option<MmRef>,
}

/// A run queue behind its lock.
pub type RqLock = SpinLock<Rq, { rank::RUNQ }>;

static RUN_QUEUES: PerCpu<RqLock> = PerCpu::new(
    [const {
        SpinLock::new(Rq {
            queue: RunQueue::new(),
            rhythm: Rhythm::new(),
            current: None,
            idle: None,
            prev: None,
            leaves: false,
            lazy_drop: None,
        })
    }; MAX_CPUS],
);

/// A run queue, taken.
pub type RqGuard = sync::SpinGuard<'static, Rq, { rank::RUNQ }, KernelHooks>;

/// What each CPU has to do, and its virtual clock. For guesses: read without the lock.
static LOADS: PerCpu<AtomicU64> = PerCpu::new([const { AtomicU64::new(0) }; MAX_CPUS]);
static CLOCKS: PerCpu<AtomicU64> = PerCpu::new([const { AtomicU64::new(0) }; MAX_CPUS]);

/// How many tasks every run queue has room for.
static ROOM: AtomicUsize = AtomicUsize::new(0);
/// Tasks that may be made at the same time by those who have made room.
const SPARE: usize = 2 * MAX_CPUS;

/// Returns this CPU's run queue; the caller cannot migrate.
pub fn this_rq() -> &'static RqLock {
    RUN_QUEUES.this()
}

/// Returns CPU `cpu`'s run queue.
pub fn rq_of(cpu: usize) -> &'static RqLock {
    RUN_QUEUES.of(cpu)
}

/// Takes the run queue of the CPU this runs on, wherever that is by then.
pub fn lock_this_rq() -> RqGuard {
    loop {
        let lock = this_rq();
        let rq = lock.lock();
        if core::ptr::eq(lock, this_rq()) {
            return rq;
        }
    }
}

/// Takes the run queue that `task` belongs to, wherever it is by then.
pub fn lock_rq_of(task: &Task) -> RqGuard {
    loop {
        let cpu = task.cpu();
        let rq = rq_of(cpu).lock();
        if task.cpu() == cpu {
            return rq;
        }
    }
}

/// Returns for how long CPU `cpu` has had nothing to do, in ns until `now`.
pub fn idle_ns(cpu: usize, now: u64) -> u64 {
    let rq = rq_of(cpu).lock();
    let running = rq.current.as_ref().filter(|task| task.is_idle());
    let idle = running.or(rq.idle.as_ref());
    idle.map_or(0, |idle| idle.run_ns(now))
}

/// Returns what CPU `cpu` has to do, as of a moment ago.
pub fn load_of(cpu: usize) -> Load {
    Load::from_word(LOADS.of(cpu).load(Relaxed))
}

/// Returns what a balance sees of CPU `cpu`, as of a moment ago.
pub fn view_of(cpu: usize) -> View {
    View {
        load: load_of(cpu),
        clock: CLOCKS.of(cpu).load(Relaxed),
    }
}

/// Makes room for one more task in every run queue, so that nobody allocates while he queues one.
///
/// # Errors
/// There is no memory.
pub fn make_room() -> Result<(), OutOfMemory> {
    let tasks = TASKS_ALIVE.get().max(0) as usize + SPARE;
    let room = ROOM.load(Relaxed);
    if tasks <= room {
        return Ok(());
    }
    let wanted = tasks.next_power_of_two();
    for cpu in 0..MAX_CPUS {
        if rq_of(cpu).lock().idle.is_some() {
            make_room_in(cpu, wanted)?;
        }
    }
    ROOM.fetch_max(wanted, Relaxed);
    Ok(())
}

/// Makes as much room in the run queue of CPU `cpu`, which comes up, as the others have.
///
/// # Errors
/// There is no memory.
pub fn make_room_in(cpu: usize, tasks: usize) -> Result<(), OutOfMemory> {
    let tasks = tasks.max(ROOM.load(Relaxed));
    let room = RunQueue::room(tasks).map_err(|_| OutOfMemory)?;
    let old = rq_of(cpu).lock().queue.make_room(room);
    drop(old); // outside the lock
    Ok(())
}

impl Rq {
    /// Returns what the scheduler knows of the task that runs; `None` while the CPU idles.
    pub fn running(&self) -> Option<&Entity> {
        let task = self.current.as_ref()?;
        (!task.is_idle()).then(|| task.entity())
    }

    /// Tells the other CPUs what there is to do on this queue's CPU.
    #[inline]
    pub fn publish(&self, cpu: usize) {
        LOADS.of(cpu).store(self.queue.load().to_word(), Relaxed);
        CLOCKS.of(cpu).store(self.queue.clock(), Relaxed);
    }
}
