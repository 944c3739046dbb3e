//! Bytes from file to file: sendfile, splice, tee, vmsplice, copy_file_range.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, code, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "splices",
    about: "sendfile, splice, tee, vmsplice, copy_file_range",
    cases: &[
        ("sendfile_copies", sendfile_copies),
        ("sendfile_into_a_full_pipe", sendfile_into_a_full_pipe),
        ("splice_through_a_pipe", splice_through_a_pipe),
        ("splice_between_pipes", splice_between_pipes),
        ("tee_shows_and_leaves", tee_shows_and_leaves),
        ("vmsplice_gathers", vmsplice_gathers),
        ("copy_file_range_copies", copy_file_range_copies),
        ("what_moves_is_nobody_elses", what_moves_is_nobody_elses),
        ("what_is_refused_stays", what_is_refused_stays),
        ("bad_input", bad_input),
    ],
};

const NONBLOCK: u64 = 2;
const EMPTY: u64 = 0;

/// A file in memory with these bytes, at its beginning.
fn file(bytes: &[u8]) -> sys::Result<i32> {
    let fd = sys::call(libc::SYS_memfd_create, [c"splices".as_ptr() as u64, 0])? as i32;
    let args = [fd as u64, bytes.as_ptr() as u64, bytes.len() as u64, 0];
    sys::call(libc::SYS_pwrite64, args)?;
    Ok(fd)
}

fn contents(fd: i32) -> sys::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; 200_000];
    let args = [fd as u64, sys::at(&mut bytes[..]), 200_000, 0];
    let count = sys::call(libc::SYS_pread64, args)?;
    bytes.truncate(count as usize);
    Ok(bytes)
}

fn position(fd: i32) -> sys::Result {
    sys::call(libc::SYS_lseek, [fd as u64, 0, libc::SEEK_CUR as u64])
}

fn read(fd: i32, room: usize) -> sys::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; room];
    let count = sys::read(fd, sys::at(&mut bytes[..]), room as u64)?;
    bytes.truncate(count as usize);
    Ok(bytes)
}

fn write(fd: i32, text: &[u8]) -> sys::Result {
    sys::write(fd, text.as_ptr() as u64, text.len() as u64)
}

fn sendfile(out: i32, from: i32, at: u64, count: u64) -> sys::Result {
    sys::call(libc::SYS_sendfile, [out as u64, from as u64, at, count])
}

fn splice(from: i32, from_at: u64, to: i32, to_at: u64, len: u64, flags: u64) -> sys::Result {
    let args = [from as u64, from_at, to as u64, to_at, len, flags];
    sys::call(libc::SYS_splice, args)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// Two who move numbers out of a pipe and one who reads them: each number comes out once.
fn what_moves_is_nobody_elses() -> Verdict {
    const COUNT: u64 = 6000;
    let [reader, writer] = must("pipe", sys::pipe())?;
    let outs = [(); 3].map(|()| must("file", file(b"")));
    let mut children = Vec::new();
    for (at, out) in outs.iter().enumerate() {
        let out = out.clone()?;
        let take = || {
            let _ = sys::close(writer);
            code((|| {
                loop {
                    let len = 8 * (1 + at as u64);
                    let count = match at {
                        0 => {
                            let bytes = must("read", read(reader, len as usize))?;
                            must("write", write(out, &bytes))?
                        }
                        _ => must("splice", splice(reader, 0, out, 0, len, 0))?,
                    };
                    if count == 0 {
                        return Ok(());
                    }
                }
            })())
        };
        children.push(must("fork", child::start(take))?);
    }
    must("close", sys::close(reader))?;
    for first in (0..COUNT).step_by(4) {
        let bytes: Vec<u8> = (first..first + 4).flat_map(u64::to_ne_bytes).collect();
        must("write", write(writer, &bytes))?;
    }
    must("close", sys::close(writer))?;
    for pid in children {
        same("a child", child::wait(pid), Ok(Ended::Exited(0)))?;
    }
    let mut numbers = Vec::new();
    for out in outs {
        let bytes = must("contents", contents(out?))?;
        let (words, rest) = bytes.as_chunks::<8>();
        same("halves of numbers", rest.len(), 0)?;
        numbers.extend(words.iter().map(|word| u64::from_ne_bytes(*word)));
    }
    numbers.sort_unstable();
    same(
        "what came out",
        numbers == (0..COUNT).collect::<Vec<_>>(),
        true,
    )
}

/// What a full file did not take is the first to be read.
fn what_is_refused_stays() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    must("write", write(writer, b"first second"))?;
    must("write", write(writer, b" third"))?;
    let args = [c"sealed".as_ptr() as u64, 2];
    let closed = must("memfd", sys::call(libc::SYS_memfd_create, args))?;
    let seal = [closed, libc::F_ADD_SEALS as u64, libc::F_SEAL_WRITE as u64];
    must("seal", sys::call(libc::SYS_fcntl, seal))?;
    let refused_by = splice(reader, 0, closed as i32, 0, 5, 0);
    refused("sealed", refused_by, libc::EPERM)?;
    let open = must("file", file(b""))?;
    same("five", splice(reader, 0, open, 0, 5, 0), Ok(5))?;
    let refused_by = splice(reader, 0, closed as i32, 0, 100, 0);
    refused("again", refused_by, libc::EPERM)?;
    same("the rest", read(reader, 100), Ok(b" second third".to_vec()))?;
    same("what went", contents(open), Ok(b"first".to_vec()))
}

