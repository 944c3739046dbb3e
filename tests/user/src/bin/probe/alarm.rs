//! SIGALRM by `alarm` and `setitimer`: who gets it, how often, and what is told of the timer.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::signals::{self, Event, bit, note, notes};
use user::sys;

use crate::timers;

pub(crate) const TOPIC: Topic = Topic {
    name: "alarm",
    about: "SIGALRM at a time, and again",
    cases: &[
        ("a_ring_passed_over_is_heard", a_ring_passed_over_is_heard),
        ("it_rings_once", it_rings_once),
        ("it_rings_again", it_rings_again),
        ("it_waits_until_it_is_taken", it_waits_until_it_is_taken),
        ("what_is_left_is_told", what_is_left_is_told),
        ("alarm_rounds", alarm_rounds),
        ("a_child_has_none", a_child_has_none),
        ("exec_keeps_it", exec_keeps_it),
        ("it_ends_who_has_no_handler", it_ends_who_has_no_handler),
        (
            "an_ignored_one_is_not_set_again",
            an_ignored_one_is_not_set_again,
        ),
        ("a_sleep_is_interrupted", a_sleep_is_interrupted),
        (
            "none_is_lost_on_the_way_to_sleep",
            none_is_lost_on_the_way_to_sleep,
        ),
        ("nonsense_is_refused", nonsense_is_refused),
    ],
};

const REAL: u64 = libc::ITIMER_REAL as u64;
const MILLISECOND: u64 = 1000;
const SECOND: u64 = 1_000_000;

fn set(value_us: u64, interval_us: u64) -> Result<[u64; 2], sys::Errno> {
    let mut new = [interval_us, value_us].map(|us| [us / SECOND, us % SECOND]);
    let mut old = [[0_u64; 2]; 2];
    let args = [REAL, sys::at(&mut new), sys::at(&mut old)];
    sys::call(libc::SYS_setitimer, args)?;
    Ok(micros(old))
}

fn get() -> Result<[u64; 2], sys::Errno> {
    let mut now = [[0_u64; 2]; 2];
    sys::call(libc::SYS_getitimer, [REAL, sys::at(&mut now)])?;
    Ok(micros(now))
}

/// Gives value and interval.
fn micros([interval, value]: [[u64; 2]; 2]) -> [u64; 2] {
    [value, interval].map(|[sec, usec]| sec * SECOND + usec)
}

fn alarm(seconds: u64) -> sys::Result {
    sys::call(libc::SYS_alarm, [seconds])
}

fn told(event: &mut Event) {
    note(event.signal as u64);
    note(event.code() as u64);
    note(event.pid() as u64);
}

/// Waits for SIGALRM, which is blocked, for at most `ms`.
fn take(ms: u64) -> sys::Result {
    let mut set = [bit(libc::SIGALRM)];
    let mut time = [ms / 1000, ms % 1000 * 1_000_000];
    let args = [sys::at(&mut set), 0, sys::at(&mut time), 8];
    sys::call(libc::SYS_rt_sigtimedwait, args)
}

fn rung() -> sys::Result {
    Ok(libc::SIGALRM as u64)
}

fn block() -> Verdict {
    must("block", signals::set_mask(bit(libc::SIGALRM))).map(|_| ())
}

fn it_rings_once() -> Verdict {
    must("install", signals::install(libc::SIGALRM, told, 0, 0))?;
    block()?;
    must("setitimer", set(5 * MILLISECOND, 0))?;
    let mut none = [0_u64];
    let call = sys::call(libc::SYS_rt_sigsuspend, [sys::at(&mut none), 8]);
    refused("sigsuspend", call, libc::EINTR)?;
    let kernel = 128;
    let want = vec![libc::SIGALRM as u64, kernel, 0];
    same("signal, code, pid", notes(), want)?;
    same("off", get(), Ok([0, 0]))?;
    refused("and no second one", take(30), libc::EAGAIN)
}

fn it_rings_again() -> Verdict {
    block()?;
    must("setitimer", set(MILLISECOND, 2 * MILLISECOND))?;
    for _ in 0..5 {
        same("SIGALRM", take(100_000), rung())?;
    }
    let [left, interval] = must("setitimer", set(0, 7))?;
    same("interval", interval, 2 * MILLISECOND)?;
    holds("less than an interval is left", left <= 2 * MILLISECOND)?;
    let _ = take(0);
    refused("it is off", take(20), libc::EAGAIN)?;
    same("an interval alone is nothing", get(), Ok([0, 0]))
}

/// As long as the signal waits, the timer does not run.
fn it_waits_until_it_is_taken() -> Verdict {
    block()?;
    must("setitimer", set(MILLISECOND, 50 * SECOND))?;
    while must("getitimer", get())?[0] != 0 {
        must("sleep", sys::sleep_ms(1))?;
    }
    same("off, the interval kept", get(), Ok([0, 50 * SECOND]))?;
    same("SIGALRM", take(0), rung())?;
    let [left, interval] = must("getitimer", get())?;
    same("interval", interval, 50 * SECOND)?;
    holds("it runs again", left > 0 && left <= interval)
}

fn what_is_left_is_told() -> Verdict {
    same("nothing", get(), Ok([0, 0]))?;
    same("before", set(1000 * SECOND, 3), Ok([0, 0]))?;
    let [left, interval] = must("getitimer", get())?;
    same("interval", interval, 3)?;
    holds("left", left <= 1000 * SECOND && left > 900 * SECOND)?;
    let [left, interval] = must("setitimer", set(0, 0))?;
    same("interval", interval, 3)?;
    holds("left", left <= 1000 * SECOND && left > 900 * SECOND)?;
    same("nothing", get(), Ok([0, 0]))
}

