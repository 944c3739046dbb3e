//! Timers of POSIX, interval timers of CPU time, and clocks.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, dies, holds, must, refused, same};
use user::signals::{self, bit};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "timers",
    about: "timer_create, CPU time, clocks",
    cases: &[
        ("a_timer_rings", a_timer_rings),
        (
            "rings_that_nobody_heard_are_counted",
            rings_that_nobody_heard_are_counted,
        ),
        (
            "two_timers_send_one_signal_each",
            two_timers_send_one_signal_each,
        ),
        ("a_silent_timer_counts_on", a_silent_timer_counts_on),
        ("a_timer_of_cpu_time_rings", a_timer_of_cpu_time_rings),
        ("nonsense_is_refused", nonsense_is_refused),
        ("interval_timers_of_cpu_time", interval_timers_of_cpu_time),
        ("cpu_time_is_limited", cpu_time_is_limited),
        ("cpu_time_divides", cpu_time_divides),
        ("clocks_have_resolutions", clocks_have_resolutions),
        ("clocks_of_others_have_names", clocks_of_others_have_names),
        ("a_thread_may_be_told", a_thread_may_be_told),
        (
            "a_ring_is_forgotten_with_its_time",
            a_ring_is_forgotten_with_its_time,
        ),
        (
            "a_ring_that_was_ignored_is_made_up_for",
            a_ring_that_was_ignored_is_made_up_for,
        ),
        ("exec_and_fork_forget_them", exec_and_fork_forget_them),
    ],
};

const MONOTONIC: u64 = 1;
const PROCESS_CPU: u64 = 2;
const MS: u64 = 1_000_000;

pub(crate) fn create(clock: u64, signal: i32, kind: i32, value: u64, tid: i32) -> sys::Result<u64> {
    let mut event = [0_u64; 8];
    event[0] = value;
    event[1] = signal as u64 | (kind as u64) << 32;
    event[2] = tid as u64;
    let mut number = [-1_i32];
    let args = [clock, sys::at(&mut event), sys::at(&mut number)];
    sys::call(libc::SYS_timer_create, args)?;
    Ok(number[0] as u64)
}

pub(crate) fn set(timer: u64, value_ns: u64, interval_ns: u64) -> sys::Result<[u64; 2]> {
    let split = |ns: u64| [ns / 1_000_000_000, ns % 1_000_000_000];
    let mut new = [split(interval_ns), split(value_ns)];
    let mut old = [[0_u64; 2]; 2];
    let args = [timer, 0, sys::at(&mut new), sys::at(&mut old)];
    sys::call(libc::SYS_timer_settime, args)?;
    Ok(old.map(|[sec, nsec]| sec * 1_000_000_000 + nsec))
}

/// Value and interval.
fn get(timer: u64) -> sys::Result<[u64; 2]> {
    let mut now = [[0_u64; 2]; 2];
    sys::call(libc::SYS_timer_gettime, [timer, sys::at(&mut now)])?;
    let [interval, value] = now.map(|[sec, nsec]| sec * 1_000_000_000 + nsec);
    Ok([value, interval])
}

/// Waits for a signal, which is blocked; returns `si_code`, timer, overruns and value.
fn take(signal: i32, ms: u64) -> sys::Result<[u64; 4]> {
    let mut set = [bit(signal)];
    let mut time = [ms / 1000, ms % 1000 * MS];
    let mut info = [0_u64; 16];
    let args = [sys::at(&mut set), sys::at(&mut info), sys::at(&mut time), 8];
    sys::call(libc::SYS_rt_sigtimedwait, args)?;
    let code = info[1] & 0xffff_ffff;
    Ok([code, info[2] & 0xffff_ffff, info[2] >> 32, info[3]])
}

const SI_TIMER: u64 = 0xffff_fffe;

fn block(signal: i32) -> Verdict {
    must("block", signals::set_mask(bit(signal))).map(|_| ())
}