fn sendfile_copies() -> Verdict {
    let bytes = pattern(100_000);
    let (from, to) = (must("file", file(&bytes))?, must("file", file(b""))?);
    same("half", sendfile(to, from, 0, 50_000), Ok(50_000))?;
    same("it has moved on", position(from), Ok(50_000))?;
    same("up to the end", sendfile(to, from, 0, 1 << 40), Ok(50_000))?;
    same("all of it", contents(to), Ok(bytes.clone()))?;
    same("no more", sendfile(to, from, 0, 9), Ok(0))?;
    let mut at = 99_990_u64;
    same(
        "from elsewhere",
        sendfile(to, from, sys::at(&mut at), 100),
        Ok(10),
    )?;
    same("told where", at, 100_000)?;
    same("and its own place stays", position(from), Ok(100_000))?;
    same("at the end of the other", position(to), Ok(100_010))
}

fn sendfile_into_a_full_pipe() -> Verdict {
    let from = must("file", file(&pattern(200_000)))?;
    let mut ends = [0_i32; 2];
    let nonblock = libc::O_NONBLOCK as u64;
    must(
        "pipe",
        sys::call(libc::SYS_pipe2, [sys::at(&mut ends), nonblock]),
    )?;
    same("what fits", sendfile(ends[1], from, 0, 200_000), Ok(65_536))?;
    same("the rest is there", position(from), Ok(65_536))?;
    refused("none fits", sendfile(ends[1], from, 0, 1), libc::EAGAIN)?;
    same("nothing is lost", position(from), Ok(65_536))?;
    same("what went", read(ends[0], 65_536), Ok(pattern(65_536)))
}

