//! Tasks: what runs. Each has a kernel stack of its own and a [`TaskMm`] that says what it stands on.
//!
//! Read in this order:
//! - [`task_mm`]: own mm, borrowed mm, or none; how exec and exit change it.
//! - [`current`](mod@current): the task that runs here. [`context`]: where a task that does not run left off.
//! - [`user`]: how a user task is made; kernel threads are made in [`crate::sched::kthread`], [`kthread`] is what
//!   they have that others have not.
//! - [`reaper`]: how they go, on somebody else's stack.

pub mod context;
pub mod current;
mod figures;
pub mod kthread;
pub mod lockcheck;
mod owner;
pub mod reaper;
pub mod task_mm;
pub mod user;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::Any;
use core::fmt;
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};

use arrayvec::ArrayString;
use runq::{Entity, Params, Schedulable};

use crate::arch::fpu::FpuState;
use crate::locks::{SpinLock, rank};
use crate::mm::Mm;
use crate::mm::counters::TASKS_ALIVE;
use crate::mm::kstack::Kstack;
use crate::percpu::cpu_id;

pub use context::Context;
use kthread::Control;
use owner::Owned;

pub use current::{Current, current, current_number, current_ref};
pub use lockcheck::{has_lock, lock_acquired, lock_released, waits_for_lock};
pub use task_mm::{
    TaskMm, borrow_init, current_mm, current_mm_id, exec_mm, exit_mm, give_left_back,
};
pub use user::NewUser;

/// A counted reference to a task.
pub type TaskRef = Arc<Task>;
/// What the process layer hangs onto a task; mm, task and sched never look inside.
pub type Owner = Arc<dyn Any + Send + Sync>;
/// At most 15 bytes, as in `/proc/PID/comm`.
pub type Name = ArrayString<15>;

/// Runs, or waits in a run queue to run.
pub const RUNNABLE: u8 = 0;
/// Waits for a wake-up.
pub const BLOCKED: u8 = 1;
/// Has left for good; its stack is freed by the reaper.
pub const DEAD: u8 = 2;
/// A kernel thread that is parked or was never started: only its owner wakes it.
pub const PARKED: u8 = 3;

/// In [`Task::signal_work`]: there may be signals to look at.
const SIGNAL_PENDING: u16 = 1 << 8;

/// A task: one flow of control through the kernel, perhaps with a user program around it.
pub struct Task {
    tid: u32,
    /// The idle task of a CPU: never queued, runs when nothing else does (KT-5).
    idle: bool,
    name: SpinLock<Name, { rank::TASK }>,
    /// [`RUNNABLE`], [`BLOCKED`], [`PARKED`] or [`DEAD`]; written under the run-queue lock, or by the task itself
    /// on its way to sleep.
    state: AtomicU8,
    /// Whether a run queue holds it, or a CPU runs it. Under the run-queue lock.
    queued: AtomicBool,
    /// What the scheduler decides by; written under the lock of the run queue that the task belongs to.
    entity: Entity,
    /// The CPU whose run queue it belongs to; written under that queue's lock.
    cpu: AtomicU32,
    kstack: Kstack,
    /// Where it left off; touched only by the switch, under the run-queue lock.
    context: Context,
    mm: SpinLock<TaskMm, { rank::TASK }>,
    /// Vector registers of a user task while another runs; kernel tasks have none.
    fpu: Option<SpinLock<FpuState, { rank::TASK }>>,
    /// User FS and GS bases while another task runs, and for exec and fork to read.
    fs_base: AtomicU64,
    gs_base: AtomicU64,
    owner: Owned,
    /// What only kernel threads have; the idle tasks are none in this sense.
    kthread: Option<Box<Control>>,
    /// Since when in ns it sleeps for something that nothing interrupts; 0 while it does not.
    deaf_since: AtomicU64,
    /// The mm of the task's own that [`Self::mm_slot`] holds, or null; written by the task itself.
    own_mm: AtomicPtr<Mm>,
    /// What there is to do before the next return to user mode, 0 for nothing. The low byte is a signal that ends the process at the
    /// next chance; [`SIGNAL_PENDING`] stands for signals to look at, and is cleared under the lock of the process's signals.
    signal_work: AtomicU16,
    /// Page faults that needed no I/O, and those that did.
    min_faults: AtomicU64,
    maj_faults: AtomicU64,
    /// CPU time in ns, in one word with when the present turn began (`figures.rs`). Written by the switch.
    cpu_clock: AtomicU64,
    /// The CPU time when it was sampled last, and the samples: in the program, in the kernel.
    looked_at: AtomicU64,
    sampled: [AtomicU64; 2],
    /// Switches away from it: of its own will, and not. Written by the switch.
    switches: [AtomicU64; 2],
    held: lockcheck::HeldCell,
    /// The rank of the sleeping lock that it waits for, or 0, above the number of the task that has it.
    lock_wait: AtomicU64,
}