fn alarm_rounds() -> Verdict {
    same("nothing before", alarm(1000), Ok(0))?;
    same("rounded up", alarm(0), Ok(1000))?;
    same("off", alarm(0), Ok(0))?;
    must("setitimer", set(400 * MILLISECOND, 0))?;
    same("never 0", alarm(0), Ok(1))?;
    must("alarm", alarm(77))?;
    let [left, interval] = must("getitimer", get())?;
    same("interval", interval, 0)?;
    holds("it is the same timer", left <= 77 * SECOND && left > 0)
}

fn a_child_has_none() -> Verdict {
    must("setitimer", set(1000 * SECOND, SECOND))?;
    let pid = must("fork", child::start(|| i32::from(get() != Ok([0, 0]))))?;
    same("the child's", child::wait(pid), Ok(Ended::Exited(0)))?;
    holds("the parent's", must("getitimer", get())?[0] > 0)
}

/// EX-3.
fn exec_keeps_it() -> Verdict {
    let ended = child::run(|| {
        let arguments = [c"probe".as_ptr() as u64, c"paused".as_ptr() as u64, 0];
        let path = c"/proc/self/exe".as_ptr() as u64;
        let _ = set(20 * MILLISECOND, 0);
        let _ = sys::call(libc::SYS_execve, [path, arguments.as_ptr() as u64, 0]);
        1
    });
    same("the new program", ended, Ok(Ended::Killed(libc::SIGALRM)))
}

/// The program that waits for a signal to end it.
pub(crate) fn paused() -> i32 {
    loop {
        let _ = sys::call(libc::SYS_pause, []);
    }
}

fn it_ends_who_has_no_handler() -> Verdict {
    let pid = must(
        "fork",
        child::start(|| {
            let _ = set(2 * MILLISECOND, 0);
            paused()
        }),
    )?;
    same("pause", child::wait(pid), Ok(Ended::Killed(libc::SIGALRM)))?;
    let pid = must(
        "fork",
        child::start(|| {
            let _ = set(2 * MILLISECOND, 0);
            loop {
                std::hint::spin_loop();
            }
        }),
    )?;
    same("a loop", child::wait(pid), Ok(Ended::Killed(libc::SIGALRM)))
}

fn an_ignored_one_is_not_set_again() -> Verdict {
    let mut ignore = [1, 0, 0, 0];
    must("ignore", signals::set_action(libc::SIGALRM, &mut ignore))?;
    must("setitimer", set(MILLISECOND, 40 * SECOND))?;
    while must("getitimer", get())?[0] != 0 {
        must("sleep", sys::sleep_ms(1))?;
    }
    same("off, the interval kept", get(), Ok([0, 40 * SECOND]))
}

/// However often: a timer may ring just before the sleep begins.
fn a_sleep_is_interrupted() -> Verdict {
    must("install", signals::install(libc::SIGALRM, told, 0, 0))?;
    for _ in 0..100 {
        must("setitimer", set(300, 300))?;
        refused("sleep", sys::sleep_ms(1_000_000), libc::EINTR)?;
    }
    must("setitimer", set(0, 0))?;
    Ok(())
}

/// It rings before, while and after the process goes to sleep, which lets the signal through from the first step on.
fn none_is_lost_on_the_way_to_sleep() -> Verdict {
    must("install", signals::install(libc::SIGALRM, |_| (), 0, 0))?;
    block()?;
    for turn in 0..4000_u64 {
        let (mut none, mut long) = ([0_u64], [5_u64, 0]);
        must("setitimer", set(1 + turn % 13, 0))?;
        for _ in 0..turn % 257 {
            std::hint::spin_loop();
        }
        let args = [0, 0, sys::at(&mut long), sys::at(&mut none), 8];
        let call = sys::call(libc::SYS_ppoll, args);
        refused(&format!("sleep {turn}"), call, libc::EINTR)?;
    }
    Ok(())
}

fn nonsense_is_refused() -> Verdict {
    let mut times = [[[0_u64, SECOND], [0, 0]], [[0, 0], [u64::MAX, 0]]];
    for time in &mut times {
        let call = sys::call(libc::SYS_setitimer, [REAL, sys::at(time), 0]);
        refused("a bad time", call, libc::EINVAL)?;
    }
    let mut fine = [[0_u64; 2]; 2];
    let call = sys::call(libc::SYS_setitimer, [3, sys::at(&mut fine), 0]);
    refused("a fourth timer", call, libc::EINVAL)?;
    let call = sys::call(libc::SYS_getitimer, [3, sys::at(&mut fine)]);
    refused("a fourth timer", call, libc::EINVAL)?;
    let call = sys::call(libc::SYS_getitimer, [REAL, 8]);
    refused("a bad address", call, libc::EFAULT)?;
    let call = sys::call(libc::SYS_setitimer, [REAL, 8, 0]);
    refused("a bad address", call, libc::EFAULT)?;
    let call = sys::call(libc::SYS_setitimer, [REAL, 0, 0]);
    same("no value is off", call, Ok(0))
}

/// A timer's signal that waits and is then ignored by default counts as heard.
fn a_ring_passed_over_is_heard() -> Verdict {
    const MONOTONIC: u64 = 1;
    const MS: u64 = 1_000_000;
    must("block", signals::set_mask(signals::bit(libc::SIGCONT)))?;
    let timer = must("create", timers::create(MONOTONIC, libc::SIGCONT, 0, 0, 0))?;
    must("set", timers::set(timer, MS, MS))?;
    must("sleep", sys::sleep_ms(20))?;
    same("waits", timers::overruns(timer), Ok(0))?;
    must("unblock", signals::set_mask(0))?;
    let missed = must("overruns", timers::overruns(timer))?;
    must("delete", sys::call(libc::SYS_timer_delete, [timer]))?;
    holds("counted", missed >= 10)
}
