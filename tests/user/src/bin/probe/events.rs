//! Files that are about events: eventfd, timerfd, signalfd.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "events",
    about: "eventfd, timerfd, signalfd",
    cases: &[
        ("eventfd_counts", eventfd_counts),
        ("eventfd_as_semaphore", eventfd_as_semaphore),
        ("eventfd_blocks_when_full", eventfd_blocks_when_full),
        ("eventfd_bad_sizes", eventfd_bad_sizes),
        ("timerfd_expires_and_counts", timerfd_expires_and_counts),
        ("timerfd_tells_and_disarms", timerfd_tells_and_disarms),
        ("timerfd_at_a_time", timerfd_at_a_time),
        ("timerfd_wakes_a_poll", timerfd_wakes_a_poll),
        ("timerfd_follows_the_clock", timerfd_follows_the_clock),
        ("signalfd_reads_signals", signalfd_reads_signals),
        ("signalfd_wakes_a_reader", signalfd_wakes_a_reader),
    ],
};

/// `EFD_NONBLOCK` and its relatives.
const NONBLOCK: u64 = libc::O_NONBLOCK as u64;

pub(crate) fn eventfd(value: u64, flags: u64) -> sys::Result<i32> {
    sys::call(libc::SYS_eventfd2, [value, flags]).map(|fd| fd as i32)
}

/// Reads a number of 64 bits.
pub(crate) fn take(fd: i32) -> sys::Result<u64> {
    let mut value = 0_u64;
    sys::read(fd, sys::at(&mut value), 8).map(|_| value)
}

/// Writes a number of 64 bits.
pub(crate) fn give(fd: i32, value: u64) -> sys::Result {
    let mut value = value;
    sys::write(fd, sys::at(&mut value), 8)
}

/// What of `events` holds for `fd` within `ms`.
pub(crate) fn polled(fd: i32, events: u16, ms: u64) -> sys::Result<u16> {
    let mut asked = fd as u32 as u64 | u64::from(events) << 32;
    sys::call(libc::SYS_poll, [sys::at(&mut asked), 1, ms])?;
    Ok((asked >> 48) as u16)
}

fn eventfd_counts() -> Verdict {
    let fd = must("eventfd", eventfd(3, NONBLOCK))?;
    same("polled", polled(fd, 0x345, 0), Ok(5))?;
    same("the start", take(fd), Ok(3))?;
    refused("nothing left", take(fd), libc::EAGAIN)?;
    same("polled", polled(fd, 0x345, 0), Ok(4))?;
    same("a write", give(fd, 5), Ok(8))?;
    same("another", give(fd, 6), Ok(8))?;
    same("the sum", take(fd), Ok(11))?;
    refused("the impossible", give(fd, u64::MAX), libc::EINVAL)?;
    same("the most", give(fd, u64::MAX - 1), Ok(8))?;
    same("full", polled(fd, 5, 0), Ok(1))?;
    refused("no room", give(fd, 1), libc::EAGAIN)?;
    same("nothing more always fits", give(fd, 0), Ok(8))?;
    same("all of it", take(fd), Ok(u64::MAX - 1))?;
    let position = sys::call(libc::SYS_pread64, [fd as u64, 0, 0, 0]);
    refused("it has no position", position, libc::ESPIPE)
}

fn eventfd_as_semaphore() -> Verdict {
    let fd = must("eventfd", eventfd(2, 1 | NONBLOCK))?;
    same("one", take(fd), Ok(1))?;
    same("another", take(fd), Ok(1))?;
    refused("no third", take(fd), libc::EAGAIN)
}

fn eventfd_blocks_when_full() -> Verdict {
    let fd = must("eventfd", eventfd(0, 0))?;
    must("fill", give(fd, u64::MAX - 1))?;
    let writer = must("fork", child::start(|| i32::from(give(fd, 7) != Ok(8))))?;
    let reader = must(
        "fork",
        child::start(|| {
            let _ = sys::sleep_ms(20);
            i32::from(take(fd) != Ok(u64::MAX - 1))
        }),
    )?;
    for pid in [reader, writer] {
        same("a child", must("wait", child::wait(pid))?, Ended::Exited(0))?;
    }
    same("what the writer added", take(fd), Ok(7))
}

fn eventfd_bad_sizes() -> Verdict {
    let fd = must("eventfd", eventfd(1, 0))?;
    let mut bytes = [1_u8; 16];
    let at = sys::at(&mut bytes);
    refused("a short read", sys::read(fd, at, 7), libc::EINVAL)?;
    refused("a short write", sys::write(fd, at, 7), libc::EINVAL)?;
    refused("a bad address", sys::write(fd, 8, 8), libc::EFAULT)?;
    same("a long read", sys::read(fd, at, 16), Ok(8))?;
    refused("bad flags", eventfd(0, 8), libc::EINVAL)
}

fn timerfd(clock: i32, flags: u64) -> sys::Result<i32> {
    sys::call(libc::SYS_timerfd_create, [clock as u64, flags]).map(|fd| fd as i32)
}

const MS: u64 = 1_000_000;