fn a_timer_rings() -> Verdict {
    block(libc::SIGUSR1)?;
    let timer = must(
        "create",
        create(MONOTONIC, libc::SIGUSR1, libc::SIGEV_SIGNAL, 77, 0),
    )?;
    same("off", get(timer), Ok([0, 0]))?;
    must("set", set(timer, 5 * MS, 0))?;
    same(
        "told",
        take(libc::SIGUSR1, 10_000),
        Ok([SI_TIMER, timer, 0, 77]),
    )?;
    same("once", get(timer), Ok([0, 0]))?;
    must("set", set(timer, 5000 * MS, 7 * MS))?;
    let [value, interval] = must("get", get(timer))?;
    holds(
        "left",
        value > 0 && value <= 5000 * MS && interval == 7 * MS,
    )?;
    must("delete", sys::call(libc::SYS_timer_delete, [timer]))?;
    refused("gone", get(timer), libc::EINVAL)
}

pub(crate) fn overruns(timer: u64) -> sys::Result {
    sys::call(libc::SYS_timer_getoverrun, [timer])
}

fn rings_that_nobody_heard_are_counted() -> Verdict {
    let signal = 34;
    block(signal)?;
    let timer = must(
        "create",
        create(MONOTONIC, signal, libc::SIGEV_SIGNAL, 0, 0),
    )?;
    must("set", set(timer, MS, MS))?;
    must("sleep", sys::sleep_ms(30))?;
    let [_, _, missed, _] = must("take", take(signal, 10_000))?;
    holds("many", missed >= 20)?;
    same("told again", overruns(timer), Ok(missed))?;
    must("the next", take(signal, 10_000))?;
    must("off", set(timer, 0, 0))?;
    let _ = take(signal, 0);
    refused("silence", take(signal, 20), libc::EAGAIN)
}

fn two_timers_send_one_signal_each() -> Verdict {
    block(libc::SIGUSR2)?;
    let make = |value| create(MONOTONIC, libc::SIGUSR2, libc::SIGEV_SIGNAL, value, 0);
    let [first, second] = [must("create", make(1))?, must("create", make(2))?];
    holds("two", first != second)?;
    must("set", set(first, MS, 0))?;
    must("set", set(second, 3 * MS, 0))?;
    must("sleep", sys::sleep_ms(20))?;
    same(
        "the first",
        take(libc::SIGUSR2, 0),
        Ok([SI_TIMER, first, 0, 1]),
    )?;
    same(
        "the second",
        take(libc::SIGUSR2, 0),
        Ok([SI_TIMER, second, 0, 2]),
    )
}

fn a_silent_timer_counts_on() -> Verdict {
    let timer = must("create", create(MONOTONIC, 0, libc::SIGEV_NONE, 0, 0))?;
    must("set", set(timer, MS, 500 * MS))?;
    must("sleep", sys::sleep_ms(5))?;
    let [value, interval] = must("get", get(timer))?;
    holds(
        "it goes on",
        value > 0 && value <= 500 * MS && interval == 500 * MS,
    )?;
    must("set", set(timer, MS, 0))?;
    must("sleep", sys::sleep_ms(5))?;
    same("it is over", get(timer), Ok([0, 0]))
}

fn burn() {
    for _ in 0..10_000 {
        std::hint::spin_loop();
    }
}

fn a_timer_of_cpu_time_rings() -> Verdict {
    block(libc::SIGUSR1)?;
    let timer = must(
        "create",
        create(PROCESS_CPU, libc::SIGUSR1, libc::SIGEV_SIGNAL, 5, 0),
    )?;
    must("set", set(timer, 20 * MS, 0))?;
    same(
        "asleep",
        take(libc::SIGUSR1, 60),
        Err(sys::Errno(libc::EAGAIN)),
    )?;
    while must("pending", signals::pending())? == 0 {
        burn();
    }
    same("told", take(libc::SIGUSR1, 0), Ok([SI_TIMER, timer, 0, 5]))
}

