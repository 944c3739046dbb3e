//! Signals: a handler installed, called by a signal sent, and called by a fault.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use user::map::{self, Map};
use user::mem::{self, PAGE};
use user::signals;
use user::sys::{self, Errno, raw};

use crate::calls::repeated;
use crate::faults::unmap;
use crate::timed;

static CALLS: AtomicU64 = AtomicU64::new(0);
/// How many faults are still to come, and the page that they are on.
static LEFT: AtomicU64 = AtomicU64::new(0);
static FAULTING: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_signal: i32) {
    CALLS.store(CALLS.load(Relaxed) + 1, Relaxed);
}

extern "C" fn count_down(_signal: i32) {
    let left = LEFT.load(Relaxed) - 1;
    LEFT.store(left, Relaxed);
    if left == 0 {
        let _ = sys::mprotect(FAULTING.load(Relaxed), PAGE, map::RW);
    }
}

fn handle(signal: i32, handler: u64) -> sys::Result {
    let mut action = [handler, signals::RESTORER, signals::restorer(), 0];
    signals::set_action(signal, &mut action)
}

fn counter() -> u64 {
    count as extern "C" fn(i32) as *const () as u64
}

pub(crate) fn install(times: u64) -> sys::Result {
    let mut action = [counter(), signals::RESTORER, signals::restorer(), 0];
    let args = [libc::SIGUSR1 as u64, sys::at(&mut action), 0, 8, 0, 0];
    repeated(times, || raw(libc::SYS_rt_sigaction, args))
}

/// Sends a signal to this process, whose handler counts.
pub(crate) fn deliver(times: u64) -> sys::Result {
    handle(libc::SIGUSR1, counter())?;
    CALLS.store(0, Relaxed);
    let args = [sys::getpid() as u64, libc::SIGUSR1 as u64, 0, 0, 0, 0];
    let took = repeated(times, || raw(libc::SYS_kill, args))?;
    match CALLS.load(Relaxed) == times {
        true => Ok(took),
        false => Err(Errno(libc::EIO)),
    }
}

/// Writes to a page that is read-only until the handler was called so many times.
pub(crate) fn segv_trap(times: u64) -> sys::Result {
    let page = Map::anon(1, map::RW)?;
    mem::poke(page.start, 1);
    page.protect(map::R)?;
    FAULTING.store(page.start, Relaxed);
    LEFT.store(times, Relaxed);
    handle(
        libc::SIGSEGV,
        count_down as extern "C" fn(i32) as *const () as u64,
    )?;
    let took = timed(|| mem::poke(page.start, 2));
    handle(libc::SIGSEGV, 0)?;
    unmap(page)?;
    Ok(took)
}
