//! Job control: whose terminal it is, who is in front, and what becomes of the others.

use libc::{
    EAGAIN, EINVAL, EIO, ENOTTY, ENXIO, EPERM, ESRCH, O_NOCTTY, O_RDWR, SIGHUP, SIGINT, SIGTTIN,
    SIGTTOU, SIGWINCH,
};
use user::child;
use user::probe::{Topic, Verdict, code, lives, must, refused, same};
use user::sys::{self, Errno};

use crate::pty::{TIOCSPTLCK, get, ioctl, master, open, pair, read, reads, set, write};

pub(crate) const TOPIC: Topic = Topic {
    name: "jobs",
    about: "terminals: sessions, foreground and background, hang-ups, window sizes",
    cases: &[
        (
            "an_interrupt_reaches_the_foreground",
            an_interrupt_reaches_the_foreground,
        ),
        ("the_background_is_stopped", the_background_is_stopped),
        (
            "the_deaf_and_the_orphaned_fail",
            the_deaf_and_the_orphaned_fail,
        ),
        ("a_terminal_has_one_session", a_terminal_has_one_session),
        ("a_leaders_end_hangs_up", a_leaders_end_hangs_up),
        (
            "a_window_that_changes_is_told",
            a_window_that_changes_is_told,
        ),
    ],
};

fn an_interrupt_reaches_the_foreground() -> Verdict {
    let work = |own| {
        let job = child::start(|| {
            let _ = setpgid(0, 0);
            loop {
                let _ = sys::sleep_ms(1000);
            }
        });
        let job = must("fork", job)?;
        let _ = setpgid(job, job);
        must("to the front", set(own, libc::TIOCSPGRP, job))?;
        same("who is in front", group_in_front(own), Ok(job))?;
        // Ready: the master may type.
        write_from_background(own)?;
        same(
            "the job",
            must("wait", child::wait(job))?,
            child::Ended::Killed(SIGINT),
        )
    };
    session(work, |master| {
        reads("ready", master, "!")?;
        write(master, "typed\x03")?;
        // What was not read goes with the signal, echoes too.
        reads("the echo", master, "^C")
    })
}

fn the_background_is_stopped() -> Verdict {
    let work = |own| {
        let job = child::start(|| {
            let _ = setpgid(0, 0);
            code(same(
                "read after all",
                read(own),
                Ok("for the job\n".into()),
            ))
        });
        let job = must("fork", job)?;
        let _ = setpgid(job, job);
        let (_, status) = must("wait", sys::wait4(job, libc::WUNTRACED))?;
        same("stopped by", (status & 0xff, status >> 8), (0x7f, SIGTTIN))?;
        must("to the front", set(own, libc::TIOCSPGRP, job))?;
        write_from_background(own)?;
        must(
            "continue",
            sys::call(libc::SYS_kill, [-job as u64, libc::SIGCONT as u64]),
        )?;
        same(
            "the job",
            must("wait", child::wait(job))?,
            child::Ended::Exited(0),
        )?;
        // Now this is the background, and may not change the terminal: it is orphaned.
        refused("change", set(own, libc::TIOCSPGRP, sys::getpid()), ENOTTY)
    };
    session(work, |master| {
        reads("ready", master, "!")?;
        write(master, "for the job\n")
    })
}

fn the_deaf_and_the_orphaned_fail() -> Verdict {
    let work = |own| {
        let job = child::start(|| {
            let _ = setpgid(0, 0);
            code((|| {
                ignore(SIGTTIN)?;
                refused("a deaf reader", read(own), EIO)?;
                ignore(SIGTTOU)?;
                must(
                    "a deaf writer changes",
                    set(own, libc::TIOCSPGRP, sys::getpid()),
                )?;
                same("in front", group_in_front(own), Ok(sys::getpid()))
            })())
        });
        let job = must("fork", job)?;
        same(
            "the job",
            must("wait", child::wait(job))?,
            child::Ended::Exited(0),
        )?;
        // Its group has gone from the front; ours, the leader's, is orphaned.
        refused("an orphaned reader", read(own), EIO)
    };
    session(work, |_| Ok(()))
}

fn a_terminal_has_one_session() -> Verdict {
    let work = |own| {
        let pid = sys::getpid();
        same("the session", get(own, libc::TIOCGSID), Ok(pid))?;
        same("the group in front", group_in_front(own), Ok(pid))?;
        let tty = must("/dev/tty", open("/dev/tty", O_RDWR))?;
        same("the same", get(tty, libc::TIOCGSID), Ok(pid))?;
        must("again", ioctl(own, libc::TIOCSCTTY, 0))?;
        refused("no such group", set(own, libc::TIOCSPGRP, 0x3f_fff0), ESRCH)?;
        refused("no group", set(own, libc::TIOCSPGRP, -5), EINVAL)?;
        lives("another session", || {
            code((|| {
                must("setsid", sys::call(libc::SYS_setsid, []))?;
                refused("no terminal", open("/dev/tty", O_RDWR), ENXIO)?;
                refused("not its own", group_in_front(own), ENOTTY)?;
                refused("taken", ioctl(own, libc::TIOCSCTTY, 0), EPERM)
            })())
        })?;
        ignore(SIGHUP)?;
        must("given up", ioctl(own, libc::TIOCNOTTY, 0))?;
        refused("none", open("/dev/tty", O_RDWR), ENXIO)?;
        must("taken again", ioctl(own, libc::TIOCSCTTY, 0))?;
        Ok(())
    };
    session(work, |_| Ok(()))
}