fn nonsense_is_refused() -> Verdict {
    let signal = libc::SIGUSR1;
    refused(
        "clock",
        create(99, signal, libc::SIGEV_SIGNAL, 0, 0),
        libc::EINVAL,
    )?;
    refused(
        "signal",
        create(1, 65, libc::SIGEV_SIGNAL, 0, 0),
        libc::EINVAL,
    )?;
    refused("kind", create(1, signal, 77, 0, 0), libc::EINVAL)?;
    let to_init = create(1, signal, libc::SIGEV_THREAD_ID, 0, 1);
    holds(
        "a stranger",
        sys::getpid() == 1 || to_init == Err(sys::Errno(libc::EINVAL)),
    )?;
    let coarse = create(6, signal, libc::SIGEV_SIGNAL, 0, 0);
    refused("a coarse clock", coarse, libc::EOPNOTSUPP)?;
    refused("no timer", get(99), libc::EINVAL)?;
    refused("no timer", overruns(99), libc::EINVAL)?;
    let timer = must("create", create(1, signal, libc::SIGEV_SIGNAL, 0, 0))?;
    let args = [timer, 0, 0, 0];
    refused(
        "no time",
        sys::call(libc::SYS_timer_settime, args),
        libc::EINVAL,
    )?;
    let mut bad = [[0_u64, 0], [0, 1_000_000_000]];
    let args = [timer, 0, sys::at(&mut bad), 0];
    refused(
        "a bad time",
        sys::call(libc::SYS_timer_settime, args),
        libc::EINVAL,
    )?;
    let args = [1, 0, 8];
    refused(
        "a bad address",
        sys::call(libc::SYS_timer_create, args),
        libc::EFAULT,
    )
}

fn interval_timers_of_cpu_time() -> Verdict {
    for (which, signal) in [(1_u64, libc::SIGVTALRM), (2, libc::SIGPROF)] {
        block(signal)?;
        let mut new = [[0_u64, 10_000], [0, 10_000]];
        let args = [which, sys::at(&mut new), 0];
        must("setitimer", sys::call(libc::SYS_setitimer, args))?;
        for _ in 0..3 {
            while must("pending", signals::pending())? & bit(signal) == 0 {
                burn();
            }
            let mut told = [[0_u64; 2]; 2];
            must(
                "getitimer",
                sys::call(libc::SYS_getitimer, [which, sys::at(&mut told)]),
            )?;
            same("interval", told[0], [0, 10_000])?;
            must("take", take(signal, 0))?;
        }
        let mut off = [[0_u64; 2]; 2];
        must(
            "off",
            sys::call(libc::SYS_setitimer, [which, sys::at(&mut off), 0]),
        )?;
    }
    Ok(())
}

fn cpu_time_is_limited() -> Verdict {
    dies("the limit in force", libc::SIGXCPU, || {
        let mut limit = [1_u64, 5];
        let _ = sys::call(libc::SYS_setrlimit, [0, sys::at(&mut limit)]);
        loop {
            burn();
        }
    })?;
    let limits = child::run(|| {
        let mut limit = [1_u64, 2];
        let mut ignore = [1, 0, 0, 0];
        let _ = signals::set_action(libc::SIGXCPU, &mut ignore);
        let _ = sys::call(libc::SYS_setrlimit, [0, sys::at(&mut limit)]);
        loop {
            burn();
        }
    });
    same("the other", limits, Ok(Ended::Killed(libc::SIGKILL)))
}

fn cpu_time_divides() -> Verdict {
    let mut usage = [0_u64; 18];
    let mut times = || {
        must(
            "getrusage",
            sys::call(libc::SYS_getrusage, [0, sys::at(&mut usage)]),
        )?;
        let [user, user_us, system, system_us] = [usage[0], usage[1], usage[2], usage[3]];
        Ok::<_, String>([user * 1_000_000 + user_us, system * 1_000_000 + system_us])
    };
    // In the kernel, until it shows; then in the program.
    while times()?[1] < 50_000 {
        for _ in 0..100 {
            let _ = sys::call(libc::SYS_getppid, []);
        }
    }
    let [user, _] = times()?;
    while times()?[0] < user + 50_000 {
        (0..50).for_each(|_| burn());
    }
    Ok(())
}

