//! Pseudo-terminals, and with them what every terminal does: lines, signals, job control, ends.

use libc::{
    EAGAIN, EINVAL, EIO, ENOENT, ENOTTY, ENXIO, EPERM, ESRCH, O_NOCTTY, O_NONBLOCK, O_RDWR, SIGHUP,
    SIGINT, SIGTTIN, SIGTTOU, SIGWINCH,
};
use user::child;
use user::probe::{Topic, Verdict, code, holds, lives, must, refused, same};
use user::sys::{self, Errno};

pub(crate) const TOPIC: Topic = Topic {
    name: "terminals",
    about: "pseudo-terminals: lines, raw input, signals, job control, ends",
    cases: &[
        ("lines_are_edited_and_echoed", lines_are_edited_and_echoed),
        ("an_end_of_input_ends_a_read", an_end_of_input_ends_a_read),
        (
            "raw_input_waits_for_bytes_or_time",
            raw_input_waits_for_bytes_or_time,
        ),
        (
            "other_settings_turn_lines_to_bytes",
            other_settings_turn_lines_to_bytes,
        ),
        ("a_locked_end_does_not_open", a_locked_end_does_not_open),
        (
            "the_master_learns_that_the_end_closed",
            the_master_learns_that_the_end_closed,
        ),
        (
            "the_end_is_dead_without_master",
            the_end_is_dead_without_master,
        ),
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
        (
            "packets_tell_of_flushes_and_stops",
            packets_tell_of_flushes_and_stops,
        ),
        ("stopped_output_waits", stopped_output_waits),
        (
            "requests_are_refused_as_on_linux",
            requests_are_refused_as_on_linux,
        ),
    ],
};

const TIOCGPTN: u64 = 0x8004_5430;
const TIOCSPTLCK: u64 = 0x4004_5431;
const TIOCPKT: u64 = 0x5420;
const TIOCGPTPEER: u64 = 0x5441;
const FLUSHREAD: u8 = 1;
const STOP: u8 = 4;
const START: u8 = 8;

/// `struct termios` of the kernel.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Termios {
    flags: [u32; 4],
    line: u8,
    cc: [u8; 19],
}

fn ioctl(fd: i32, request: u64, argument: u64) -> sys::Result {
    sys::call(libc::SYS_ioctl, [fd as u64, request, argument])
}

fn open(path: &str, flags: i32) -> sys::Result<i32> {
    let mut path = [path.as_bytes(), b"\0"].concat();
    sys::call(
        libc::SYS_open,
        [sys::at(path.as_mut_slice()), flags as u64, 0],
    )
    .map(|fd| fd as i32)
}

fn set(fd: i32, request: u64, value: i32) -> sys::Result {
    ioctl(fd, request, sys::at(&mut { value }))
}

fn get(fd: i32, request: u64) -> sys::Result<i32> {
    let mut value = -1_i32;
    ioctl(fd, request, sys::at(&mut value)).map(|_| value)
}

/// Opens a pair: the master, and its end, which becomes nobody's terminal.
fn pair() -> Result<(i32, i32), String> {
    let (master, path) = master()?;
    must("unlocking", set(master, TIOCSPTLCK, 0))?;
    Ok((
        master,
        must("opening the end", open(&path, O_RDWR | O_NOCTTY))?,
    ))
}

fn master() -> Result<(i32, String), String> {
    let master = must("/dev/ptmx", open("/dev/ptmx", O_RDWR | O_NOCTTY))?;
    let number = must("its number", get(master, TIOCGPTN))?;
    Ok((master, format!("/dev/pts/{number}")))
}

fn write(fd: i32, text: &str) -> Result<(), String> {
    let mut bytes = text.as_bytes().to_vec();
    let written = sys::write(fd, sys::at(bytes.as_mut_slice()), bytes.len() as u64);
    same("bytes written", written, Ok(text.len() as u64))
}

/// Reads once.
fn read(fd: i32) -> sys::Result<String> {
    let mut bytes = [0_u8; 256];
    let len = sys::read(fd, sys::at(&mut bytes), 256)?;
    Ok(String::from_utf8_lossy(&bytes[..len as usize]).into_owned())
}

/// Reads until as much came as is wanted.
fn reads(what: &str, fd: i32, want: &str) -> Verdict {
    let mut got = String::new();
    while got.len() < want.len() {
        match must(what, read(fd))? {
            more if more.is_empty() => break,
            more => got += &more,
        }
    }
    same(what, got.as_str(), want)
}

