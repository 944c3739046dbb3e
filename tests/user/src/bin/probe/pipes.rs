//! Pipes: bytes in order, ends, blocking, and the calls that gather, duplicate and poll.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, dies, holds, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "pipes",
    about: "pipes, duplicates, gathered writes, poll",
    cases: &[
        ("pipe_carries_bytes", pipe_carries_bytes),
        ("pipe_ends", pipe_ends),
        ("pipe_without_reader_kills", pipe_without_reader_kills),
        ("pipe_blocks_until_written", pipe_blocks_until_written),
        ("pipe_holds_64_kib", pipe_holds_64_kib),
        ("pipe_carries_a_megabyte", pipe_carries_a_megabyte),
        ("writev_gathers", writev_gathers),
        ("dup_and_close", dup_and_close),
        ("poll_tells_what_is_ready", poll_tells_what_is_ready),
        ("packets_stay_apart", packets_stay_apart),
        ("streams_run_both_ways", streams_run_both_ways),
    ],
};

fn pipe_carries_bytes() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let mut text = *b"through a pipe";
    same("write", sys::write(writer, sys::at(&mut text), 14), Ok(14))?;
    let mut back = [0_u8; 64];
    same(
        "a short read",
        sys::read(reader, sys::at(&mut back), 8),
        Ok(8),
    )?;
    same(
        "the rest",
        sys::read(reader, sys::at(&mut back[8..]), 56),
        Ok(6),
    )?;
    same("the bytes", &back[..14], &text[..])
}

fn pipe_ends() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let mut byte = [1_u8];
    must("write", sys::write(writer, sys::at(&mut byte), 1))?;
    must("close", sys::close(writer))?;
    same(
        "what was left",
        sys::read(reader, sys::at(&mut byte), 1),
        Ok(1),
    )?;
    same(
        "then the end",
        sys::read(reader, sys::at(&mut byte), 1),
        Ok(0),
    )
}

fn pipe_without_reader_kills() -> Verdict {
    dies("a write nobody will read", libc::SIGPIPE, || {
        // Rust's start ignores SIGPIPE; a program that does not dies of it.
        let mut default = [0_u64; 4];
        let _ = sys::call(
            libc::SYS_rt_sigaction,
            [libc::SIGPIPE as u64, sys::at(&mut default), 0, 8],
        );
        let Ok([reader, writer]) = sys::pipe() else {
            return 1;
        };
        let _ = sys::close(reader);
        let mut byte = [1_u8];
        sys::write(writer, sys::at(&mut byte), 1).map_or(2, |_| 3)
    })?;
    lives("ignored, it is EPIPE", || {
        let Ok([reader, writer]) = sys::pipe() else {
            return 1;
        };
        let _ = sys::close(reader);
        let mut byte = [1_u8];
        i32::from(sys::write(writer, sys::at(&mut byte), 1) != Err(sys::Errno(libc::EPIPE)))
    })
}

fn pipe_blocks_until_written() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let pid = must(
        "fork",
        child::start(|| {
            let _ = sys::sleep_ms(60);
            let mut byte = [42_u8];
            i32::from(sys::write(writer, sys::at(&mut byte), 1) != Ok(1))
        }),
    )?;
    let start = sys::now_ms();
    let mut byte = [0_u8];
    same("read", sys::read(reader, sys::at(&mut byte), 1), Ok(1))?;
    holds("it waited", sys::now_ms() - start >= 50)?;
    same("the byte", byte[0], 42)?;
    same(
        "the child",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )
}

/// A writer may put 64 KiB into an empty pipe without anyone reading.
fn pipe_holds_64_kib() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let mut chunk = vec![7_u8; 65536];
    same(
        "write",
        sys::write(writer, sys::at(&mut chunk[..]), 65536),
        Ok(65536),
    )?;
    chunk.fill(0);
    let mut got = 0;
    while got < 65536 {
        got += must(
            "read",
            sys::read(reader, sys::at(&mut chunk[got as usize..]), 65536 - got),
        )?;
    }
    holds("all of it", chunk.iter().all(|byte| *byte == 7))
}

fn pipe_carries_a_megabyte() -> Verdict {
    const SIZE: usize = 1 << 20;
    let [reader, writer] = must("pipe", sys::pipe())?;
    let pid = must(
        "fork",
        child::start(|| {
            let _ = sys::close(reader);
            let mut bytes: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
            let mut sent = 0;
            while sent < SIZE {
                match sys::write(writer, sys::at(&mut bytes[sent..]), (SIZE - sent) as u64) {
                    Ok(count) => sent += count as usize,
                    Err(_) => return 1,
                }
            }
            0
        }),
    )?;
    must("close", sys::close(writer))?;
    let (mut room, mut got) = ([0_u8; 3000], 0);
    loop {
        let count = must("read", sys::read(reader, sys::at(&mut room), 3000))? as usize;
        if count == 0 {
            break;
        }
        holds(
            "in order",
            (0..count).all(|at| room[at] == ((got + at) % 251) as u8),
        )?;
        got += count;
    }
    same("bytes", got, SIZE)?;
    same(
        "the child",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )
}

