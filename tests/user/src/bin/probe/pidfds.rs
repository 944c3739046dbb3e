//! Descriptors of processes: told of ends, sending signals, getting at descriptors.

use std::os::fd::AsRawFd;

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, must, refused, same};
use user::signals;
use user::sys;

use crate::relatives::{P_PIDFD, WEXITED, news, waitid};

pub(crate) const TOPIC: Topic = Topic {
    name: "pidfds",
    about: "descriptors of processes",
    cases: &[
        ("a_pidfd_is_told_of_the_end", a_pidfd_is_told_of_the_end),
        ("a_pidfd_sends_signals", a_pidfd_sends_signals),
        ("a_pidfd_gets_descriptors", a_pidfd_gets_descriptors),
        ("clone_makes_pidfds", clone_makes_pidfds),
    ],
};

fn pidfd_open(pid: i32) -> sys::Result<i32> {
    sys::call(libc::SYS_pidfd_open, [pid as u64, 0]).map(|fd| fd as i32)
}

fn polls(fd: i32, ms: i32) -> sys::Result<u32> {
    let mut entry = [fd as u32, libc::POLLIN as u32];
    sys::call(libc::SYS_poll, [sys::at(&mut entry), 1, ms as u64])?;
    Ok(entry[1] >> 16)
}

fn a_pidfd_is_told_of_the_end() -> Verdict {
    let pid = must("fork", child::start_pausing())?;
    let fd = must("pidfd_open", pidfd_open(pid))?;
    same("it lives", polls(fd, 0), Ok(0))?;
    must("kill", signals::kill(pid, libc::SIGKILL))?;
    same("it ended", polls(fd, -1), Ok(libc::POLLIN as u32))?;
    let want = news(libc::CLD_KILLED, pid, libc::SIGKILL);
    same("waitid", waitid(P_PIDFD, fd as u64, WEXITED), Ok(want))?;
    let args = [fd as u64, 0, 0, 0];
    let call = sys::call(libc::SYS_pidfd_send_signal, args);
    refused("it has gone", call, libc::ESRCH)?;
    refused("nobody", pidfd_open(0), libc::EINVAL)?;
    refused("nobody", pidfd_open(pid), libc::ESRCH)
}

fn a_pidfd_sends_signals() -> Verdict {
    let pid = must("fork", child::start_pausing())?;
    let fd = must("pidfd_open", pidfd_open(pid))?;
    let send = |signal: i32, flags: u64| {
        let args = [fd as u64, signal as u64, 0, flags];
        sys::call(libc::SYS_pidfd_send_signal, args)
    };
    same("asking", send(0, 0), Ok(0))?;
    refused("no signal", send(65, 0), libc::EINVAL)?;
    refused("flags", send(0, 16), libc::EINVAL)?;
    same("SIGTERM", send(libc::SIGTERM, 0), Ok(0))?;
    same(
        "it ended",
        child::wait(pid),
        Ok(Ended::Killed(libc::SIGTERM)),
    )?;
    let call = sys::call(libc::SYS_pidfd_send_signal, [1, 0, 0, 0]);
    refused("not a pidfd", call, libc::EBADF)?;
    let directory = |path: &str| {
        let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
        let args = [file.as_raw_fd() as u64, 0, 0, 0];
        Ok::<_, String>(sys::call(libc::SYS_pidfd_send_signal, args))
    };
    same("a directory of a process", directory("/proc/self")?, Ok(0))?;
    refused("of all", directory("/proc")?, libc::EBADF)
}

fn a_pidfd_gets_descriptors() -> Verdict {
    let [read, write] = must("pipe", sys::pipe())?;
    let fd = must("pidfd_open", pidfd_open(sys::getpid()))?;
    let get =
        |there: i32, flags: u64| sys::call(libc::SYS_pidfd_getfd, [fd as u64, there as u64, flags]);
    let copy = must("pidfd_getfd", get(write, 0))? as i32;
    let mut byte = [7_u8];
    same("write", sys::write(copy, sys::at(&mut byte), 1), Ok(1))?;
    same("read", sys::read(read, sys::at(&mut byte), 1), Ok(1))?;
    refused("none there", get(99, 0), libc::EBADF)?;
    refused("flags", get(0, 1), libc::EINVAL)
}

fn clone_makes_pidfds() -> Verdict {
    let mut fd = [-1_i32];
    let flags = libc::CLONE_PIDFD | libc::SIGCHLD;
    let args = [flags as u64, 0, sys::at(&mut fd), 0, 0];
    let pid = match must("clone", sys::call(libc::SYS_clone, args))? {
        0 => sys::exit(9),
        pid => pid as i32,
    };
    same("it ended", polls(fd[0], -1), Ok(libc::POLLIN as u32))?;
    let want = Ok(news(libc::CLD_EXITED, pid, 9));
    same("waitid", waitid(P_PIDFD, fd[0] as u64, WEXITED), want)?;
    same(
        "close-on-exec",
        sys::call(libc::SYS_fcntl, [fd[0] as u64, 1]),
        Ok(1),
    )?;
    let args = [flags as u64, 0, 8, 0, 0];
    let call = sys::call(libc::SYS_clone, args);
    refused("a bad address", call, libc::EFAULT)
}