fn settings(fd: i32) -> Result<Termios, String> {
    let mut termios = Termios::default();
    must("TCGETS", ioctl(fd, libc::TCGETS, sys::at(&mut termios)))?;
    Ok(termios)
}

fn change(fd: i32, change: impl FnOnce(&mut Termios)) -> Verdict {
    let mut termios = settings(fd)?;
    change(&mut termios);
    must("TCSETS", ioctl(fd, libc::TCSETS, sys::at(&mut termios)))?;
    Ok(())
}

/// Byte for byte, neither echoed nor edited.
fn make_raw(fd: i32, least: u8, tenths: u8) -> Verdict {
    change(fd, |termios| {
        termios.flags = [0, 0, termios.flags[2], 0];
        termios.cc[libc::VMIN] = least;
        termios.cc[libc::VTIME] = tenths;
    })
}

/// What `poll` says of one file within `ms`.
fn poll(fd: i32, wanted: i16, ms: i32) -> Result<i16, String> {
    let mut entry = libc::pollfd {
        fd,
        events: wanted,
        revents: 0,
    };
    must(
        "poll",
        sys::call(libc::SYS_poll, [sys::at(&mut entry), 1, ms as u64]),
    )?;
    Ok(entry.revents)
}

fn lines_are_edited_and_echoed() -> Verdict {
    let (master, end) = pair()?;
    let termios = settings(end)?;
    same(
        "flags of a new one",
        termios.flags,
        [0x500, 5, 0xbf, 0x8a3b],
    )?;
    write(end, "one\ttwo\n")?;
    reads("what was written", master, "one\ttwo\r\n")?;
    write(master, "abx\x7fc d\x17\x16\x03\r")?;
    reads("the echo", master, "abx\x08 \x08c d\x08 \x08^\x08^C\r\n")?;
    reads("the line", end, "abc \x03\n")?;
    write(master, "gone\x15two\nlines\n")?;
    same("one line", read(end), Ok("two\n".into()))?;
    same("what waits", get(end, libc::FIONREAD), Ok(6))?;
    same("the other", read(end), Ok("lines\n".into()))
}

fn an_end_of_input_ends_a_read() -> Verdict {
    let (master, end) = pair()?;
    write(master, "\x04")?;
    same("at the start of a line", read(end), Ok(String::new()))?;
    write(master, "ab\x04c\n\x04")?;
    same("behind an unfinished one", read(end), Ok("ab".into()))?;
    same("the rest", read(end), Ok("c\n".into()))?;
    same("again at the start", read(end), Ok(String::new()))
}

fn raw_input_waits_for_bytes_or_time() -> Verdict {
    let (master, end) = pair()?;
    make_raw(end, 3, 0)?;
    write(master, "ab")?;
    same("two of three", poll(end, libc::POLLIN, 50)?, 0)?;
    write(master, "c")?;
    same(
        "three of three",
        poll(end, libc::POLLIN, 2000)?,
        libc::POLLIN,
    )?;
    reads("all", end, "abc")?;
    make_raw(end, 0, 0)?;
    same("nothing, at once", read(end), Ok(String::new()))?;
    make_raw(end, 0, 1)?;
    same("nothing, after a time", read(end), Ok(String::new()))?;
    make_raw(end, 5, 1)?;
    write(master, "xy")?;
    same("what came before a pause", read(end), Ok("xy".into()))
}

fn other_settings_turn_lines_to_bytes() -> Verdict {
    let (master, end) = pair()?;
    write(master, "half")?;
    reads("the echo", master, "half")?;
    same("no line yet", poll(end, libc::POLLIN, 0)?, 0)?;
    make_raw(end, 1, 0)?;
    reads("without lines", end, "half")?;
    write(master, "more")?;
    same("more", poll(end, libc::POLLIN, 2000)?, libc::POLLIN)?;
    change(end, |termios| termios.flags[3] |= libc::ICANON)?;
    reads("with lines again", end, "more")
}

fn a_locked_end_does_not_open() -> Verdict {
    let (master, path) = master()?;
    refused("locked", open(&path, O_RDWR | O_NOCTTY), EIO)?;
    must("unlocking", set(master, TIOCSPTLCK, 0))?;
    let end = must("unlocked", open(&path, O_RDWR | O_NOCTTY))?;
    let peer = must(
        "the peer",
        ioctl(master, TIOCGPTPEER, (O_RDWR | O_NOCTTY) as u64),
    )?;
    write(peer as i32, "x")?;
    reads("through the peer", master, "x")?;
    for fd in [end, peer as i32, master] {
        must("close", sys::close(fd))?;
    }
    refused("gone", open(&path, O_RDWR | O_NOCTTY), ENOENT)
}