static NEXT_TID: AtomicU32 = AtomicU32::new(1);

/// What a new task is made of.
pub(crate) struct Parts {
    pub(crate) name: Name,
    pub(crate) idle: bool,
    pub(crate) kstack: Kstack,
    pub(crate) context: Context,
    pub(crate) mm: TaskMm,
    pub(crate) fpu: Option<FpuState>,
    pub(crate) owner: Option<Owner>,
    pub(crate) kthread: Option<Box<Control>>,
}

impl Task {
    /// Makes a task that nobody runs yet.
    pub(crate) fn from_parts(parts: Parts) -> TaskRef {
        TASKS_ALIVE.inc();
        // A kernel thread sleeps for its first wake-up in a way of its own (KT-1).
        let state = if parts.kthread.is_some() {
            PARKED
        } else {
            BLOCKED
        };
        Arc::new(Self {
            tid: if parts.idle {
                0
            } else {
                NEXT_TID.fetch_add(1, Relaxed)
            },
            idle: parts.idle,
            name: SpinLock::new(parts.name),
            state: AtomicU8::new(state),
            queued: AtomicBool::new(false),
            entity: Entity::new(Params::DEFAULT, u64::MAX),
            cpu: AtomicU32::new(cpu_id() as u32),
            kstack: parts.kstack,
            context: parts.context,
            own_mm: AtomicPtr::new(parts.mm.own()),
            mm: SpinLock::new(parts.mm),
            fpu: parts.fpu.map(SpinLock::new),
            fs_base: AtomicU64::new(0),
            gs_base: AtomicU64::new(0),
            owner: Owned::new(parts.owner),
            kthread: parts.kthread,
            deaf_since: AtomicU64::new(0),
            signal_work: AtomicU16::new(0),
            min_faults: AtomicU64::new(0),
            maj_faults: AtomicU64::new(0),
            cpu_clock: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
            sampled: [const { AtomicU64::new(0) }; 2],
            switches: [const { AtomicU64::new(0) }; 2],
            held: lockcheck::HeldCell::new(),
            lock_wait: AtomicU64::new(0),
        })
    }

    /// Returns the task's number; 0 for idle tasks.
    pub fn tid(&self) -> u32 {
        self.tid
    }

    /// Returns whether this is a CPU's idle task.
    pub fn is_idle(&self) -> bool {
        self.idle
    }

    /// Returns the name.
    pub fn name(&self) -> Name {
        *self.name.lock()
    }

    /// Returns the name unless its lock is held, for reports.
    pub fn try_name(&self) -> Option<Name> {
        self.name.try_lock().map(|name| *name)
    }

    /// Sets the name, cut to 15 bytes.
    pub fn set_name(&self, name: &str) {
        *self.name.lock() = cut_name(name);
    }

