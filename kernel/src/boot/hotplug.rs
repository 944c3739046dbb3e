//! Taking a CPU out of use, and back into it.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};

use log::info;

use super::processors::{self, LeftOut};
use crate::mm::{Borrow, init_mm};
use crate::sched::{self, leave};
use crate::smp::{self, presence};
use crate::task::TaskMm;
use crate::time::{self, timers};

/// How long a CPU may take to get rid of its tasks, in ns.
const PATIENCE: u64 = 10_000_000_000;
/// How often it is asked again, in ns.
const PERIOD: u64 = 1_000_000;

/// Why a CPU stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// It is not there, or is already what it is to become.
    NotSo,
    /// It is the one that boots.
    First,
    /// It does not come to rest, or another change is under way.
    Busy,
    /// It was started and is left out.
    LeftOut(LeftOut),
}

/// One change at a time.
struct Turn;

static CHANGING: AtomicBool = AtomicBool::new(false);

impl Turn {
    fn take() -> Result<Self, Refused> {
        match CHANGING.swap(true, SeqCst) {
            true => Err(Refused::Busy),
            false => Ok(Self),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        CHANGING.store(false, SeqCst);
    }
}

/// Takes a CPU out of use: its tasks move on, what it has borrowed is given back, its timers ring elsewhere. Sleeps.
///
/// # Errors
/// [`Refused`]; the CPU is in use as before.
pub fn take_out(cpu: usize) -> Result<(), Refused> {
    let _turn = Turn::take()?;
    match cpu {
        0 => return Err(Refused::First),
        _ if !smp::online().contains(cpu) => return Err(Refused::NotSo),
        _ => {}
    }
    presence::ask(cpu);
    sched::yield_now(); // Off that CPU: a timer of our own would ring when it has gone, and be looked after when we have woken.
    let end = time::now_ns() + PATIENCE;
    while !presence::gone().contains(cpu) {
        if time::now_ns() >= end && presence::take_back(cpu) {
            return Err(Refused::Busy);
        }
        smp::send_reschedule(cpu); // It looks whether it has nothing left to do.
        // A task that has to end does not wait, and loses nothing by asking more often.
        let _ = time::sleep_until(time::now_ns() + PERIOD);
    }
    timers::look_after_gone();
    release(cpu);
    info!(target: "smp", "CPU {cpu} is off; {} are up: {}", smp::online().len(), smp::online());
    Ok(())
}

/// The last reference of a CPU that has gone: its idle task stands on `init_mm`, and on nothing from here on (LZ-27).
fn release(cpu: usize) {
    let idle = leave::idle_of(cpu).expect("a CPU that has gone left its idle task");
    let mut slot = idle.mm_slot().lock();
    let before = core::mem::replace(&mut *slot, TaskMm::Off);
    let is_init = |borrowed: &Borrow| borrowed.mm().is_some_and(|mm| mm.id() == init_mm().id());
    assert!(
        matches!(&before, TaskMm::Lazy(borrowed) if is_init(borrowed)),
        "a CPU goes from init_mm"
    );
}

/// Takes a CPU that has gone back into use. Waits for it without sleeping.
///
/// # Errors
/// [`Refused`]; the CPU stays off.
pub fn take_in(cpu: usize) -> Result<(), Refused> {
    let _turn = Turn::take()?;
    if !presence::gone().contains(cpu) {
        return Err(Refused::NotSo);
    }
    processors::start_again(cpu).map_err(Refused::LeftOut)?;
    info!(target: "smp", "CPU {cpu} is back; {} are up: {}", smp::online().len(), smp::online());
    Ok(())
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSo => f.write_str("it is not there, or already so"),
            Self::First => f.write_str("the CPU that boots stays"),
            Self::Busy => f.write_str("it does not come to rest"),
            Self::LeftOut(why) => why.fmt(f),
        }
    }
}
