//! Pipes beyond bytes in order: their size, messages, and what poll says.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, must, refused, same};
use user::sys::{self, at};

pub(crate) const TOPIC: Topic = Topic {
    name: "pipe_modes",
    about: "pipes: sizes, packets, readiness",
    cases: &[
        ("sizes_are_powers_of_two", sizes_are_powers_of_two),
        ("a_smaller_size_must_hold_it", a_smaller_size_must_hold_it),
        (
            "a_larger_size_lets_a_writer_go_on",
            a_larger_size_lets_a_writer_go_on,
        ),
        ("short_writes_fill_it_early", short_writes_fill_it_early),
        ("packets_are_read_one_by_one", packets_are_read_one_by_one),
        (
            "packets_come_and_go_with_the_flag",
            packets_come_and_go_with_the_flag,
        ),
        ("fionread_counts_bytes", fionread_counts_bytes),
        ("poll_tells_of_room", poll_tells_of_room),
        ("poll_tells_of_ends", poll_tells_of_ends),
    ],
};

pub(crate) fn fcntl(fd: i32, command: i32, argument: u64) -> sys::Result {
    sys::call(libc::SYS_fcntl, [fd as u64, command as u64, argument])
}

pub(crate) fn pipe2(flags: i32) -> sys::Result<[i32; 2]> {
    let mut ends = [0_i32; 2];
    sys::call(libc::SYS_pipe2, [at(&mut ends), flags as u64])?;
    Ok(ends)
}

/// Asks poll about one descriptor: all events that can be asked for, or that come unasked.
pub(crate) fn poll(fd: i32, timeout: u64) -> sys::Result<i16> {
    let mut asked = libc::pollfd {
        fd,
        events: libc::POLLIN | libc::POLLOUT,
        revents: 0,
    };
    sys::call(libc::SYS_poll, [at(&mut asked), 1, timeout])?;
    Ok(asked.revents)
}

fn size(fd: i32) -> sys::Result {
    fcntl(fd, libc::F_GETPIPE_SZ, 0)
}

fn resize(fd: i32, bytes: u64) -> sys::Result {
    fcntl(fd, libc::F_SETPIPE_SZ, bytes)
}

pub(crate) fn put(fd: i32, byte: u8, len: usize) -> sys::Result {
    let mut bytes = vec![byte; len];
    sys::write(fd, at(&mut bytes[..]), len as u64)
}

pub(crate) fn get(fd: i32, len: usize) -> sys::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let count = sys::read(fd, at(&mut bytes[..]), len as u64)?;
    bytes.truncate(count as usize);
    Ok(bytes)
}

fn sizes_are_powers_of_two() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    same("a new one", size(reader), Ok(65536))?;
    for (wanted, got) in [
        (0, 4096),
        (1, 4096),
        (4096, 4096),
        (4097, 8192),
        (100_000, 131_072),
        (1 << 20, 1 << 20),
    ] {
        same("resized", resize(writer, wanted), Ok(got))?;
        same("and so for both ends", size(reader), Ok(got))?;
    }
    refused(
        "too large for a number",
        resize(writer, (1 << 31) + 1),
        libc::EINVAL,
    )?;
    let null = must("open", sys::open(c"/dev/null"))?;
    refused("no pipe", size(null), libc::EBADF)?;
    refused("no pipe", resize(null, 4096), libc::EBADF)
}

fn a_smaller_size_must_hold_it() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    same("two pages", put(writer, 1, 8192), Ok(8192))?;
    refused("into one", resize(writer, 4096), libc::EBUSY)?;
    same("into two", resize(writer, 8192), Ok(8192))?;
    must(
        "nonblocking",
        fcntl(writer, libc::F_SETFL, libc::O_NONBLOCK as u64),
    )?;
    refused("it is full", put(writer, 2, 1), libc::EAGAIN)?;
    same(
        "what is in it",
        must("read", get(reader, 9000))?.len(),
        8192,
    )?;
    same("now into one", resize(writer, 4096), Ok(4096))?;
    same("which is all it takes", put(writer, 3, 5000), Ok(4096))
}

fn a_larger_size_lets_a_writer_go_on() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    must("resize", resize(writer, 4096))?;
    let pid = must(
        "fork",
        child::start(|| i32::from(put(writer, 5, 8192) != Ok(8192))),
    )?;
    while must("size", fionread(reader))? < 4096 {
        must("sleep", sys::sleep_ms(1))?;
    }
    must("resize", resize(writer, 65536))?;
    same(
        "the writer",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )?;
    same("the bytes", must("read", get(reader, 9000))?, vec![5; 8192])
}