/// Sets a timer to `value` ns and then every `interval` ns; returns what was left of both.
fn settime(fd: i32, flags: i32, value: u64, interval: u64) -> sys::Result<[u64; 2]> {
    let split = |ns: u64| [ns / 1_000_000_000, ns % 1_000_000_000];
    let mut new = [split(interval), split(value)];
    let mut old = [[0_u64; 2]; 2];
    let args = [
        fd as u64,
        flags as u64,
        sys::at(&mut new),
        sys::at(&mut old),
    ];
    sys::call(libc::SYS_timerfd_settime, args)?;
    Ok([old[1], old[0]].map(|[sec, nsec]| sec * 1_000_000_000 + nsec))
}

fn timerfd_expires_and_counts() -> Verdict {
    let fd = must("timerfd", timerfd(libc::CLOCK_MONOTONIC, 0))?;
    same("set", settime(fd, 0, 5 * MS, 2 * MS), Ok([0, 0]))?;
    holds("it blocks until then", take(fd).is_ok_and(|n| n >= 1))?;
    must("sleep", sys::sleep_ms(30))?;
    holds("missed ones are counted", take(fd).is_ok_and(|n| n >= 14))
}

fn timerfd_tells_and_disarms() -> Verdict {
    let fd = must("timerfd", timerfd(libc::CLOCK_BOOTTIME, NONBLOCK))?;
    refused("not set", take(fd), libc::EAGAIN)?;
    must("set", settime(fd, 0, 100_000 * MS, 7 * MS))?;
    same("nothing yet", polled(fd, 1, 0), Ok(0))?;
    let mut now = [0_u64; 4];
    must(
        "get",
        sys::call(libc::SYS_timerfd_gettime, [fd as u64, sys::at(&mut now)]),
    )?;
    same("its interval", now[..2].to_vec(), vec![0, 7 * MS])?;
    holds("what is left", (50..=100).contains(&now[2]))?;
    let [left, interval] = must("disarm", settime(fd, 0, 0, 5 * MS))?;
    holds("what was left", left > 50_000 * MS && interval == 7 * MS)?;
    must(
        "get",
        sys::call(libc::SYS_timerfd_gettime, [fd as u64, sys::at(&mut now)]),
    )?;
    same("nothing left", now[2..].to_vec(), vec![0, 0])?;
    refused(
        "too many ns",
        settime_raw(fd, 0, [0, 0, 0, 1_000_000_000]),
        libc::EINVAL,
    )?;
    refused("bad flags", settime_raw(fd, 8, [0; 4]), libc::EINVAL)?;
    refused(
        "a bad clock",
        timerfd(libc::CLOCK_PROCESS_CPUTIME_ID, 0),
        libc::EINVAL,
    )?;
    let other = must("eventfd", eventfd(0, 0))?;
    refused("not a timer", settime(other, 0, 1, 0), libc::EINVAL)?;
    refused("no write", give(fd, 1), libc::EINVAL)
}

fn settime_raw(fd: i32, flags: u64, mut new: [u64; 4]) -> sys::Result {
    sys::call(
        libc::SYS_timerfd_settime,
        [fd as u64, flags, sys::at(&mut new), 0],
    )
}

fn timerfd_at_a_time() -> Verdict {
    for clock in [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC] {
        let fd = must("timerfd", timerfd(clock, NONBLOCK))?;
        let mut now = [0_u64; 2];
        must(
            "time",
            sys::call(libc::SYS_clock_gettime, [clock as u64, sys::at(&mut now)]),
        )?;
        let now = now[0] * 1_000_000_000 + now[1];
        must(
            "in the past",
            settime(fd, libc::TFD_TIMER_ABSTIME, now - 35 * MS, 10 * MS),
        )?;
        holds("it has expired four times", take(fd).is_ok_and(|n| n >= 4))?;
        must(
            "far ahead",
            settime(fd, libc::TFD_TIMER_ABSTIME, now + 100_000 * MS, 0),
        )?;
        refused("not yet", take(fd), libc::EAGAIN)?;
    }
    Ok(())
}

fn timerfd_wakes_a_poll() -> Verdict {
    let fd = must("timerfd", timerfd(libc::CLOCK_MONOTONIC, 0))?;
    must("set", settime(fd, 0, 20 * MS, 0))?;
    same("a poll without end", polled(fd, 1, u64::MAX), Ok(1))?;
    same("once", take(fd), Ok(1))?;
    same("and not again", polled(fd, 1, 0), Ok(0))
}

