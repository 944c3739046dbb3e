//! Pipes, turns and threads: what goes from one flow of control to another.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use user::map::{self, Map};
use user::mem;
use user::sys::{self, raw};
use user::threads::{Helper, THREAD};

use crate::calls::repeated;
use crate::faults::{unmap, write_pages};
use crate::processes::{fork, reap};
use crate::timed;

/// Bytes of a large transfer.
const CHUNK: u64 = 65_536;

/// Writes a byte at `at` into one pipe and reads one from another.
#[inline(always)]
fn pass(to: i32, from: i32, at: u64) -> i64 {
    let written = raw(libc::SYS_write, [to as u64, at, 1, 0, 0, 0]);
    written.min(raw(libc::SYS_read, [from as u64, at, 1, 0, 0, 0]))
}

/// Writes a byte into a pipe and reads it.
pub(crate) fn pipe_self(times: u64) -> sys::Result {
    let [read, write] = sys::pipe()?;
    let mut byte = 0_u8;
    let at = sys::at(&mut byte);
    let took = repeated(times, || pass(write, read, at))?;
    sys::close(read)?;
    sys::close(write)?;
    Ok(took)
}

/// Sends a byte to a child, which sends it back.
pub(crate) fn pipe_rtt(times: u64) -> sys::Result {
    let [there, to] = sys::pipe()?;
    let [from, back] = sys::pipe()?;
    let mut byte = 0_u8;
    let at = sys::at(&mut byte);
    let pid = fork(|| {
        let _ = sys::close(to);
        while raw(libc::SYS_read, [there as u64, at, 1, 0, 0, 0]) == 1 {
            let _ = raw(libc::SYS_write, [back as u64, at, 1, 0, 0, 0]);
        }
        0
    })?;
    sys::close(there)?;
    sys::close(back)?;
    repeated(4, || pass(to, from, at))?;
    let took = repeated(times, || pass(to, from, at))?;
    sys::close(to)?;
    reap(pid)?;
    sys::close(from)?;
    Ok(took)
}

/// Reads 64 KiB that a child writes.
pub(crate) fn pipe_64k(times: u64) -> sys::Result {
    let [read, write] = sys::pipe()?;
    let buffer = Map::anon(CHUNK / mem::PAGE, map::RW)?;
    write_pages(buffer.start, buffer.pages);
    let pid = fork(|| {
        let _ = sys::close(read);
        write_pages(buffer.start, buffer.pages);
        while sys::write(write, buffer.start, CHUNK).is_ok() {}
        0
    })?;
    sys::close(write)?;
    sys::read(read, buffer.start, CHUNK)?;
    let mut answer = Ok(0);
    let took = timed(|| {
        let mut left = times * CHUNK;
        while left > 0 && answer.is_ok() {
            answer = sys::read(read, buffer.start, left.min(CHUNK));
            left -= answer.unwrap_or(0);
        }
    });
    answer?;
    user::signals::kill(pid as i32, libc::SIGKILL)?;
    sys::close(read)?;
    sys::wait4(pid as i32, 0)?;
    unmap(buffer)?;
    Ok(took)
}

/// Yields where nobody else wants to run.
pub(crate) fn yield_solo(times: u64) -> sys::Result {
    repeated(times, || raw(libc::SYS_sched_yield, [0; 6]))
}

/// Hands the turn to a child and waits for it to come back, yielding.
pub(crate) fn yield_rtt(times: u64) -> sys::Result {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let turn = Map::with(1, map::RW, flags, -1)?;
    let wait_for = |mine| {
        while mem::peek(turn.start) != mine {
            let _ = raw(libc::SYS_sched_yield, [0; 6]);
        }
    };
    let warm = 4;
    let pid = fork(|| {
        for _ in 0..times + warm {
            wait_for(1);
            mem::poke(turn.start, 0);
        }
        0
    })?;
    let round = || {
        mem::poke(turn.start, 1);
        wait_for(0);
    };
    (0..warm).for_each(|_| round());
    let took = timed(|| (0..times).for_each(|_| round()));
    reap(pid)?;
    unmap(turn)?;
    Ok(took)
}

/// Does nothing.
extern "C" fn nothing(_: u64) -> u64 {
    0
}

/// Makes a thread that ends at once, and waits until it has gone.
pub(crate) fn thread_create(times: u64) -> sys::Result {
    let stack = Map::anon(16, map::RW)?;
    write_pages(stack.start, stack.pages);
    repeated(times, || {
        match Helper::start_on(stack, THREAD, nothing, 0) {
            Ok(helper) => {
                helper.join();
                0
            }
            Err(errno) => -i64::from(errno.0),
        }
    })
}

/// Whose turn it is: the first thread's (0) or the other's.
static TURN: AtomicU32 = AtomicU32::new(0);

fn futex(op: i32, value: u32) {
    let (addr, op) = (
        std::ptr::from_ref(&TURN) as u64,
        (op | libc::FUTEX_PRIVATE_FLAG) as u64,
    );
    let _ = raw(libc::SYS_futex, [addr, op, u64::from(value), 0, 0, 0]);
}

#[inline(always)]
fn await_turn(own: u32) {
    while TURN.load(Relaxed) != own {
        futex(libc::FUTEX_WAIT, 1 - own);
    }
}

#[inline(always)]
fn give_turn(to: u32) {
    TURN.store(to, Relaxed);
    futex(libc::FUTEX_WAKE, 1);
}

extern "C" fn gives_turns_back(times: u64) -> u64 {
    for _ in 0..times {
        await_turn(1);
        give_turn(0);
    }
    0
}

/// Wakes another thread and waits to be woken by it.
pub(crate) fn futex_rtt(times: u64) -> sys::Result {
    TURN.store(0, Relaxed);
    let helper = Helper::start(THREAD, gives_turns_back, times + 4)?;
    let mut turn = || {
        give_turn(1);
        await_turn(0);
        0
    };
    repeated(4, &mut turn)?;
    let took = repeated(times, turn)?;
    helper.join();
    Ok(took)
}
