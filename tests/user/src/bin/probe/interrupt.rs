//! System calls that a signal interrupts: which end with EINTR, which are made again (SY-7).
//!
//! A child sends the signal again and again until the call has come back, so that it does not matter when the
//! call began to wait.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::signals::{self, Event, bit, note, notes};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "interrupt",
    about: "blocked calls and signals: EINTR, calls made again, waiting for signals",
    cases: &[
        ("read_is_interrupted", || interrupted(0, blocked_read)),
        ("read_is_made_again", read_is_made_again),
        ("wait_is_interrupted", || interrupted(0, blocked_wait)),
        ("futex_is_interrupted", || interrupted(0, blocked_futex)),
        ("full_pipe_is_interrupted", || interrupted(0, blocked_write)),
        ("poll_never_restarts", || interrupted(RESTART, blocked_poll)),
        ("nanosleep_never_restarts", || {
            interrupted(RESTART, long_sleep)
        }),
        ("pause_never_restarts", || interrupted(RESTART, pause)),
        ("sigsuspend_never_restarts", || {
            interrupted(RESTART, suspend)
        }),
        ("sigtimedwait_is_interrupted", || {
            interrupted(RESTART, wait_for_another)
        }),
        ("nanosleep_tells_the_rest", nanosleep_tells_the_rest),
        (
            "ignored_signals_interrupt_nothing",
            ignored_signals_interrupt_nothing,
        ),
        (
            "sigsuspend_takes_the_mask_for_a_while",
            sigsuspend_takes_the_mask_for_a_while,
        ),
        (
            "ppoll_takes_the_mask_for_a_while",
            ppoll_takes_the_mask_for_a_while,
        ),
        (
            "sigtimedwait_takes_what_waits",
            sigtimedwait_takes_what_waits,
        ),
        (
            "sigtimedwait_takes_what_comes",
            sigtimedwait_takes_what_comes,
        ),
        (
            "sigtimedwait_refuses_nonsense",
            sigtimedwait_refuses_nonsense,
        ),
        ("child_is_told_of", child_is_told_of),
        ("broken_pipe_is_told_of", broken_pipe_is_told_of),
        ("sending_is_checked", sending_is_checked),
        ("restart_syscall_by_itself", || {
            let call = sys::call(libc::SYS_restart_syscall, []);
            refused("restart_syscall", call, libc::EINTR)
        }),
        ("dispositions_after_exec", dispositions_after_exec),
    ],
};

const RESTART: u64 = signals::RESTART;

fn told(event: &mut Event) {
    note(event.signal as u64);
}

/// Starts a child that sends `signal` to this process every few milliseconds until it is killed.
fn pesterer(signal: i32) -> Result<i32, String> {
    let parent = sys::getpid();
    must(
        "fork",
        child::start(move || {
            loop {
                let _ = sys::sleep_ms(3);
                if signals::kill(parent, signal).is_err() {
                    return 0;
                }
            }
        }),
    )
}

fn stop_pesterer(pid: i32) -> Verdict {
    must("kill", signals::kill(pid, libc::SIGKILL))?;
    same(
        "the sender",
        child::wait(pid),
        Ok(Ended::Killed(libc::SIGKILL)),
    )
}

/// Makes a call that would wait for ever: EINTR, and the handler has run.
fn interrupted(flags: u64, call: fn() -> sys::Result) -> Verdict {
    must("install", signals::install(libc::SIGUSR1, told, flags, 0))?;
    let pid = pesterer(libc::SIGUSR1)?;
    refused("the call", call(), libc::EINTR)?;
    stop_pesterer(pid)?;
    holds(
        "the handler ran",
        notes().first() == Some(&(libc::SIGUSR1 as u64)),
    )
}

fn blocked_read() -> sys::Result {
    let [reader, _writer] = sys::pipe()?;
    let mut byte = [0_u8];
    sys::read(reader, sys::at(&mut byte), 1)
}

fn blocked_write() -> sys::Result {
    let [_reader, writer] = sys::pipe()?;
    let mut block = vec![1_u8; 4096];
    loop {
        sys::write(writer, sys::at(&mut block[..]), 4096)?;
    }
}

