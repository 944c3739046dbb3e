//! What rings when, on which CPU, and when a CPU is interrupted for it.
//!
//! Each CPU has a list of its own: a timer rings on the CPU that set it. The CPU's clock is armed for the earliest of
//!
//! - the first deadline in its list,
//! - the next tick, if it runs a task: a slice may be over,
//! - the end of the run, if one is set,
//! - the end of the longest rest, if one is set and there are other CPUs: somebody must look at them now and then.
//!
//! So a CPU that idles without timers of its own is not interrupted but for that, every few seconds. The tick begins again when it goes on to a task
//! ([`timer::arm_by`] in the scheduler); others wake it by messages.
//!
//! A CPU that has gone leaves its list where it is, for the CPU that boots to look after.

use alloc::collections::BTreeMap;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use cpumask::CpuMask;

use super::{limit, now_ns};
use crate::arch::{cpu, timer};
use crate::locks::{SpinLock, rank};
use crate::mm::counters::TIMER_INTERRUPTS;
use crate::percpu::{MAX_CPUS, PerCpu, cpu_id};
use crate::sched;
use crate::smp::{self, presence};
use crate::task::{self, TaskRef, lockcheck};

/// When something rings, in ns since boot; the second number tells equal ones apart.
type Key = (u64, u64);
/// Deadlines, earliest first.
type List = SpinLock<BTreeMap<Key, Due>, { rank::TIMER }>;

static LISTS: PerCpu<List> = PerCpu::new([const { SpinLock::new(BTreeMap::new()) }; MAX_CPUS]);
static NEXT: AtomicU64 = AtomicU64::new(0);
/// The CPU that never goes, and looks after the lists of those that have.
const CARER: usize = 0;

/// The longest time between two interrupts of a CPU that is not alone, in ns; 0 for any.
static LONGEST_REST: AtomicU64 = AtomicU64::new(0);

/// What happens at a deadline.
enum Due {
    /// A task is woken.
    Wake(TaskRef),
    /// A layer above is called with its number, in the interrupt.
    Call(fn(u32), u32),
}

/// A timer that wakes a task or calls a function; dropping it disarms it.
#[must_use = "a timer that is dropped never rings"]
pub struct TimerGuard {
    cpu: usize,
    key: Key,
}

/// Makes the current task be woken at `deadline` (ns since boot), unless the guard goes first.
pub fn wake_at(deadline: u64) -> TimerGuard {
    insert(deadline, Due::Wake(task::current_ref()))
}

/// Calls `call` with `argument` at `deadline` (ns since boot), in the interrupt, unless the guard goes first.
pub fn call_at(deadline: u64, call: fn(u32), argument: u32) -> TimerGuard {
    insert(deadline, Due::Call(call, argument))
}

fn insert(deadline: u64, due: Due) -> TimerGuard {
    let key = (deadline, NEXT.fetch_add(1, Relaxed));
    let irq = cpu::irq_save(); // List and clock are the same CPU's.
    let cpu = cpu_id();
    LISTS.of(cpu).lock().insert(key, due);
    timer::arm_by(deadline);
    cpu::irq_restore(irq);
    TimerGuard { cpu, key }
}

impl Drop for TimerGuard {
    fn drop(&mut self) {
        let due = LISTS.of(self.cpu).lock().remove(&self.key);
        drop(due);
    }
}

/// The timer interrupt: wakes or calls who is due, ends slices, arms the next one. Interrupts are off.
pub fn interrupt() {
    TIMER_INTERRUPTS.inc();
    let now = now_ns();
    for list in own_lists() {
        while let Some(due) = take_due(list, now) {
            match due {
                Due::Wake(task) => sched::wake(&task),
                Due::Call(call, argument) => lockcheck::in_interrupt(|| call(argument)),
            }
        }
    }
    sched::tick(now);
    arm(now);
}

/// Arms this CPU's clock for the next thing that happens here. Interrupts are off.
fn arm(now: u64) {
    let first = |list: &List| list.lock().first_key_value().map(|(key, _)| key.0);
    let ring = own_lists().filter_map(first).min();
    let tick = (!task::current().is_idle()).then_some(now + sched::TICK_NS);
    let rest = longest_rest().map(|rest| now + rest);
    match ring
        .into_iter()
        .chain(tick)
        .chain(limit())
        .chain(rest)
        .min()
    {
        Some(next) => timer::arm(next),
        None => timer::disarm(),
    }
}

fn longest_rest() -> Option<u64> {
    let rest = LONGEST_REST.load(Relaxed);
    (rest > 0 && smp::online().len() > 1).then_some(rest)
}

/// Has every CPU interrupted after `ns` at the latest, as long as there is more than one; 0 for no need. Interrupts are on.
pub fn rest_at_most(ns: u64) {
    LONGEST_REST.store(ns, Relaxed);
    smp::call_function(smp::online(), |_| arm(now_ns()), 0, true);
}

/// The lists that this CPU looks after.
fn own_lists() -> impl Iterator<Item = &'static List> {
    let here = cpu_id();
    let others = if here == CARER {
        presence::gone()
    } else {
        CpuMask::EMPTY
    };
    others.with(here).iter().map(|cpu| LISTS.of(cpu))
}

fn take_due(list: &List, now: u64) -> Option<Due> {
    let mut list = list.lock();
    let first = list.first_entry()?;
    (first.key().0 <= now).then(|| first.remove())
}

/// Looks after the list of a CPU that has gone from now on. Interrupts are on.
pub fn look_after_gone() {
    smp::call_function(CpuMask::of(CARER), |_| arm(now_ns()), 0, true);
}

/// Begins to look after this CPU's list. Interrupts are off.
pub fn start() {
    cpu::set_number(cpu_id());
    arm(now_ns());
}