fn writev_gathers() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let (mut first, mut second) = (*b"one ", *b"two");
    let mut vector = [sys::at(&mut first), 4, 0, 0, sys::at(&mut second), 3];
    let writev = |count| [writer as u64, vector.as_mut_ptr() as u64, count];
    let mut args = writev;
    same("writev", sys::call(libc::SYS_writev, args(3)), Ok(7))?;
    let mut back = [0_u8; 16];
    same("read", sys::read(reader, sys::at(&mut back), 16), Ok(7))?;
    same("the bytes", &back[..7], b"one two")?;
    same(
        "an empty vector",
        sys::call(libc::SYS_writev, args(0)),
        Ok(0),
    )?;
    refused(
        "too many parts",
        sys::call(libc::SYS_writev, args(1025)),
        libc::EINVAL,
    )
}

fn dup_and_close() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let twin = must("dup", sys::call(libc::SYS_dup, [writer as u64]))?;
    must("close", sys::close(writer))?;
    let mut byte = [9_u8];
    same(
        "write to the twin",
        sys::write(twin as i32, sys::at(&mut byte), 1),
        Ok(1),
    )?;
    same("dup2", sys::call(libc::SYS_dup2, [twin, 40]), Ok(40))?;
    must("close", sys::close(twin as i32))?;
    same(
        "write to the third",
        sys::write(40, sys::at(&mut byte), 1),
        Ok(1),
    )?;
    must("close", sys::close(40))?;
    let mut back = [0_u8; 4];
    same("read", sys::read(reader, sys::at(&mut back), 4), Ok(2))?;
    same("the end", sys::read(reader, sys::at(&mut back), 4), Ok(0))?;
    refused(
        "dup of nothing",
        sys::call(libc::SYS_dup, [writer as u64]),
        libc::EBADF,
    )
}

fn poll_tells_what_is_ready() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let mut asked = [reader as u64 | 1 << 32, writer as u64 | 4 << 32];
    let mut poll = |timeout: u64| {
        let count = sys::call(libc::SYS_poll, [sys::at(&mut asked), 2, timeout]);
        (count, [(asked[0] >> 48) as u16, (asked[1] >> 48) as u16])
    };
    same("empty: only writable", poll(0), (Ok(1), [0, 4]))?;
    let mut byte = [1_u8];
    must("write", sys::write(writer, sys::at(&mut byte), 1))?;
    same("one byte: both", poll(1000), (Ok(2), [1, 4]))?;
    must("close", sys::close(writer))?;
    same(
        "closed: hung up, and no descriptor",
        poll(0),
        (Ok(2), [0x11, 0x20]),
    )
}

/// A pair of connected sockets of this type.
fn sockets(kind: i32) -> sys::Result<[i32; 2]> {
    let mut ends = [0_i32; 2];
    let (domain, kind) = (libc::AF_UNIX as u64, kind as u64);
    sys::call(libc::SYS_socketpair, [domain, kind, 0, sys::at(&mut ends)])?;
    Ok(ends)
}

/// Rust's `Command` learns this way whether its child could exec.
fn packets_stay_apart() -> Verdict {
    let [a, b] = must("socketpair", sockets(libc::SOCK_SEQPACKET))?;
    let mut text = *b"onetwo";
    same("a packet", sys::write(a, sys::at(&mut text[..3]), 3), Ok(3))?;
    same("another", sys::write(a, sys::at(&mut text[3..]), 3), Ok(3))?;
    let mut back = [0_u8; 8];
    let mut read = |room| sys::read(b, sys::at(&mut back), room);
    same("the first, cut", read(2), Ok(2))?;
    same("the second, whole", read(8), Ok(3))?;
    same("its bytes", &back[..3], b"two")?;
    must("close", sys::close(a))?;
    same("the end", sys::read(b, sys::at(&mut back), 8), Ok(0))
}

fn streams_run_both_ways() -> Verdict {
    let [a, b] = must("socketpair", sockets(libc::SOCK_STREAM))?;
    let mut byte = [7_u8];
    same("there", sys::write(a, sys::at(&mut byte), 1), Ok(1))?;
    same("and back", sys::write(b, sys::at(&mut byte), 1), Ok(1))?;
    same("arrives", sys::read(a, sys::at(&mut byte), 1), Ok(1))?;
    same("arrives", sys::read(b, sys::at(&mut byte), 1), Ok(1))?;
    must("close", sys::close(b))?;
    same("the end", sys::read(a, sys::at(&mut byte), 1), Ok(0))
}