fn the_master_learns_that_the_end_closed() -> Verdict {
    let (master, path) = master()?;
    must("unlocking", set(master, TIOCSPTLCK, 0))?;
    let end = must("opening", open(&path, O_RDWR | O_NOCTTY))?;
    write(end, "last")?;
    must("close", sys::close(end))?;
    let ready = poll(master, libc::POLLIN, 0)?;
    same("hung up, with data", ready, libc::POLLIN | libc::POLLHUP)?;
    reads("the last words", master, "last")?;
    refused("no more", read(master), EIO)?;
    let end = must("opening again", open(&path, O_RDWR | O_NOCTTY))?;
    write(end, "back")?;
    reads("it is back", master, "back")
}

fn the_end_is_dead_without_master() -> Verdict {
    let (master, end) = pair()?;
    must("close", sys::close(master))?;
    same("end of input", read(end), Ok(String::new()))?;
    refused(
        "nobody reads",
        sys::write(end, sys::at(&mut [0_u8]), 1),
        EIO,
    )?;
    let mut termios = Termios::default();
    refused(
        "settings",
        ioctl(end, libc::TCGETS, sys::at(&mut termios)),
        EIO,
    )?;
    let all = libc::POLLIN | libc::POLLOUT | libc::POLLERR | libc::POLLHUP;
    same("poll", poll(end, libc::POLLIN | libc::POLLOUT, 0)?, all)
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

/// Writing from the background is allowed unless it is forbidden.
fn write_from_background(own: i32) -> Verdict {
    write(own, "!")
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

fn packets_tell_of_flushes_and_stops() -> Verdict {
    let (master, end) = pair()?;
    must("TIOCPKT", set(master, TIOCPKT, 1))?;
    write(end, "data")?;
    same("data", read(master), Ok("\0data".into()))?;
    must("flush", ioctl(end, libc::TCFLSH, libc::TCIFLUSH as u64))?;
    let ready = poll(master, libc::POLLPRI | libc::POLLIN, 0)?;
    same("news", ready, libc::POLLPRI | libc::POLLIN)?;
    same("flushed", read(master), Ok(String::from(FLUSHREAD as char)))?;
    must("stop", ioctl(end, libc::TCXONC, libc::TCOOFF as u64))?;
    same("stopped", read(master), Ok(String::from(STOP as char)))?;
    must("start", ioctl(end, libc::TCXONC, libc::TCOON as u64))?;
    same("started", read(master), Ok(String::from(START as char)))
}

fn stopped_output_waits() -> Verdict {
    let (master, path) = master()?;
    must("unlocking", set(master, TIOCSPTLCK, 0))?;
    let end = must("opening", open(&path, O_RDWR | O_NOCTTY | O_NONBLOCK))?;
    must("stop", ioctl(end, libc::TCXONC, libc::TCOOFF as u64))?;
    refused("stopped", sys::write(end, sys::at(&mut [b'x']), 1), EAGAIN)?;
    same("poll", poll(end, libc::POLLOUT, 0)?, 0)?;
    must("start", ioctl(end, libc::TCXONC, libc::TCOON as u64))?;
    same("poll", poll(end, libc::POLLOUT, 0)?, libc::POLLOUT)?;
    write(end, "on")?;
    reads("it goes on", master, "on")
}

fn requests_are_refused_as_on_linux() -> Verdict {
    let (master, end) = pair()?;
    refused("a bad flush", ioctl(end, libc::TCFLSH, 9), EINVAL)?;
    refused("a bad flow", ioctl(end, libc::TCXONC, 9), EINVAL)?;
    refused("no request", ioctl(end, 0x54ff, 0), ENOTTY)?;
    refused("not at the end", get(end, TIOCGPTN), ENOTTY)?;
    refused("nobody's terminal", group_in_front(end), ENOTTY)?;
    same("nobody in front", group_in_front(master), Ok(0))?;
    refused("a bad address", ioctl(end, libc::TCGETS, 8), libc::EFAULT)?;
    let [reader, _writer] = must("pipe", sys::pipe())?;
    refused("a pipe", get(reader, libc::TIOCGPGRP), ENOTTY)?;
    holds("a number", must("TIOCGPTN", get(master, TIOCGPTN))? >= 0)
}