fn blocked_wait() -> sys::Result {
    // The pesterer lives on.
    sys::wait4(-1, 0).map(|_| 0)
}

fn blocked_futex() -> sys::Result {
    let mut word = [7_u32];
    sys::call(libc::SYS_futex, [sys::at(&mut word), 0, 7, 0])
}

fn blocked_poll() -> sys::Result {
    let [reader, _writer] = sys::pipe()?;
    let mut asked = [reader as u64 | 1 << 32];
    sys::call(libc::SYS_poll, [sys::at(&mut asked), 1, u64::MAX])
}

fn long_sleep() -> sys::Result {
    sys::sleep_ms(1_000_000)
}

fn pause() -> sys::Result {
    sys::call(libc::SYS_pause, [])
}

fn suspend() -> sys::Result {
    let mut none = [0_u64];
    sys::call(libc::SYS_rt_sigsuspend, [sys::at(&mut none), 8])
}

fn wait_for_another() -> sys::Result {
    let mut set = [bit(libc::SIGUSR2)];
    sys::call(libc::SYS_rt_sigtimedwait, [sys::at(&mut set), 0, 0, 8])
}

/// With SA_RESTART the read goes on until there is a byte, however often the handler runs.
fn read_is_made_again() -> Verdict {
    must("install", signals::install(libc::SIGUSR1, told, RESTART, 0))?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    let parent = sys::getpid();
    let sender = must(
        "fork",
        child::start(move || {
            for _ in 0..10 {
                let _ = sys::sleep_ms(3);
                let _ = signals::kill(parent, libc::SIGUSR1);
            }
            let mut byte = [9_u8];
            sys::write(writer, sys::at(&mut byte), 1).map_or(1, |_| 0)
        }),
    )?;
    let mut byte = [0_u8];
    same("read", sys::read(reader, sys::at(&mut byte), 1), Ok(1))?;
    same("the byte", byte, [9])?;
    same("wait", child::wait(sender), Ok(Ended::Exited(0)))?;
    holds("handlers ran meanwhile", notes().len() >= 2)
}

fn nanosleep_tells_the_rest() -> Verdict {
    must("install", signals::install(libc::SIGUSR1, told, 0, 0))?;
    let pid = pesterer(libc::SIGUSR1)?;
    let (mut time, mut rest) = ([1000_u64, 0], [0_u64; 2]);
    let slept = sys::call(
        libc::SYS_nanosleep,
        [sys::at(&mut time), sys::at(&mut rest)],
    );
    refused("nanosleep", slept, libc::EINTR)?;
    stop_pesterer(pid)?;
    holds("the rest is most of it", (900..=1000).contains(&rest[0]))
}

/// Neither an ignored signal nor a stray SIGCHLD ends a sleep early.
fn ignored_signals_interrupt_nothing() -> Verdict {
    let mut ignore = [1, 0, 0, 0];
    must("ignore", signals::set_action(libc::SIGUSR1, &mut ignore))?;
    let pid = pesterer(libc::SIGUSR1)?;
    let start = sys::now_ms();
    same("nanosleep", sys::sleep_ms(50), Ok(0))?;
    holds("all of it", sys::now_ms() + 1 >= start + 50)?;
    stop_pesterer(pid)
}

fn sigsuspend_takes_the_mask_for_a_while() -> Verdict {
    fn look(event: &mut Event) {
        note(event.signal as u64);
        note(event.context[signals::word::MASK]);
        note(signals::mask().unwrap_or(0));
    }
    let (one, two) = (bit(libc::SIGUSR1), bit(libc::SIGUSR2));
    must("install", signals::install(libc::SIGUSR1, look, 0, 0))?;
    must("block", signals::set_mask(one))?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    same("it waits", notes(), vec![])?;
    let mut set = [two];
    let call = sys::call(libc::SYS_rt_sigsuspend, [sys::at(&mut set), 8]);
    refused("sigsuspend", call, libc::EINTR)?;
    let seen = vec![libc::SIGUSR1 as u64, one, one | two];
    same("signal, mask to come back, mask inside", notes(), seen)?;
    same("mask afterwards", signals::mask(), Ok(one))
}