fn clock(number: i64) -> sys::Result<u64> {
    let mut time = [0_u64; 2];
    sys::call(libc::SYS_clock_gettime, [number as u64, sys::at(&mut time)])?;
    Ok(time[0] * 1_000_000_000 + time[1])
}

fn clocks_have_resolutions() -> Verdict {
    for number in 0..12_u64 {
        if [8, 9, 10].contains(&number) {
            continue;
        }
        must(&format!("clock {number}"), clock(number as i64))?;
        let mut resolution = [7_u64; 2];
        let args = [number, sys::at(&mut resolution)];
        must("getres", sys::call(libc::SYS_clock_getres, args))?;
        let coarse = [5, 6].contains(&number);
        holds("of a tick or a nanosecond", (resolution[1] > 1) == coarse)?;
    }
    refused("no clock", clock(10), libc::EINVAL)?;
    refused("no clock", clock(99), libc::EINVAL)?;
    let mut time = [5_u64, 0];
    let args = [MONOTONIC, sys::at(&mut time)];
    refused(
        "not to be set",
        sys::call(libc::SYS_clock_settime, args),
        libc::EINVAL,
    )
}

fn clocks_of_others_have_names() -> Verdict {
    let name = |pid: i32, thread: bool| i64::from(!pid << 3 | 2 | i32::from(thread) << 2);
    let own = must("own", clock(name(sys::getpid(), false)))?;
    let known = must("process", clock(PROCESS_CPU as i64))?;
    holds("the same clock", known >= own)?;
    must("0 is oneself", clock(name(0, false)))?;
    must("a thread", clock(name(0, true)))?;
    refused("nobody", clock(name(0x3f_fff0, false)), libc::EINVAL)
}

fn a_thread_may_be_told() -> Verdict {
    block(libc::SIGUSR1)?;
    let tid = sys::call(libc::SYS_gettid, []).unwrap_or(0) as i32;
    let timer = create(MONOTONIC, libc::SIGUSR1, libc::SIGEV_THREAD_ID, 3, tid);
    let timer = must("create", timer)?;
    must("set", set(timer, MS, 0))?;
    same(
        "told",
        take(libc::SIGUSR1, 10_000),
        Ok([SI_TIMER, timer, 0, 3]),
    )
}

fn exec_and_fork_forget_them() -> Verdict {
    let timer = must(
        "create",
        create(MONOTONIC, libc::SIGTERM, libc::SIGEV_SIGNAL, 0, 0),
    )?;
    must("set", set(timer, 1000 * 1000 * MS, 0))?;
    let ended = child::run(|| i32::from(get(timer).is_ok()));
    same("a child has none", ended, Ok(Ended::Exited(0)))
}

fn a_ring_is_forgotten_with_its_time() -> Verdict {
    let signal = 34;
    block(signal)?;
    let make = || create(MONOTONIC, signal, libc::SIGEV_SIGNAL, 0, 0);
    let [first, second] = [must("one", make())?, must("two", make())?];
    must("set", set(first, MS, MS))?;
    must("set", set(second, MS, MS))?;
    must("sleep", sys::sleep_ms(20))?;
    must("set anew", set(first, 100_000 * MS, 0))?;
    let heard = take(signal, 10_000).map(|it| it[1]);
    same("the other", heard, Ok(second))?;
    must("delete", sys::call(libc::SYS_timer_delete, [second]))?;
    refused("silence", take(signal, 20), libc::EAGAIN)
}

fn a_ring_that_was_ignored_is_made_up_for() -> Verdict {
    let signal = 34;
    block(signal)?;
    let timer = must("create", create(MONOTONIC, signal, 0, 0, 0))?;
    must("set", set(timer, MS, MS))?;
    for action in [libc::SIG_IGN, libc::SIG_DFL] {
        must("sleep", sys::sleep_ms(15))?;
        let mut action = [action as u64, 0, 0, 0];
        must("action", signals::set_action(signal, &mut action))?;
    }
    let [_, _, missed, _] = must("take", take(signal, 10_000))?;
    holds("all of them", missed >= 25)?;
    must("the next", take(signal, 10_000)).map(|_| ())
}
