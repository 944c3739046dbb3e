//! Transfers through pipes that do not simply succeed: cut short, mixed, of all sizes, through an end opened again.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys::{self, at};

use super::pipe_modes::{fionread, get, put};

pub(crate) const TOPIC: Topic = Topic {
    name: "pipe_transfers",
    about: "pipes: partial and concurrent transfers",
    cases: &[
        ("a_fault_keeps_whole_pages", a_fault_keeps_whole_pages),
        (
            "a_fault_leaves_what_was_not_read",
            a_fault_leaves_what_was_not_read,
        ),
        ("short_writes_are_not_mixed", short_writes_are_not_mixed),
        (
            "a_cut_write_counts_and_signals",
            a_cut_write_counts_and_signals,
        ),
        ("it_opens_again_through_proc", it_opens_again_through_proc),
        ("large_reads_and_writes_meet", large_reads_and_writes_meet),
    ],
};

/// Maps two pages of which only the first may be touched; returns its address.
fn page_and_a_hole() -> Result<u64, String> {
    let (prot, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    );
    let start = must("mmap", sys::mmap(0, 8192, prot, flags, -1, 0))?;
    must(
        "mprotect",
        sys::mprotect(start + 4096, 4096, libc::PROT_NONE),
    )?;
    Ok(start)
}

fn a_fault_keeps_whole_pages() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let start = page_and_a_hole()?;
    same(
        "a page and a hole",
        sys::write(writer, start, 8192),
        Ok(4096),
    )?;
    same("it came", must("read", get(reader, 9000))?.len(), 4096)?;
    refused(
        "half a page and a hole",
        sys::write(writer, start + 2048, 4096),
        libc::EFAULT,
    )?;
    same("nothing came", fionread(reader), Ok(0))?;
    same("bytes", put(writer, 7, 10), Ok(10))?;
    refused(
        "to add to them",
        sys::write(writer, start + 4090, 20),
        libc::EFAULT,
    )?;
    same("they stay", must("read", get(reader, 100))?, vec![7; 10])
}

fn a_fault_leaves_what_was_not_read() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let start = page_and_a_hole()?;
    same("two pages", put(writer, 8, 8192), Ok(8192))?;
    same("room for one", sys::read(reader, start, 8192), Ok(4096))?;
    same("the other stays", fionread(reader), Ok(4096))?;
    refused(
        "room for half",
        sys::read(reader, start + 2048, 4096),
        libc::EFAULT,
    )?;
    same(
        "it stays whole",
        must("read", get(reader, 9000))?,
        vec![8; 4096],
    )
}

/// Several writers of a page each, and a reader of odd lengths: each page is one writer's.
fn short_writes_are_not_mixed() -> Verdict {
    const WRITERS: usize = 4;
    const PAGES: usize = 100;
    let [reader, writer] = must("pipe", sys::pipe())?;
    let mut pids = Vec::new();
    for number in 0..WRITERS {
        pids.push(must(
            "fork",
            child::start(|| {
                let _ = sys::close(reader);
                let written = (0..PAGES).all(|_| put(writer, number as u8 + 1, 4096) == Ok(4096));
                i32::from(!written)
            }),
        )?);
    }
    must("close", sys::close(writer))?;
    let mut all = Vec::new();
    loop {
        let piece = must("read", get(reader, 1 + all.len() % 9001))?;
        if piece.is_empty() {
            break;
        }
        all.extend(piece);
    }
    same("bytes", all.len(), WRITERS * PAGES * 4096)?;
    holds(
        "whole pages",
        all.chunks(4096)
            .all(|page| page.iter().all(|byte| *byte == page[0])),
    )?;
    for pid in pids {
        same(
            "a writer",
            must("wait", child::wait(pid))?,
            Ended::Exited(0),
        )?;
    }
    Ok(())
}

fn a_cut_write_counts_and_signals() -> Verdict {
    let mut mask = 1_u64 << (libc::SIGPIPE - 1);
    must(
        "block",
        sys::call(
            libc::SYS_rt_sigprocmask,
            [libc::SIG_BLOCK as u64, at(&mut mask), 0, 8],
        ),
    )?;
    let mut default = [0_u64; 4];
    must(
        "default",
        sys::call(
            libc::SYS_rt_sigaction,
            [libc::SIGPIPE as u64, at(&mut default), 0, 8],
        ),
    )?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    let pid = must(
        "fork",
        child::start(|| {
            while fionread(reader).is_ok_and(|count| count < 65536) {
                let _ = sys::sleep_ms(1);
            }
            0
        }),
    )?;
    must("close", sys::close(reader))?;
    same("what went in", put(writer, 1, 131_072), Ok(65536))?;
    let mut pending = 0_u64;
    must(
        "pending",
        sys::call(libc::SYS_rt_sigpending, [at(&mut pending), 8]),
    )?;
    same("and the signal", pending & mask, mask)?;
    same(
        "the child",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )
}

fn it_opens_again_through_proc() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let reopen = |fd: i32, flags: i32| {
        let mut path = format!("/proc/self/fd/{fd}\0").into_bytes();
        sys::call(libc::SYS_open, [at(&mut path[..]), flags as u64, 0]).map(|fd| fd as i32)
    };
    // The end that was named does not decide which end is opened.
    let again = must("open to write", reopen(reader, libc::O_WRONLY))?;
    must("close", sys::close(writer))?;
    same("write", put(again, 9, 3), Ok(3))?;
    let other = must("open to read", reopen(again, libc::O_RDONLY))?;
    must("close", sys::close(reader))?;
    same("read", must("read", get(other, 10))?, vec![9; 3])?;
    must("close", sys::close(again))?;
    same("the end", must("read", get(other, 10))?, Vec::new())
}

/// Reads and writes of many sizes against each other: what comes out is what went in.
fn large_reads_and_writes_meet() -> Verdict {
    const SIZES: [usize; 10] = [
        1, 4095, 4096, 4097, 8192, 20_000, 65_535, 65_536, 65_537, 150_000,
    ];
    let [reader, writer] = must("pipe", sys::pipe())?;
    let total: usize = 3 * SIZES.iter().sum::<usize>();
    let pid = must(
        "fork",
        child::start(|| {
            let _ = sys::close(reader);
            let mut at_byte = 0_usize;
            for size in SIZES.iter().cycle().take(3 * SIZES.len()) {
                let mut bytes: Vec<u8> = (at_byte..at_byte + size)
                    .map(|at| (at % 253) as u8)
                    .collect();
                if sys::write(writer, at(&mut bytes[..]), *size as u64) != Ok(*size as u64) {
                    return 1;
                }
                at_byte += size;
            }
            0
        }),
    )?;
    must("close", sys::close(writer))?;
    let (mut got, mut turn) = (0_usize, 0);
    while got < total {
        let bytes = must("read", get(reader, SIZES[(turn * 7) % SIZES.len()]))?;
        let in_order = (got..)
            .zip(&bytes)
            .all(|(at, byte)| *byte == (at % 253) as u8);
        holds("in order", in_order && !bytes.is_empty())?;
        got += bytes.len();
        turn += 1;
    }
    same("the end", must("read", get(reader, 10))?, Vec::new())?;
    same(
        "the child",
        must("wait", child::wait(pid))?,
        Ended::Exited(0),
    )
}