fn splice_through_a_pipe() -> Verdict {
    let bytes = pattern(30_000);
    let (from, to) = (must("file", file(&bytes))?, must("file", file(b""))?);
    let [reader, writer] = must("pipe", sys::pipe())?;
    same(
        "in",
        splice(from, EMPTY, writer, EMPTY, 30_000, 0),
        Ok(30_000),
    )?;
    same(
        "out",
        splice(reader, EMPTY, to, EMPTY, 10_001, 0),
        Ok(10_001),
    )?;
    let mut at = 10_001_u64;
    same(
        "out at a place",
        splice(reader, EMPTY, to, sys::at(&mut at), 1 << 30, 0),
        Ok(19_999),
    )?;
    same("told where", at, 30_000)?;
    same("all of it", contents(to), Ok(bytes))?;
    same("its own place", position(to), Ok(10_001))?;
    refused(
        "empty",
        splice(reader, EMPTY, to, EMPTY, 1, NONBLOCK),
        libc::EAGAIN,
    )?;
    same(
        "past the end",
        splice(from, EMPTY, writer, EMPTY, 9, 0),
        Ok(0),
    )?;
    must("close", sys::close(writer))?;
    same("ended", splice(reader, EMPTY, to, EMPTY, 1, 0), Ok(0))?;
    let mut ends = [0_i32; 2];
    must(
        "pair",
        sys::call(libc::SYS_socketpair, [1, 1, 0, sys::at(&mut ends)]),
    )?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    must("write", write(writer, b"to a socket"))?;
    same(
        "to a socket",
        splice(reader, EMPTY, ends[0], EMPTY, 99, 0),
        Ok(11),
    )?;
    same(
        "from a socket",
        splice(ends[1], EMPTY, writer, EMPTY, 99, 0),
        Ok(11),
    )?;
    same(
        "what came back",
        read(reader, 99),
        Ok(b"to a socket".to_vec()),
    )
}

fn splice_between_pipes() -> Verdict {
    let ([a, b], [c, d]) = (must("pipe", sys::pipe())?, must("pipe", sys::pipe())?);
    must("write", write(b, b"hello world"))?;
    same("a part", splice(a, EMPTY, d, EMPTY, 5, 0), Ok(5))?;
    same("the rest", splice(a, EMPTY, d, EMPTY, 99, 0), Ok(6))?;
    same("in order", read(c, 99), Ok(b"hello world".to_vec()))?;
    refused(
        "nothing",
        splice(a, EMPTY, d, EMPTY, 1, NONBLOCK),
        libc::EAGAIN,
    )?;
    must("write", write(b, b"x"))?;
    must("close", sys::close(c))?;
    refused(
        "nobody reads",
        splice(a, EMPTY, d, EMPTY, 1, 0),
        libc::EPIPE,
    )
}

fn tee_shows_and_leaves() -> Verdict {
    let ([a, b], [c, d]) = (must("pipe", sys::pipe())?, must("pipe", sys::pipe())?);
    must("write", write(b, b"hello world"))?;
    let tee =
        |from: i32, to: i32, len| sys::call(libc::SYS_tee, [from as u64, to as u64, len, NONBLOCK]);
    same("a part", tee(a, d, 5), Ok(5))?;
    same("shown", read(c, 99), Ok(b"hello".to_vec()))?;
    must("write", write(d, b"before "))?;
    same("all", tee(a, d, 99), Ok(11))?;
    must("write", write(b, b"!"))?;
    same("still there", read(a, 99), Ok(b"hello world!".to_vec()))?;
    same("and shown", read(c, 99), Ok(b"before hello world".to_vec()))?;
    refused("nothing", tee(a, d, 9), libc::EAGAIN)?;
    refused("to itself", tee(a, b, 9), libc::EINVAL)
}

fn vmsplice_gathers() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let (mut first, mut second) = (*b"one ", *b"two");
    let mut vector = [sys::at(&mut first), 4, sys::at(&mut second), 3];
    let call =
        |fd: i32, at: u64, flags: u64| sys::call(libc::SYS_vmsplice, [fd as u64, at, 2, flags]);
    same("in", call(writer, sys::at(&mut vector), 0), Ok(7))?;
    let mut back = [0_u8; 7];
    let mut vector = [sys::at(&mut back), 2, sys::at(&mut back[2..]), 5];
    same("out", call(reader, sys::at(&mut vector), 0), Ok(7))?;
    same("the bytes", &back, b"one two")?;
    refused(
        "nothing",
        call(reader, sys::at(&mut vector), NONBLOCK),
        libc::EAGAIN,
    )?;
    let other = must("file", file(b""))?;
    refused("no pipe", call(other, sys::at(&mut vector), 0), libc::EBADF)
}

