//! Where the two sides meet: who changes memory says so in an epoch, who uses it says which one it has seen.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use user::mem::PAGE;
use user::sys;
use user::threads::{Helper, THREAD};
use user::tolerant;

/// Threads that use memory while one changes it.
pub(crate) const WORKERS: usize = 3;
/// Looks at one epoch before a worker makes way for others.
const LOOKS: u64 = 32;

static EPOCH: AtomicU64 = AtomicU64::new(0);
static STOP: AtomicU64 = AtomicU64::new(0);
static PLACE: AtomicU64 = AtomicU64::new(0);
static SEEN: [AtomicU64; WORKERS] = [const { AtomicU64::new(0) }; WORKERS];
/// What went wrong first: the epoch before, the value, the epoch after, and 1.
static WRONG: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// Says that the state of memory with this number is there from now on.
pub(crate) fn publish(epoch: u64) {
    EPOCH.store(epoch, SeqCst);
}

/// Returns the number of the state that is there.
pub(crate) fn epoch() -> u64 {
    EPOCH.load(SeqCst)
}

/// Returns the address that the workers use.
pub(crate) fn place() -> u64 {
    PLACE.load(SeqCst)
}

/// Says which address the workers use.
pub(crate) fn set_place(addr: u64) {
    PLACE.store(addr, SeqCst);
}

/// Notes what must not be.
pub(crate) fn wrong(before: u64, value: u64, after: u64) {
    if WRONG[3].swap(1, SeqCst) == 0 {
        for (cell, what) in WRONG.iter().zip([before, value, after]) {
            cell.store(what, SeqCst);
        }
    }
}

/// Lets other threads run.
pub(crate) fn give_way() {
    let _ = sys::raw(libc::SYS_sched_yield, [0; 6]);
}

/// Notes that worker `number` has seen this epoch; returns which it had seen before.
pub(crate) fn note_seen(number: u64, epoch: u64) -> u64 {
    SEEN[number as usize].fetch_max(epoch, SeqCst)
}

/// Calls `look` with the epoch again and again until the case is over, as worker `number`.
pub(crate) fn look_on(number: u64, mut look: impl FnMut(u64)) -> u64 {
    let mut looks = 0;
    while STOP.load(SeqCst) == 0 {
        let now = epoch();
        look(now);
        if note_seen(number, now) < now {
            looks = 0;
        }
        looks += 1;
        if looks >= LOOKS {
            give_way();
        }
    }
    0
}

/// Calls `act` once for each new epoch until the case is over, as worker `number`.
pub(crate) fn act_on(number: u64, mut act: impl FnMut(u64)) -> u64 {
    let mut last = 0;
    while STOP.load(SeqCst) == 0 {
        let now = epoch();
        if now == last {
            give_way();
            continue;
        }
        last = now;
        act(now);
        note_seen(number, now);
    }
    0
}

/// Waits until every worker has looked at, or acted upon, this epoch.
pub(crate) fn all_have_seen(epoch: u64) {
    for seen in &SEEN {
        while seen.load(SeqCst) < epoch {
            give_way();
        }
    }
}

/// Starts the workers, lets `conduct` change memory, and ends the workers.
pub(crate) fn with_workers(
    work: extern "C" fn(u64) -> u64,
    conduct: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let mut helpers = Vec::new();
    for number in 0..WORKERS as u64 {
        let helper = Helper::start(THREAD, work, number);
        helpers.push(helper.map_err(|errno| format!("clone: {errno:?}"))?);
    }
    let conducted = conduct();
    STOP.store(1, SeqCst);
    helpers.into_iter().for_each(Helper::join);
    conducted?;
    let [before, value, after, any] = WRONG.each_ref().map(|cell| cell.load(SeqCst));
    match any {
        0 => Ok(()),
        _ => Err(format!(
            "in epoch {before} a worker met {value:#x}, and it was epoch {after} then"
        )),
    }
}

/// A worker's turns over the `pages` pages of the place: each holds nothing, zero, or `tag` and its own number, which the
/// worker then stores in a word of its own.
pub(crate) fn mark_pages(number: u64, pages: u64, tag: u64) -> u64 {
    let mut at = number;
    look_on(number, |before| {
        at = (at + 1) % pages;
        let addr = place() + at * PAGE + 8 * number;
        match tolerant::load(addr) {
            None | Some(0) => {}
            Some(value) if value == tag | at => {}
            Some(value) => wrong(before, value, epoch()),
        }
        tolerant::store(addr, tag | at);
    })
}

/// Fails unless `truth` holds.
pub(crate) fn insist(what: &str, truth: bool) -> Result<(), String> {
    match truth {
        true => Ok(()),
        false => Err(format!("not so: {what}")),
    }
}
