//! Futexes with priority inheritance: locks whose word names the owner.

use std::sync::atomic::{AtomicU32, Ordering};

use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys;
use user::threads::{Helper, THREAD};

pub(crate) const TOPIC: Topic = Topic {
    name: "pi",
    about: "locks whose word names the owner",
    cases: &[
        ("the_word_names_the_owner", the_word_names_the_owner),
        ("nobody_locks_twice", nobody_locks_twice),
        ("only_the_owner_gives_it_back", only_the_owner_gives_it_back),
        ("an_owner_must_exist", an_owner_must_exist),
        ("it_is_handed_over", it_is_handed_over),
        ("waiting_ends_in_time", waiting_ends_in_time),
        ("the_end_of_an_owner_is_told", the_end_of_an_owner_is_told),
        ("many_take_turns", many_take_turns),
    ],
};

const LOCK: u64 = 6;
const UNLOCK: u64 = 7;
const TRYLOCK: u64 = 8;
const LOCK2: u64 = 13;
const PRIVATE: u64 = 128;
const WAITERS: u32 = 1 << 31;
const DIED: u32 = 1 << 30;

static WORD: AtomicU32 = AtomicU32::new(0);
static STEP: AtomicU32 = AtomicU32::new(0);
static COUNT: AtomicU32 = AtomicU32::new(0);

fn futex(op: u64, time: u64) -> sys::Result {
    let word = std::ptr::from_ref(&WORD) as u64;
    sys::call(libc::SYS_futex, [word, op | PRIVATE, 0, time, 0, 0])
}

fn tid() -> u32 {
    sys::call(libc::SYS_gettid, []).unwrap_or(0) as u32
}

fn word() -> u32 {
    WORD.load(Ordering::SeqCst)
}

fn until(step: u32) {
    while STEP.load(Ordering::SeqCst) < step {
        let _ = sys::call(libc::SYS_sched_yield, []);
    }
}

/// Waits until somebody waits for the lock.
fn until_waited_for() {
    while word() & WAITERS == 0 {
        let _ = sys::call(libc::SYS_sched_yield, []);
    }
    let _ = sys::sleep_ms(5);
}

fn the_word_names_the_owner() -> Verdict {
    for op in [LOCK, TRYLOCK, LOCK2] {
        must("lock", futex(op, 0))?;
        same("the owner", word(), tid())?;
        must("unlock", futex(UNLOCK, 0))?;
        same("nobody", word(), 0)?;
    }
    WORD.store(DIED, Ordering::SeqCst);
    must("lock", futex(LOCK, 0))?;
    same("a death is told on", word(), tid() | DIED)
}

fn nobody_locks_twice() -> Verdict {
    must("lock", futex(LOCK, 0))?;
    refused("again", futex(LOCK, 0), libc::EDEADLK)?;
    refused("or perhaps", futex(TRYLOCK, 0), libc::EDEADLK)
}

fn only_the_owner_gives_it_back() -> Verdict {
    refused("free", futex(UNLOCK, 0), libc::EPERM)?;
    WORD.store(1, Ordering::SeqCst);
    refused("another's", futex(UNLOCK, 0), libc::EPERM)
}

fn an_owner_must_exist() -> Verdict {
    WORD.store(0x3f_fff0, Ordering::SeqCst);
    refused("nobody", futex(LOCK, 0), libc::ESRCH)
}

extern "C" fn takes(_: u64) -> u64 {
    let locked = futex(LOCK, 0).is_ok();
    let owns = word() & !(WAITERS | DIED) == tid();
    STEP.fetch_add(1, Ordering::SeqCst);
    u64::from(!locked || !owns || futex(UNLOCK, 0).is_err())
}

fn it_is_handed_over() -> Verdict {
    must("lock", futex(LOCK, 0))?;
    let helper = must("clone", Helper::start(THREAD, takes, 0))?;
    until_waited_for();
    same("still mine", word() & !WAITERS, tid())?;
    same("it waits", STEP.load(Ordering::SeqCst), 0)?;
    must("unlock", futex(UNLOCK, 0))?;
    until(1);
    helper.join();
    same("free in the end", word(), 0)
}

fn waiting_ends_in_time() -> Verdict {
    extern "C" fn tries(op: u64) -> u64 {
        // Long ago, by either clock.
        let mut past = [1_u64, 0];
        let outcome = futex(op, sys::at(&mut past));
        let timed_out = outcome == Err(sys::Errno(libc::ETIMEDOUT));
        let busy = futex(TRYLOCK, 0) == Err(sys::Errno(libc::EAGAIN));
        STEP.fetch_add(1 + u32::from(timed_out && busy) * 16, Ordering::SeqCst);
        0
    }
    must("lock", futex(LOCK, 0))?;
    for (turn, op) in (1..).zip([LOCK, LOCK2]) {
        let helper = must("clone", Helper::start(THREAD, tries, op))?;
        helper.join();
        same(
            "timed out, and still taken",
            STEP.load(Ordering::SeqCst),
            17 * turn,
        )?;
    }
    must("unlock", futex(UNLOCK, 0))?;
    Ok(())
}

fn the_end_of_an_owner_is_told() -> Verdict {
    extern "C" fn dies(_: u64) -> u64 {
        let locked = futex(LOCK, 0).is_ok();
        STEP.fetch_add(u32::from(locked), Ordering::SeqCst);
        until_waited_for();
        0
    }
    let helper = must("clone", Helper::start(THREAD, dies, 0))?;
    until(1);
    must("lock", futex(LOCK, 0))?;
    helper.join();
    same("mine, with a death", word() & !WAITERS, tid() | DIED)?;
    must("unlock", futex(UNLOCK, 0))?;
    Ok(())
}

fn many_take_turns() -> Verdict {
    extern "C" fn counts(rounds: u64) -> u64 {
        for _ in 0..rounds {
            // The fast path of libraries first.
            let free = WORD.compare_exchange(0, tid(), Ordering::SeqCst, Ordering::SeqCst);
            if free.is_err() && futex(LOCK, 0).is_err() {
                return 1;
            }
            let seen = COUNT.load(Ordering::Relaxed);
            let _ = sys::call(libc::SYS_sched_yield, []);
            COUNT.store(seen + 1, Ordering::Relaxed);
            let own = WORD.compare_exchange(tid(), 0, Ordering::SeqCst, Ordering::SeqCst);
            if own.is_err() && futex(UNLOCK, 0).is_err() {
                return 1;
            }
        }
        0
    }
    let mut helpers = Vec::new();
    for _ in 0..4 {
        helpers.push(must("clone", Helper::start(THREAD, counts, 200))?);
    }
    helpers.into_iter().for_each(Helper::join);
    same("one at a time", COUNT.load(Ordering::SeqCst), 800)?;
    holds("free in the end", word() & !WAITERS == 0)
}
