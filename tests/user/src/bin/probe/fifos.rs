//! FIFOs: pipes that have a name. Who waits for whom when one is opened, and what lies where afterwards.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, must, refused, same};
use user::signals;
use user::sys::{self, at};

use super::pipe_modes::{fcntl, poll};

pub(crate) const TOPIC: Topic = Topic {
    name: "fifos",
    about: "FIFOs: made, opened, waited for",
    cases: &[
        ("a_fifo_is_a_file", a_fifo_is_a_file),
        (
            "a_writer_that_does_not_wait_needs_a_reader",
            a_writer_that_does_not_wait_needs_a_reader,
        ),
        (
            "a_reader_that_does_not_wait_sees_the_end",
            a_reader_that_does_not_wait_sees_the_end,
        ),
        ("a_reader_waits_for_a_writer", a_reader_waits_for_a_writer),
        ("a_writer_waits_for_a_reader", a_writer_waits_for_a_reader),
        (
            "both_ends_at_once_wait_for_nobody",
            both_ends_at_once_wait_for_nobody,
        ),
        ("a_signal_ends_the_wait", a_signal_ends_the_wait),
        (
            "what_nobody_has_open_is_empty",
            what_nobody_has_open_is_empty,
        ),
        ("it_outlives_its_name", it_outlives_its_name),
        ("what_a_fifo_cannot_do", what_a_fifo_cannot_do),
    ],
};

const RDONLY: i32 = libc::O_RDONLY;
const WRONLY: i32 = libc::O_WRONLY;
const NONBLOCK: i32 = libc::O_NONBLOCK;

/// Makes a FIFO with a name of the case's own.
fn make(name: &str) -> Result<Vec<u8>, String> {
    let mut path = format!("/tmp/probe-fifo-{name}-{}\0", sys::getpid()).into_bytes();
    let _ = sys::call(libc::SYS_unlink, [at(&mut path[..])]);
    let mode = u64::from(libc::S_IFIFO | 0o600);
    must(
        "mknod",
        sys::call(libc::SYS_mknod, [at(&mut path[..]), mode, 0]),
    )?;
    Ok(path)
}

fn open(path: &mut [u8], flags: i32) -> sys::Result<i32> {
    sys::call(libc::SYS_open, [at(path), flags as u64, 0]).map(|fd| fd as i32)
}

fn remove(path: &mut [u8]) -> Verdict {
    must("unlink", sys::call(libc::SYS_unlink, [at(path)])).map(|_| ())
}

fn put(fd: i32, byte: u8) -> sys::Result {
    let mut byte = [byte];
    sys::write(fd, at(&mut byte), 1)
}

fn get(fd: i32) -> sys::Result<Option<u8>> {
    let mut byte = [0];
    sys::read(fd, at(&mut byte), 1).map(|count| (count == 1).then_some(byte[0]))
}

fn a_fifo_is_a_file() -> Verdict {
    let mut path = make("file")?;
    let mut stat = [0_u64; 18];
    must(
        "stat",
        sys::call(libc::SYS_stat, [at(&mut path[..]), at(&mut stat)]),
    )?;
    same("its mode", stat[3] as u32, libc::S_IFIFO | 0o600)?;
    same("its size", stat[6], 0)?;
    let mode = u64::from(libc::S_IFIFO | 0o600);
    refused(
        "made again",
        sys::call(libc::SYS_mknod, [at(&mut path[..]), mode, 0]),
        libc::EEXIST,
    )?;
    let flags = RDONLY | libc::O_CREAT | libc::O_EXCL;
    refused("made as a file", open(&mut path, flags), libc::EEXIST)?;
    refused(
        "as a directory",
        open(&mut path, RDONLY | libc::O_DIRECTORY),
        libc::ENOTDIR,
    )?;
    refused("for nothing", open(&mut path, 3), libc::EINVAL)?;
    let fd = must(
        "created, truncated",
        open(&mut path, libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC),
    )?;
    must("close", sys::close(fd))?;
    remove(&mut path)
}