/// A pipe holds buffers: what does not fit behind the last bytes takes one of its own.
fn short_writes_fill_it_early() -> Verdict {
    let [reader, writer] = must("pipe", pipe2(libc::O_NONBLOCK))?;
    for _ in 0..16 {
        same("a byte less than a page", put(writer, 1, 4095), Ok(4095))?;
    }
    refused("two more", put(writer, 2, 2), libc::EAGAIN)?;
    same("one fits", put(writer, 2, 1), Ok(1))?;
    refused("another does not", put(writer, 2, 1), libc::EAGAIN)?;
    same("a byte", must("read", get(reader, 1))?.len(), 1)?;
    refused("makes no room", put(writer, 2, 1), libc::EAGAIN)?;
    same("a page", must("read", get(reader, 4095))?.len(), 4095)?;
    same("does", put(writer, 2, 4096), Ok(4096))
}

fn packets_are_read_one_by_one() -> Verdict {
    let [reader, writer] = must("pipe", pipe2(libc::O_DIRECT))?;
    let flags = must("flags", fcntl(writer, libc::F_GETFL, 0))?;
    same(
        "the flag",
        flags & libc::O_DIRECT as u64,
        libc::O_DIRECT as u64,
    )?;
    same("three bytes", put(writer, 1, 3), Ok(3))?;
    same("five", put(writer, 2, 5), Ok(5))?;
    same("six", put(writer, 3, 6), Ok(6))?;
    same(
        "the first alone",
        must("read", get(reader, 100))?,
        vec![1; 3],
    )?;
    same("the second, cut", must("read", get(reader, 2))?, vec![2; 2])?;
    same(
        "whose rest is lost",
        must("read", get(reader, 100))?,
        vec![3; 6],
    )?;
    same("nothing asked for", get(reader, 0), Ok(Vec::new()))?;
    same("a page and a bit", put(writer, 4, 5000), Ok(5000))?;
    same("is two", must("read", get(reader, 9000))?.len(), 4096)?;
    same("messages", must("read", get(reader, 9000))?.len(), 904)
}

fn packets_come_and_go_with_the_flag() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    must("on", fcntl(writer, libc::F_SETFL, libc::O_DIRECT as u64))?;
    same("a packet", put(writer, 1, 2), Ok(2))?;
    must("off", fcntl(writer, libc::F_SETFL, 0))?;
    same("bytes", put(writer, 2, 3), Ok(3))?;
    must("on", fcntl(writer, libc::F_SETFL, libc::O_DIRECT as u64))?;
    same(
        "what there is room for behind bytes",
        put(writer, 3, 1),
        Ok(1),
    )?;
    same("the packet", must("read", get(reader, 100))?, vec![1, 1])?;
    same(
        "is no packet",
        must("read", get(reader, 100))?,
        vec![2, 2, 2, 3],
    )
}

pub(crate) fn fionread(fd: i32) -> sys::Result<i32> {
    let mut count = -1_i32;
    sys::call(libc::SYS_ioctl, [fd as u64, libc::FIONREAD, at(&mut count)])?;
    Ok(count)
}

fn fionread_counts_bytes() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    same("empty", fionread(reader), Ok(0))?;
    same("write", put(writer, 1, 5000), Ok(5000))?;
    same("from one end", fionread(reader), Ok(5000))?;
    same("and from the other", fionread(writer), Ok(5000))?;
    must("read", get(reader, 4500))?;
    same("the rest", fionread(reader), Ok(500))
}

fn poll_tells_of_room() -> Verdict {
    let [reader, writer] = must("pipe", pipe2(libc::O_NONBLOCK))?;
    same("empty: room", poll(writer, 0), Ok(libc::POLLOUT))?;
    same("empty: no bytes", poll(reader, 0), Ok(0))?;
    same("fill", put(writer, 1, 70_000), Ok(65536))?;
    same("full: no room", poll(writer, 0), Ok(0))?;
    same("full: bytes", poll(reader, 0), Ok(libc::POLLIN))?;
    must("read", get(reader, 4095))?;
    same("a byte less than a buffer", poll(writer, 0), Ok(0))?;
    must("read", get(reader, 1))?;
    same("a buffer", poll(writer, 0), Ok(libc::POLLOUT))
}

fn poll_tells_of_ends() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    same("write", put(writer, 1, 1), Ok(1))?;
    must("close", sys::close(reader))?;
    same(
        "no reader",
        poll(writer, 0),
        Ok(libc::POLLOUT | libc::POLLERR),
    )?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    same("write", put(writer, 1, 1), Ok(1))?;
    must("close", sys::close(writer))?;
    same(
        "no writer, and a byte",
        poll(reader, 0),
        Ok(libc::POLLIN | libc::POLLHUP),
    )?;
    must("read", get(reader, 1))?;
    same("no writer", poll(reader, 0), Ok(libc::POLLHUP))
}