    /// Returns what the process layer hung onto the task; `None` for kernel threads.
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.owner()
    }

    /// Returns it as a `T`, if that is what it is.
    #[inline]
    pub fn owner_as<T: Any>(&self) -> Option<&T> {
        self.owner.get()
    }

    /// Returns the kernel stack.
    pub fn kstack(&self) -> &Kstack {
        &self.kstack
    }

    /// Returns where the task left off.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Returns the lock of what the task stands on.
    pub(crate) fn mm_slot(&self) -> &SpinLock<TaskMm, { rank::TASK }> {
        &self.mm
    }

    /// Returns whether the task has an mm of its own (LZ-1).
    #[inline]
    pub fn has_mm(&self) -> bool {
        !self.own_mm.load(Relaxed).is_null()
    }

    /// Notes which it is, as what [`Self::mm_slot`] holds changes; the task itself calls it, with that lock.
    fn note_own_mm(&self, mm: &TaskMm) {
        self.own_mm.store(mm.own(), Relaxed);
    }

    pub(crate) fn fpu(&self) -> Option<&SpinLock<FpuState, { rank::TASK }>> {
        self.fpu.as_ref()
    }

    pub(crate) fn state(&self) -> u8 {
        self.state.load(Acquire)
    }

    /// Marks the running task as blocked or parked, before it looks for the last time whether it has to sleep: whoever
    /// makes that untrue later sees the mark.
    pub(crate) fn will_sleep(&self, state: u8) {
        self.state.swap(state, SeqCst);
    }

    /// Returns the CPU that it runs on, waits for, or ran on last.
    pub fn cpu(&self) -> usize {
        self.cpu.load(Acquire) as usize
    }

    /// Sends the task to CPU `cpu`; the caller holds the run queue that it belonged to, and it does not run.
    pub(crate) fn set_cpu(&self, cpu: usize) {
        self.cpu.store(cpu as u32, Release);
    }

    /// Returns whether it runs or waits for its turn, and is not about to sleep.
    pub fn is_runnable(&self) -> bool {
        self.state() == RUNNABLE
    }

    pub(crate) fn set_state(&self, state: u8) {
        self.state.store(state, Release);
    }

    pub(crate) fn queued(&self) -> &AtomicBool {
        &self.queued
    }

    /// Returns the user FS base.
    pub fn fs_base(&self) -> u64 {
        self.fs_base.load(Relaxed)
    }

    /// Returns the user GS base.
    pub fn gs_base(&self) -> u64 {
        self.gs_base.load(Relaxed)
    }

    /// Notes the user FS base; [`Current`] also loads it.
    pub(crate) fn store_fs_base(&self, base: u64) {
        self.fs_base.store(base, Relaxed);
    }

    /// Notes the user GS base; [`Current`] also loads it.
    pub(crate) fn store_gs_base(&self, base: u64) {
        self.gs_base.store(base, Relaxed);
    }

    /// Returns what only kernel threads have.
    pub fn kthread(&self) -> Option<&Control> {
        self.kthread.as_deref()
    }

    /// Returns the signal that is to end the process, if one was posted.
    pub fn fatal_signal(&self) -> Option<u8> {
        match self.signal_work.load(Acquire) as u8 {
            0 => None,
            signal => Some(signal),
        }
    }

    /// Marks the task to end by `signal` at its next return to user mode; the first mark stays.
    ///
    /// Who posts it also wakes the task ([`crate::sched::post_kill`] does both).
    pub(crate) fn mark_fatal(&self, signal: u8) {
        let first = |work: u16| (work as u8 == 0).then_some(work | u16::from(signal));
        let _ = self.signal_work.fetch_update(Release, Relaxed, first);
    }

    /// Returns the rank of the sleeping lock that the task waits for, and the number of the task that had it
    /// when the wait began (0: not known); for reports.
    pub fn lock_wait(&self) -> Option<(u8, u32)> {
        let wait = self.lock_wait.load(Relaxed);
        (wait != 0).then_some(((wait >> 32) as u8, wait as u32))
    }

    /// Notes whether there are signals to look at.
    pub(crate) fn set_signal_pending(&self, pending: bool) {
        match pending {
            true => self.signal_work.fetch_or(SIGNAL_PENDING, Release),
            false => self.signal_work.fetch_and(!SIGNAL_PENDING, Release),
        };
    }

    /// Returns whether an interruptible sleep is over: a signal, or somebody calls a kernel thread.
    pub fn is_interrupted(&self) -> bool {
        self.has_signal_work()
            || self
                .kthread()
                .is_some_and(|kthread| kthread.state().is_called())
    }

    /// Returns whether there is something to do before user mode: a signal to look at, or the end.
    #[inline]
    pub fn has_signal_work(&self) -> bool {
        self.signal_work.load(Acquire) != 0
    }

    /// Returns the record of the locks the task holds.
    pub(crate) fn held(&self) -> &lockcheck::HeldCell {
        &self.held
    }
}

impl Schedulable for Task {
    #[inline]
    fn entity(&self) -> &Entity {
        &self.entity
    }
}

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        TASKS_ALIVE.dec();
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A log line is written under the console's lock, behind which no name's ranks.
        let name = self.try_name().unwrap_or_default();
        write!(f, "{name}[{}]", self.tid)
    }
}

/// Cuts a name to what fits, at a character boundary.
pub(crate) fn cut_name(name: &str) -> Name {
    let mut cut = Name::new();
    for letter in name.chars() {
        if cut.try_push(letter).is_err() {
            break;
        }
    }
    cut
}