/// Setting the clock, which not everybody may, moves timers that go by it, and cancels those that ask for that.
fn timerfd_follows_the_clock() -> Verdict {
    let clock = libc::CLOCK_REALTIME as u64;
    let now = || {
        let mut now = [0_u64; 2];
        let told = sys::call(libc::SYS_clock_gettime, [clock, sys::at(&mut now)]);
        told.map(|_| now)
    };
    let flags = libc::TFD_TIMER_ABSTIME;
    let cancels = flags | libc::TFD_TIMER_CANCEL_ON_SET;
    let moves = must("timerfd", timerfd(libc::CLOCK_REALTIME, NONBLOCK))?;
    let cancelled = must("timerfd", timerfd(libc::CLOCK_REALTIME, NONBLOCK))?;
    let [seconds, _] = must("time", now())?;
    let far = (seconds + 1000) * 1_000_000_000;
    must("set", settime(moves, flags, far, 0))?;
    must("set", settime(cancelled, cancels, far, 0))?;
    // Only where the machine is nobody else's.
    if !user::lodger::here() {
        return Ok(());
    }
    let mut until = [seconds + 1000, 0];
    let sleeper = must(
        "fork",
        child::start(|| {
            let args = [clock, libc::TIMER_ABSTIME as u64, sys::at(&mut until), 0];
            i32::from(sys::call(libc::SYS_clock_nanosleep, args).is_err())
        }),
    )?;
    must("sleep", sys::sleep_ms(20))?;
    let mut later = [seconds + 2000, 0];
    must(
        "set the clock",
        sys::call(libc::SYS_clock_settime, [clock, sys::at(&mut later)]),
    )?;
    same("due", polled(moves, 1, 1000), Ok(1))?;
    same("it expired", take(moves), Ok(1))?;
    refused("cancelled", take(cancelled), libc::ECANCELED)?;
    same("who slept", child::wait(sleeper), Ok(Ended::Exited(0)))?;
    let mut back = [seconds, 0];
    must(
        "back",
        sys::call(libc::SYS_clock_settime, [clock, sys::at(&mut back)]),
    )
    .map(|_| ())
}

fn block(signal: i32) -> sys::Result {
    let mut set = 1_u64 << (signal - 1);
    sys::call(libc::SYS_rt_sigprocmask, [0, sys::at(&mut set), 0, 8])
}

fn signalfd(fd: i32, signals: &[i32], flags: u64) -> sys::Result<i32> {
    let mut set = signals
        .iter()
        .fold(0_u64, |set, signal| set | 1 << (signal - 1));
    let args = [fd as u64, sys::at(&mut set), 8, flags];
    sys::call(libc::SYS_signalfd4, args).map(|fd| fd as i32)
}

fn signalfd_reads_signals() -> Verdict {
    must("block", block(libc::SIGUSR1))?;
    must("block", block(40))?;
    let fd = must(
        "signalfd",
        signalfd(-1, &[libc::SIGUSR1, libc::SIGKILL], NONBLOCK),
    )?;
    let mut told = [0_u32; 64];
    let at = sys::at(&mut told);
    refused("nothing yet", sys::read(fd, at, 256), libc::EAGAIN)?;
    refused("too small", sys::read(fd, at, 127), libc::EINVAL)?;
    let me = sys::getpid();
    must(
        "kill",
        sys::call(libc::SYS_kill, [me as u64, libc::SIGUSR1 as u64]),
    )?;
    same("polled", polled(fd, 0x41, 0), Ok(1))?;
    same("one", sys::read(fd, at, 256), Ok(128))?;
    same(
        "which",
        [told[0], told[2], told[3]],
        [libc::SIGUSR1 as u32, 0, me as u32],
    )?;
    refused("it is gone", sys::read(fd, at, 256), libc::EAGAIN)?;
    // With a value, twice; the set is changed to it.
    for value in [7_u64, 8] {
        let mut info = [0_u64; 16];
        info[0] = 40;
        info[1] = u64::from(-1_i32 as u32);
        info[2] = me as u64;
        info[3] = value;
        must(
            "queue",
            sys::call(
                libc::SYS_rt_sigqueueinfo,
                [me as u64, 40, sys::at(&mut info)],
            ),
        )?;
    }
    same("not asked for", polled(fd, 1, 0), Ok(0))?;
    same("changed", signalfd(fd, &[40], 0), Ok(fd))?;
    same("both", sys::read(fd, at, 256), Ok(256))?;
    same(
        "the first",
        [told[0], told[2], told[11]],
        [40, -1_i32 as u32, 7],
    )?;
    same("the second", [told[32], told[32 + 11]], [40, 8])?;
    refused("bad flags", signalfd(-1, &[1], 1), libc::EINVAL)?;
    let [reader, _] = must("pipe", sys::pipe())?;
    refused("not one", signalfd(reader, &[1], 0), libc::EINVAL)
}

fn signalfd_wakes_a_reader() -> Verdict {
    must("block", block(libc::SIGCHLD))?;
    let fd = must("signalfd", signalfd(-1, &[libc::SIGCHLD], 0))?;
    let pid = must(
        "fork",
        child::start(|| {
            let _ = sys::sleep_ms(20);
            5
        }),
    )?;
    let mut told = [0_u32; 32];
    same(
        "it sleeps until then",
        sys::read(fd, sys::at(&mut told), 128),
        Ok(128),
    )?;
    let child = [told[0], told[2], told[3], told[10]];
    same(
        "which child",
        child,
        [libc::SIGCHLD as u32, 1, pid as u32, 5],
    )?;
    same(
        "and its end",
        must("wait", child::wait(pid))?,
        Ended::Exited(5),
    )
}