fn a_leaders_end_hangs_up() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let work = move |own| {
        let job = child::start(|| {
            // It shares the leader's group, which is in front.
            let _ = sys::write(writer, sys::at(&mut [b'1']), 1);
            loop {
                let _ = sys::sleep_ms(1000);
            }
        });
        must("fork", job)?;
        must("the job is there", read(reader))?;
        // Not left to init: who reads learns when the last writer has gone.
        let _ = own;
        Ok(())
    };
    session(work, |_| Ok(()))?;
    must("close", sys::close(writer))?;
    same("the job has gone", read(reader), Ok(String::new()))
}

fn a_window_that_changes_is_told() -> Verdict {
    let (master, end) = pair()?;
    same("a new one", window(end)?, [0; 4])?;
    must(
        "TIOCSWINSZ",
        ioctl(master, libc::TIOCSWINSZ, sys::at(&mut [24_u16, 80, 1, 2])),
    )?;
    same("seen at the end", window(end)?, [24, 80, 1, 2])?;
    let work = |own| {
        must("block", mask(SIGWINCH))?;
        write(own, "!")?;
        same("the signal", wait_for(SIGWINCH), Ok(SIGWINCH as u64))?;
        same("the size", window(own)?, [3, 4, 0, 0])?;
        let again = ioctl(own, libc::TIOCSWINSZ, sys::at(&mut [3_u16, 4, 0, 0]));
        must("the same size", again)?;
        same("is no news", wait_for(SIGWINCH), Err(Errno(EAGAIN)))
    };
    session(work, |master| {
        reads("ready", master, "!")?;
        must(
            "TIOCSWINSZ",
            ioctl(master, libc::TIOCSWINSZ, sys::at(&mut [3_u16, 4, 0, 0])),
        )?;
        Ok(())
    })
}

/// Runs `work` in a session whose terminal is the end of a pair; the parent keeps the master.
fn session(work: impl FnOnce(i32) -> Verdict, parent: impl FnOnce(i32) -> Verdict) -> Verdict {
    let (master, path) = master()?;
    must("unlocking", set(master, TIOCSPTLCK, 0))?;
    // Held open, so that the master does not read an end before the child has begun.
    let _end = must("opening", open(&path, O_RDWR | O_NOCTTY))?;
    let leader = child::start(|| {
        code((|| {
            for signal in [SIGINT, SIGHUP, SIGTTIN, SIGTTOU, SIGWINCH] {
                take(signal, libc::SIG_DFL)?;
            }
            must("setsid", sys::call(libc::SYS_setsid, []))?;
            let own = must("opening", open(&path, O_RDWR))?;
            work(own)
        })())
    });
    let leader = must("fork", leader)?;
    let verdict = parent(master);
    let ended = must("wait", child::wait(leader))?;
    verdict?;
    same("the leader", ended, child::Ended::Exited(0))
}

fn setpgid(pid: i32, group: i32) -> sys::Result {
    sys::call(libc::SYS_setpgid, [pid as u64, group as u64])
}

fn group_in_front(fd: i32) -> sys::Result<i32> {
    get(fd, libc::TIOCGPGRP)
}

/// Writing from the background is allowed unless it is forbidden.
fn write_from_background(own: i32) -> Verdict {
    write(own, "!")
}

fn ignore(signal: i32) -> Result<(), String> {
    take(signal, libc::SIG_IGN)
}

fn take(signal: i32, how: usize) -> Result<(), String> {
    // handler, flags, restorer, mask
    let mut action = [how as u64, 0, 0, 0];
    must(
        "sigaction",
        sys::call(
            libc::SYS_rt_sigaction,
            [signal as u64, sys::at(&mut action), 0, 8],
        ),
    )?;
    Ok(())
}

fn window(fd: i32) -> Result<[u16; 4], String> {
    let mut size = [7_u16; 4];
    must(
        "TIOCGWINSZ",
        ioctl(fd, libc::TIOCGWINSZ, sys::at(&mut size)),
    )?;
    Ok(size)
}

fn mask(signal: i32) -> sys::Result {
    let mut set = 1_u64 << (signal - 1);
    sys::call(
        libc::SYS_rt_sigprocmask,
        [libc::SIG_BLOCK as u64, sys::at(&mut set), 0, 8],
    )
}

/// Takes a blocked signal; it has two seconds to come, the second time none.
fn wait_for(signal: i32) -> sys::Result {
    let mut set = 1_u64 << (signal - 1);
    let mut limit = [0_u64, 200_000_000];
    sys::call(
        libc::SYS_rt_sigtimedwait,
        [sys::at(&mut set), 0, sys::at(&mut limit), 8],
    )
}
