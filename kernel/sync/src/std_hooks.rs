//! Hooks over the host's threads, so that lock code is tested where many CPUs are.
//!
//! "Interrupts" are a flag per thread; sleeping is `park`, waking is `unpark`.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Instant;

use crate::held::HeldRanks;
use crate::hooks::{Hooks, Order};

/// The world of the host tests.
pub struct StdHooks;

/// A thread as a wait queue remembers it.
#[derive(Clone)]
pub struct StdWaiter(Arc<State>);

struct State {
    thread: Thread,
    /// Set by the thread itself before it sleeps, cleared by whoever wakes it.
    blocked: AtomicBool,
    interrupted: AtomicBool,
    killed: AtomicBool,
    /// Whether interrupts were on when the thread last spun, if it ever did.
    spun: AtomicU8,
    id: u32,
    /// Spin locks that the thread found taken, and sleeping locks.
    spins: AtomicU64,
    waits: AtomicU64,
    /// The owner of the sleeping lock that the thread last waited for.
    owner: AtomicU32,
}

static NEXT_ID: AtomicU32 = AtomicU32::new(1);

/// Values of `State::spun`.
mod spun {
    pub(super) const NEVER: u8 = 0;
    pub(super) const IRQS_OFF: u8 = 1;
    pub(super) const IRQS_ON: u8 = 2;
}

std::thread_local! {
    static ME: StdWaiter = StdWaiter(Arc::new(State {
        thread: thread::current(),
        blocked: AtomicBool::new(false),
        interrupted: AtomicBool::new(false),
        killed: AtomicBool::new(false),
        spun: AtomicU8::new(spun::NEVER),
        id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
        spins: AtomicU64::new(0),
        waits: AtomicU64::new(0),
        owner: AtomicU32::new(0),
    }));
    static IRQS_ON: Cell<bool> = const { Cell::new(true) };
    static HELD: RefCell<HeldRanks> = const { RefCell::new(HeldRanks::new()) };
}

impl StdHooks {
    /// Says whether this thread's "interrupts" are on.
    pub fn irqs_on() -> bool {
        IRQS_ON.get()
    }

    /// Returns the locks this thread holds.
    pub fn held() -> HeldRanks {
        HELD.with_borrow(HeldRanks::clone)
    }

    /// Says whether interrupts were on when a thread last spun, or `None` if it never did.
    pub fn irqs_while_spinning(waiter: &StdWaiter) -> Option<bool> {
        match waiter.0.spun.load(Ordering::SeqCst) {
            spun::NEVER => None,
            spun => Some(spun == spun::IRQS_ON),
        }
    }

    /// Returns how many spin locks and how many sleeping locks this thread found taken.
    pub fn contended() -> (u64, u64) {
        ME.with(|me| {
            let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
            (read(&me.0.spins), read(&me.0.waits))
        })
    }

    /// Returns the task that had the sleeping lock for which this thread waited last, or 0.
    pub fn waited_for() -> u32 {
        ME.with(|me| me.0.owner.load(Ordering::SeqCst))
    }

    /// Makes a thread give up its interruptible waits.
    pub fn interrupt(waiter: &StdWaiter) {
        waiter.0.interrupted.store(true, Ordering::SeqCst);
        Self::wake(waiter);
    }

    /// Makes a thread give up its killable waits as well.
    pub fn kill(waiter: &StdWaiter) {
        waiter.0.killed.store(true, Ordering::SeqCst);
        Self::interrupt(waiter);
    }
}

impl PartialEq for StdWaiter {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Hooks for StdHooks {
    type Irq = bool;
    type Waiter = StdWaiter;

    fn pin() {}

    fn unpin() {}

    fn irq_save() -> bool {
        IRQS_ON.replace(false)
    }

    const IRQ_ON: bool = true;

    fn irq_off() {
        assert!(
            IRQS_ON.replace(false),
            "who says that interrupts are on knows it"
        );
    }

    fn irq_restore(irq: bool) {
        IRQS_ON.set(irq);
    }

    fn acquired(rank: u8, name: &'static str, order: Order) {
        let recorded = HELD.with_borrow_mut(|held| held.acquire(rank, name, order));
        recorded.unwrap_or_else(|violation| panic!("{violation}"));
    }

    fn released(rank: u8) {
        let recorded = HELD.with_borrow_mut(|held| held.release(rank));
        recorded.unwrap_or_else(|violation| panic!("{violation}"));
    }

    fn relax() {
        let irqs = match Self::irqs_on() {
            true => spun::IRQS_ON,
            false => spun::IRQS_OFF,
        };
        ME.with(|me| me.0.spun.store(irqs, Ordering::SeqCst));
        // Tests have more threads than the host has CPUs: let the holder run.
        thread::yield_now();
    }

    fn current() -> StdWaiter {
        ME.with(StdWaiter::clone)
    }

    fn prepare_to_sleep() {
        ME.with(|me| me.0.blocked.store(true, Ordering::SeqCst));
    }

    fn cancel_sleep() {
        ME.with(|me| me.0.blocked.store(false, Ordering::SeqCst));
    }

    fn sleep() {
        assert!(Self::irqs_on(), "slept with interrupts off");
        ME.with(|me| {
            while me.0.blocked.load(Ordering::SeqCst) {
                thread::park();
            }
        });
    }

    fn wake(waiter: &StdWaiter) {
        if waiter.0.blocked.swap(false, Ordering::SeqCst) {
            waiter.0.thread.unpark();
        }
    }

    fn interrupted() -> bool {
        ME.with(|me| me.0.interrupted.load(Ordering::SeqCst))
    }

    fn killed() -> bool {
        ME.with(|me| me.0.killed.load(Ordering::SeqCst))
    }

    fn task_id() -> u32 {
        ME.with(|me| me.0.id)
    }

    fn slot() -> usize {
        Self::task_id() as usize
    }

    fn now() -> u64 {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }

    fn spun(_rank: u8, _turns: u32) {
        ME.with(|me| me.0.spins.fetch_add(1, Ordering::SeqCst));
    }

    fn waits(_rank: u8, owner: u32) {
        ME.with(|me| me.0.owner.store(owner, Ordering::SeqCst));
    }

    fn waited(_rank: u8, _ns: u64) {
        ME.with(|me| me.0.waits.fetch_add(1, Ordering::SeqCst));
    }

    fn assert_may_sleep() {
        assert!(Self::irqs_on(), "sleeping with interrupts off");
    }
}