fn a_writer_that_does_not_wait_needs_a_reader() -> Verdict {
    let mut path = make("writer")?;
    refused(
        "nobody reads",
        open(&mut path, WRONLY | NONBLOCK),
        libc::ENXIO,
    )?;
    let reader = must("a reader", open(&mut path, RDONLY | NONBLOCK))?;
    let writer = must("a writer", open(&mut path, WRONLY | NONBLOCK))?;
    same("write", put(writer, 5), Ok(1))?;
    same("read", get(reader), Ok(Some(5)))?;
    refused("nothing left", get(reader), libc::EAGAIN)?;
    remove(&mut path)
}

fn a_reader_that_does_not_wait_sees_the_end() -> Verdict {
    let mut path = make("reader")?;
    let reader = must("open", open(&mut path, RDONLY | NONBLOCK))?;
    same("nobody writes", get(reader), Ok(None))?;
    same("and nobody has hung up", poll(reader, 0), Ok(0))?;
    let writer = must("a writer", open(&mut path, WRONLY))?;
    same("now there is one", poll(reader, 0), Ok(0))?;
    refused("who may write", get(reader), libc::EAGAIN)?;
    must("close", sys::close(writer))?;
    same("he has hung up", poll(reader, 0), Ok(libc::POLLHUP))?;
    same("the end", get(reader), Ok(None))?;
    let writer = must("another", open(&mut path, WRONLY))?;
    same("begins anew", poll(reader, 0), Ok(0))?;
    must("close", sys::close(reader))?;
    same(
        "nobody reads",
        poll(writer, 0),
        Ok(libc::POLLOUT | libc::POLLERR),
    )?;
    remove(&mut path)
}

fn a_reader_waits_for_a_writer() -> Verdict {
    let mut path = make("waits")?;
    let pid = must(
        "fork",
        child::start(|| {
            let _ = sys::sleep_ms(30);
            // Opened, written and closed before the reader may have run.
            let Ok(writer) = open(&mut path.clone(), WRONLY) else {
                return 1;
            };
            i32::from(put(writer, 6) != Ok(1))
        }),
    )?;
    let reader = must("open", open(&mut path, RDONLY))?;
    same("read", get(reader), Ok(Some(6)))?;
    same("the end", get(reader), Ok(None))?;
    same(
        "the writer",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )?;
    remove(&mut path)
}

fn a_writer_waits_for_a_reader() -> Verdict {
    let mut path = make("waited")?;
    let pid = must(
        "fork",
        child::start(|| {
            let _ = sys::sleep_ms(30);
            let Ok(reader) = open(&mut path.clone(), RDONLY) else {
                return 1;
            };
            i32::from(get(reader) != Ok(Some(7)))
        }),
    )?;
    let writer = must("open", open(&mut path, WRONLY))?;
    same("write", put(writer, 7), Ok(1))?;
    same(
        "the reader",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )?;
    remove(&mut path)
}

fn both_ends_at_once_wait_for_nobody() -> Verdict {
    let mut path = make("both")?;
    let both = must("open", open(&mut path, libc::O_RDWR))?;
    same("write", put(both, 8), Ok(1))?;
    same(
        "ready for both",
        poll(both, 0),
        Ok(libc::POLLIN | libc::POLLOUT),
    )?;
    same("read", get(both), Ok(Some(8)))?;
    must("nonblocking", fcntl(both, libc::F_SETFL, NONBLOCK as u64))?;
    refused("there is a writer: oneself", get(both), libc::EAGAIN)?;
    let writer = must(
        "a writer finds a reader",
        open(&mut path, WRONLY | NONBLOCK),
    )?;
    same("write", put(writer, 9), Ok(1))?;
    same("read", get(both), Ok(Some(9)))?;
    remove(&mut path)
}