fn ppoll_takes_the_mask_for_a_while() -> Verdict {
    let one = bit(libc::SIGUSR1);
    must("install", signals::install(libc::SIGUSR1, told, 0, 0))?;
    must("block", signals::set_mask(one))?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    let mut none = [0_u64];
    let poll = |mask: u64, time: u64| sys::call(libc::SYS_ppoll, [0, 0, time, mask, 8]);
    refused("ppoll", poll(sys::at(&mut none), 0), libc::EINTR)?;
    same("handled", notes(), vec![libc::SIGUSR1 as u64])?;
    same("mask afterwards", signals::mask(), Ok(one))?;
    let mut at_once = [0_u64; 2];
    same(
        "nothing to wait for",
        poll(sys::at(&mut none), sys::at(&mut at_once)),
        Ok(0),
    )?;
    same("mask afterwards", signals::mask(), Ok(one))
}

fn timed_wait(set: u64, info: &mut [i32; 32], ms: u64) -> sys::Result {
    let (mut set, mut time) = ([set], [ms / 1000, ms % 1000 * 1_000_000]);
    let args = [sys::at(&mut set), sys::at(info), sys::at(&mut time), 8];
    sys::call(libc::SYS_rt_sigtimedwait, args)
}

fn sigtimedwait_takes_what_waits() -> Verdict {
    let set = bit(libc::SIGUSR1) | bit(40);
    must("block", signals::set_mask(set))?;
    must("queue", signals::queue(sys::getpid(), 40, 11))?;
    must("queue", signals::queue(sys::getpid(), 40, 12))?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    let mut info = [0_i32; 32];
    same(
        "lowest first",
        timed_wait(set, &mut info, 0),
        Ok(libc::SIGUSR1 as u64),
    )?;
    same("si_code", info[2], -6)?;
    for value in [11, 12] {
        same("then the others", timed_wait(set, &mut info, 0), Ok(40))?;
        same(
            "signo, code, value",
            [info[0], info[2], info[6]],
            [40, -1, value],
        )?;
    }
    refused("then none", timed_wait(set, &mut info, 1), libc::EAGAIN)
}

/// What is waited for is not ignored, though ignoring it is the default.
fn sigtimedwait_takes_what_comes() -> Verdict {
    let mut info = [0_i32; 32];
    let pid = must(
        "fork",
        child::start(|| {
            let _ = sys::sleep_ms(20);
            5
        }),
    )?;
    must("block", signals::set_mask(bit(libc::SIGCHLD)))?;
    let got = timed_wait(bit(libc::SIGCHLD), &mut info, 100_000);
    same("SIGCHLD", got, Ok(libc::SIGCHLD as u64))?;
    same(
        "code, pid, status",
        [info[2], info[4], info[6]],
        [1, pid, 5],
    )?;
    same("wait", child::wait(pid), Ok(Ended::Exited(5)))
}

fn sigtimedwait_refuses_nonsense() -> Verdict {
    let (mut set, mut time) = ([1_u64], [0_u64, 1_000_000_000]);
    let call = |args: [u64; 4]| sys::call(libc::SYS_rt_sigtimedwait, args);
    refused(
        "a bad time",
        call([sys::at(&mut set), 0, sys::at(&mut time), 8]),
        libc::EINVAL,
    )?;
    refused(
        "a bad size",
        call([sys::at(&mut set), 0, 0, 4]),
        libc::EINVAL,
    )?;
    refused("a bad set", call([8, 0, 0, 8]), libc::EFAULT)
}

