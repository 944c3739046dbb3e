//! Pseudo-terminals, and with them what every terminal does: lines, bytes, ends, packets.

use libc::{EAGAIN, EINVAL, EIO, ENOENT, ENOTTY, O_NOCTTY, O_NONBLOCK, O_RDWR};
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys;

use crate::pty::{TIOCGPTN, TIOCSPTLCK, get, ioctl, master, open, pair, read, reads, set, write};

pub(crate) const TOPIC: Topic = Topic {
    name: "terminals",
    about: "pseudo-terminals: lines, raw input, ends, packets",
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
    refused("nobody's terminal", get(end, libc::TIOCGPGRP), ENOTTY)?;
    same("nobody in front", get(master, libc::TIOCGPGRP), Ok(0))?;
    refused("a bad address", ioctl(end, libc::TCGETS, 8), libc::EFAULT)?;
    let [reader, _writer] = must("pipe", sys::pipe())?;
    refused("a pipe", get(reader, libc::TIOCGPGRP), ENOTTY)?;
    holds("a number", must("TIOCGPTN", get(master, TIOCGPTN))? >= 0)
}