fn a_signal_ends_the_wait() -> Verdict {
    let mut path = make("signal")?;
    let parent = sys::getpid();
    let ended = child::run(|| {
        if signals::install(libc::SIGUSR1, |_| (), 0, 0).is_err() {
            return 2;
        }
        let me = sys::getpid();
        let Ok(pid) = child::start(|| {
            // Again and again: the first may come before the wait has begun.
            loop {
                let _ = sys::sleep_ms(10);
                if sys::getppid() != me
                    || sys::call(libc::SYS_kill, [me as u64, libc::SIGUSR1 as u64]).is_err()
                {
                    return 0;
                }
            }
        }) else {
            return 3;
        };
        let outcome = open(&mut path.clone(), RDONLY);
        let _ = sys::call(libc::SYS_kill, [pid as u64, libc::SIGKILL as u64]);
        i32::from(outcome != Err(sys::Errno(libc::EINTR)))
    });
    same("interrupted", must("run", ended)?, Ended::Exited(0))?;
    same("the same process", sys::getpid(), parent)?;
    refused(
        "no reader was left behind",
        open(&mut path, WRONLY | NONBLOCK),
        libc::ENXIO,
    )?;
    remove(&mut path)
}

fn what_nobody_has_open_is_empty() -> Verdict {
    let mut path = make("empty")?;
    let both = must("open", open(&mut path, libc::O_RDWR))?;
    same("write", put(both, 1), Ok(1))?;
    same(
        "as small as can be",
        fcntl(both, libc::F_SETPIPE_SZ, 1),
        Ok(4096),
    )?;
    must("close", sys::close(both))?;
    let both = must("open", open(&mut path, libc::O_RDWR | NONBLOCK))?;
    refused("the byte has gone", get(both), libc::EAGAIN)?;
    same(
        "and the size",
        fcntl(both, libc::F_GETPIPE_SZ, 0),
        Ok(65536),
    )?;
    remove(&mut path)
}

fn it_outlives_its_name() -> Verdict {
    let mut path = make("name")?;
    let both = must("open", open(&mut path, libc::O_RDWR))?;
    remove(&mut path)?;
    same("write", put(both, 3), Ok(1))?;
    same("read", get(both), Ok(Some(3)))?;
    refused("no name", open(&mut path, RDONLY), libc::ENOENT)
}

fn what_a_fifo_cannot_do() -> Verdict {
    let mut path = make("cannot")?;
    let both = must("open", open(&mut path, libc::O_RDWR))? as u64;
    let mut byte = [0_u8];
    let buf = at(&mut byte);
    for (what, number, args, errno) in [
        (
            "lseek",
            libc::SYS_lseek,
            [both, 0, 0, 0, 0, 0],
            libc::ESPIPE,
        ),
        (
            "pread",
            libc::SYS_pread64,
            [both, buf, 1, 0, 0, 0],
            libc::ESPIPE,
        ),
        (
            "pwrite",
            libc::SYS_pwrite64,
            [both, buf, 1, 0, 0, 0],
            libc::ESPIPE,
        ),
        (
            "ftruncate",
            libc::SYS_ftruncate,
            [both, 0, 0, 0, 0, 0],
            libc::EINVAL,
        ),
        (
            "truncate",
            libc::SYS_truncate,
            [at(&mut path[..]), 0, 0, 0, 0, 0],
            libc::EINVAL,
        ),
        (
            "fsync",
            libc::SYS_fsync,
            [both, 0, 0, 0, 0, 0],
            libc::EINVAL,
        ),
        (
            "mmap",
            libc::SYS_mmap,
            [0, 4096, 1, libc::MAP_PRIVATE as u64, both, 0],
            libc::ENODEV,
        ),
        (
            "getdents",
            libc::SYS_getdents64,
            [both, buf, 1, 0, 0, 0],
            libc::ENOTDIR,
        ),
    ] {
        refused(what, sys::call(number, args), errno)?;
    }
    remove(&mut path)
}
