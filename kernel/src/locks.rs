//! The kernel's locks: `sync`'s, with this kernel's tasks, interrupts and CPUs behind them.
//!
//! One of the two files that point up the layers: sleeping and waking are the scheduler's. It holds
//! nothing else. Ranks and their order: docs/locking.md.

#[path = "locks/stats.rs"]
pub mod stats;

pub use sync::{Interrupted, Once};

use crate::arch::{cpu, local};
use crate::percpu::cpu_id;
use crate::sched;
use crate::task::{self, TaskRef};

/// The ranks of `sync`, and those of locks that only the kernel has.
pub mod rank {
    pub use sync::rank::*;

    /// The address spaces that map a source.
    pub const MAPPINGS: u8 = 35;
    /// The entries of one region of an address space.
    pub const REGION: u8 = 41;
    /// The list of live address spaces.
    pub const MM_LIST: u8 = 45;
    /// Kernel stack slots.
    pub const KSTACK: u8 = 46;
    /// The state of a piece of deferred work.
    pub const WORK: u8 = 47;
    /// A list of deferred work, or of timers for it.
    pub const WORK_LIST: u8 = 48;
    /// The list of kernel threads.
    pub const KTHREADS: u8 = 49;
    /// A task's own fields: what it stands on, its name, its vector registers.
    pub const TASK: u8 = 62;
    /// The heap's classes and arena.
    pub const HEAP: u8 = 65;
    /// What a CPU asks of others.
    pub const CALL: u8 = 63;
    /// The kernel half's page tables, which the heap's arena grows through.
    pub const KERNEL_TABLES: u8 = 67;
    /// The single frames that one CPU keeps.
    pub const FRAME_STACK: u8 = 68;
}

/// The kernel as the locks see it.
pub struct KernelHooks;

/// A spin lock; interrupts are off while it is held.
pub type SpinLock<T, const R: u8> = sync::SpinLock<T, R, KernelHooks>;
/// Exclusive access to what a spin lock protects.
pub type SpinGuard<'a, T, const R: u8> = sync::SpinGuard<'a, T, R, KernelHooks>;
/// A sleeping lock.
pub type Mutex<T, const R: u8> = sync::Mutex<T, R, KernelHooks>;
/// A sleeping reader-writer lock.
pub type RwSem<T, const R: u8> = sync::RwSem<T, R, KernelHooks>;
/// Exclusive access to what a reader-writer lock protects.
pub type WriteGuard<'a, T, const R: u8> = sync::WriteGuard<'a, T, R, KernelHooks>;
/// A queue of tasks that wait for something.
pub type WaitQueue = sync::WaitQueue<KernelHooks>;

/// Panics where sleeping is forbidden; a user copy may sleep, so it asks first (PF-17).
pub fn assert_may_sleep() {
    debug_assert!(cpu::irqs_enabled(), "nothing sleeps with interrupts off");
    debug_assert!(
        local::preempt_count() == 0,
        "nothing sleeps while preemption is disabled"
    );
}

/// Returns whether the current task has user memory to copy from or to: an mm of its own (I-8).
///
/// What CR3 holds does not tell: a kernel thread stands on the tables of whoever ran before.
#[inline]
pub fn has_user_memory() -> bool {
    task::current().has_mm()
}

/// Returns whether the current task has to end: who works long for it asks now and then, and stops.
pub fn must_end() -> bool {
    task::current().fatal_signal().is_some()
}

impl sync::Hooks for KernelHooks {
    type Irq = cpu::IrqState;
    type Waiter = TaskRef;

    #[inline]
    fn irq_save() -> Self::Irq {
        cpu::irq_save()
    }

    const IRQ_ON: Self::Irq = cpu::IrqState::ON;

    #[inline]
    fn irq_off() {
        debug_assert!(
            cpu::irqs_enabled(),
            "who says that interrupts are on knows it"
        );
        cpu::irq_disable();
    }

    #[inline]
    fn irq_restore(irq: Self::Irq) {
        cpu::irq_restore(irq);
    }

    #[inline]
    fn acquired(rank: u8, name: &'static str, order: sync::Order) {
        if cfg!(debug_assertions) {
            task::lock_acquired(rank, name, order);
        }
    }

    #[inline]
    fn released(rank: u8) {
        if cfg!(debug_assertions) {
            task::lock_released(rank);
        }
    }

    #[inline]
    fn pin() {
        local::preempt_disable();
    }

    #[inline]
    fn unpin() {
        local::preempt_enable_no_resched();
    }

    fn relax() {
        cpu::relax();
    }

    fn current() -> TaskRef {
        task::current_ref()
    }

    fn prepare_to_sleep() {
        sched::prepare_to_sleep();
    }

    fn cancel_sleep() {
        sched::cancel_sleep();
    }

    fn sleep() {
        sched::schedule();
    }

    fn wake(waiter: &TaskRef) {
        sched::wake(waiter);
    }

    fn interrupted() -> bool {
        task::current().is_interrupted()
    }

    fn killed() -> bool {
        must_end()
    }

    fn task_id() -> u32 {
        task::current_number()
    }

    #[inline]
    fn slot() -> usize {
        cpu_id()
    }

    fn now() -> u64 {
        stats::now()
    }

    fn spun(rank: u8, turns: u32) {
        stats::spun(rank, turns);
    }

    fn waits(rank: u8, owner: u32) {
        task::waits_for_lock(rank, owner);
    }

    fn waited(rank: u8, ns: u64) {
        stats::waited(rank, ns);
        task::has_lock();
    }

    fn deaf(begins: bool) {
        task::current().set_deaf_since(begins.then(Self::now));
    }

    fn assert_may_sleep() {
        assert_may_sleep();
    }
}