fn child_is_told_of() -> Verdict {
    fn look(event: &mut Event) {
        note(event.code() as u64);
        note(event.pid() as u64);
        note(event.value() as u64);
    }
    must("install", signals::install(libc::SIGCHLD, look, RESTART, 0))?;
    let pid = must("fork", child::start(|| 7))?;
    same("wait", child::wait(pid), Ok(Ended::Exited(7)))?;
    same("exited", notes(), vec![1, pid as u64, 7])?;
    let pid = must("fork", child::start(|| long_sleep().map_or(0, |_| 0)))?;
    must("kill", signals::kill(pid, libc::SIGKILL))?;
    same("wait", child::wait(pid), Ok(Ended::Killed(libc::SIGKILL)))?;
    same("killed", notes(), vec![2, pid as u64, libc::SIGKILL as u64])
}

fn broken_pipe_is_told_of() -> Verdict {
    must("install", signals::install(libc::SIGPIPE, told, 0, 0))?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    must("close", sys::close(reader))?;
    let mut byte = [1_u8];
    refused(
        "write",
        sys::write(writer, sys::at(&mut byte), 1),
        libc::EPIPE,
    )?;
    same("SIGPIPE", notes(), vec![libc::SIGPIPE as u64])
}

fn sending_is_checked() -> Verdict {
    let pid = sys::getpid();
    refused("no signal 65", signals::kill(pid, 65), libc::EINVAL)?;
    same("signal 0", signals::kill(pid, 0), Ok(0))?;
    refused("nobody", signals::kill(0x3f_fff0, 0), libc::ESRCH)?;
    let tgkill = |group: u64, thread: u64| sys::call(libc::SYS_tgkill, [group, thread, 0]);
    refused("tgkill 0", tgkill(0, pid as u64), libc::EINVAL)?;
    refused("another group's thread", tgkill(1, pid as u64), libc::ESRCH)?;
    refused("tkill 0", sys::call(libc::SYS_tkill, [0, 0]), libc::EINVAL)?;
    let mut info = [0_i32; 32];
    let queue = |pid: i32, info: u64| sys::call(libc::SYS_rt_sigqueueinfo, [pid as u64, 40, info]);
    let parent = sys::getppid();
    refused(
        "pretending to be kill",
        queue(parent, sys::at(&mut info)),
        libc::EPERM,
    )?;
    refused("a bad address", queue(pid, 8), libc::EFAULT)?;
    info[20] = 1;
    info[2] = -10;
    let unknown = queue(parent, sys::at(&mut info));
    refused("an unknown kind with more to say", unknown, libc::E2BIG)?;
    must("block", signals::set_mask(bit(40)))?;
    info[2] = -60;
    same("a known one", queue(pid, sys::at(&mut info)), Ok(0))?;
    same("comes", timed_wait(bit(40), &mut info, 0), Ok(40))?;
    same("without it", [info[2], info[20]], [-60, 0])?;
    info[2] = -1;
    refused("nobody", queue(0x3f_fff0, sys::at(&mut info)), libc::ESRCH)
}

/// EX-3: handlers go, what is ignored stays ignored, the mask and what waits are kept.
fn dispositions_after_exec() -> Verdict {
    let ended = child::run(|| {
        let mut ignore = [1, 0, 0, 0];
        let _ = signals::set_action(libc::SIGUSR2, &mut ignore);
        let _ = signals::install(libc::SIGUSR1, told, 0, 0);
        let _ = signals::set_mask(bit(libc::SIGTERM));
        let _ = signals::raise(libc::SIGTERM);
        let arguments = [c"probe".as_ptr() as u64, c"dispositions".as_ptr() as u64, 0];
        let path = c"/proc/self/exe".as_ptr() as u64;
        let _ = sys::call(libc::SYS_execve, [path, arguments.as_ptr() as u64, 0]);
        1
    });
    same("what the new program finds", ended, Ok(Ended::Exited(15)))
}

/// Says what the program found at its start: a bit for each of the four things that exec does.
pub(crate) fn dispositions() -> i32 {
    let handler = |signal| signals::action(signal).map_or(99, |action| action[0]);
    let found = [
        handler(libc::SIGUSR1) == 0,
        handler(libc::SIGUSR2) == 1,
        signals::mask() == Ok(bit(libc::SIGTERM)),
        signals::pending() == Ok(bit(libc::SIGTERM)),
    ];
    (0..).zip(found).map(|(at, so)| i32::from(so) << at).sum()
}