fn copy_range(from: i32, from_at: u64, to: i32, to_at: u64, len: u64, flags: u64) -> sys::Result {
    let args = [from as u64, from_at, to as u64, to_at, len, flags];
    sys::call(libc::SYS_copy_file_range, args)
}

fn copy_file_range_copies() -> Verdict {
    let bytes = pattern(20_000);
    let (from, to) = (must("file", file(&bytes))?, must("file", file(b""))?);
    same("all", copy_range(from, 0, to, 0, 1 << 40, 0), Ok(20_000))?;
    same("the same", contents(to), Ok(bytes.clone()))?;
    same(
        "moved on",
        [position(from), position(to)],
        [Ok(20_000), Ok(20_000)],
    )?;
    let (mut source, mut target) = (100_u64, 25_000_u64);
    let places = [sys::at(&mut source), sys::at(&mut target)];
    same(
        "elsewhere",
        copy_range(from, places[0], to, places[1], 50, 0),
        Ok(50),
    )?;
    same("told", [source, target], [150, 25_050])?;
    let copied = must("contents", contents(to))?;
    same(
        "a hole, then these",
        (copied.len(), &copied[25_000..]),
        (25_050, &bytes[100..150]),
    )?;
    let (mut source, mut target) = (0_u64, 10_u64);
    let places = [sys::at(&mut source), sys::at(&mut target)];
    refused(
        "onto itself",
        copy_range(from, places[0], from, places[1], 11, 0),
        libc::EINVAL,
    )?;
    same(
        "beside itself",
        copy_range(from, places[0], from, places[1], 10, 0),
        Ok(10),
    )?;
    refused("flags", copy_range(from, 0, to, 0, 1, 1), libc::EINVAL)?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    refused("a pipe", copy_range(reader, 0, to, 0, 1, 0), libc::EINVAL)?;
    refused("a pipe", copy_range(from, 0, writer, 0, 1, 0), libc::EINVAL)?;
    let root = must("open", sys::open(c"/"))?;
    refused(
        "a directory",
        copy_range(root, 0, to, 0, 1, 0),
        libc::EISDIR,
    )
}

fn bad_input() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let fd = must("file", file(b"bytes"))?;
    let mut at = 0_u64;
    refused("no pipe", splice(fd, EMPTY, fd, EMPTY, 1, 0), libc::EINVAL)?;
    refused(
        "one pipe twice",
        splice(reader, EMPTY, writer, EMPTY, 1, 0),
        libc::EINVAL,
    )?;
    refused(
        "a place in a pipe",
        splice(reader, sys::at(&mut at), fd, EMPTY, 1, 0),
        libc::ESPIPE,
    )?;
    refused(
        "the wrong end",
        splice(writer, EMPTY, fd, EMPTY, 1, 0),
        libc::EBADF,
    )?;
    refused(
        "the wrong end",
        splice(fd, EMPTY, reader, EMPTY, 1, 0),
        libc::EBADF,
    )?;
    refused(
        "flags",
        splice(fd, EMPTY, writer, EMPTY, 1, 16),
        libc::EINVAL,
    )?;
    same("nothing asked", splice(fd, EMPTY, 99, EMPTY, 0, 0), Ok(0))?;
    refused(
        "no descriptor",
        splice(fd, EMPTY, 99, EMPTY, 1, 0),
        libc::EBADF,
    )?;
    refused("from a pipe", sendfile(fd, reader, 0, 1), libc::EINVAL)?;
    at = u64::MAX;
    refused(
        "a negative place",
        sendfile(fd, fd, sys::at(&mut at), 1),
        libc::EINVAL,
    )?;
    refused("a bad place", sendfile(fd, fd, 8, 1), libc::EFAULT)?;
    let append = libc::O_APPEND as u64;
    must(
        "append",
        sys::call(libc::SYS_fcntl, [fd as u64, libc::F_SETFL as u64, append]),
    )?;
    must("write", write(writer, b"x"))?;
    refused(
        "a file that appends",
        splice(reader, EMPTY, fd, EMPTY, 1, 0),
        libc::EINVAL,
    )
}
