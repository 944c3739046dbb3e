//! Waiting for several files at once: select and poll.

use super::events::{eventfd, give, polled, take};
use user::child::{self, Ended};
use user::probe::{Topic, Verdict, holds, lives, must, refused, same};
use user::sys;

pub(crate) const TOPIC: Topic = Topic {
    name: "selects",
    about: "select, pselect6, ppoll",
    cases: &[
        ("select_tells_what_is_ready", select_tells_what_is_ready),
        ("select_bad_input", select_bad_input),
        ("ppoll_tells_the_rest", ppoll_tells_the_rest),
        ("poll_sees_only_its_files", poll_sees_only_its_files),
    ],
};

fn select(count: u64, sets: [u64; 3], timeout: Option<[u64; 2]>) -> (sys::Result, Vec<u64>) {
    let mut sets = sets.map(|set| [set, 0]);
    let mut time = timeout.unwrap_or_default();
    let at = if timeout.is_some() {
        sys::at(&mut time)
    } else {
        0
    };
    let [read, write, except] = sets.each_mut().map(sys::at);
    let told = sys::call(libc::SYS_select, [count, read, write, except, at]);
    (told, sets.iter().map(|set| set[0]).collect())
}

fn select_tells_what_is_ready() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let (r, w) = (1_u64 << reader, 1_u64 << writer);
    let now = Some([0, 0]);
    same(
        "writable",
        select(64, [r, w, r | w], now),
        (Ok(1), vec![0, w, 0]),
    )?;
    let mut byte = [1_u8];
    must("write", sys::write(writer, sys::at(&mut byte), 1))?;
    same("both", select(64, [r, w, 0], None), (Ok(2), vec![r, w, 0]))?;
    same(
        "beyond the count",
        select(reader as u64, [r, w, 0], now),
        (Ok(0), vec![0, 0, 0]),
    )?;
    must("read", sys::read(reader, sys::at(&mut byte), 1))?;
    must("close", sys::close(writer))?;
    same(
        "an end is readable",
        select(64, [r, 0, 0], None),
        (Ok(1), vec![r, 0, 0]),
    )?;
    let other = must("a file", sys::open(c"/"))?;
    let both = 1_u64 << other;
    same(
        "always ready",
        select(64, [both, both, 0], None),
        (Ok(2), vec![both, both, 0]),
    )?;
    let mut time = [0_u64, 5_000];
    let start = sys::now_ms();
    same(
        "nothing",
        sys::call(libc::SYS_select, [0, 0, 0, 0, sys::at(&mut time)]),
        Ok(0),
    )?;
    holds("it slept", sys::now_ms() - start >= 4)?;
    same("and left no time", time, [0, 0])
}

fn select_bad_input() -> Verdict {
    refused(
        "a negative count",
        select(u64::MAX, [0; 3], None).0,
        libc::EINVAL,
    )?;
    refused(
        "nothing open",
        select(60, [1 << 59, 0, 0], None).0,
        libc::EBADF,
    )?;
    refused(
        "a negative time",
        select(0, [0; 3], Some([u64::MAX, 0])).0,
        libc::EINVAL,
    )?;
    refused(
        "a bad set",
        sys::call(libc::SYS_select, [1, 8, 0, 0, 0]),
        libc::EFAULT,
    )?;
    let mut mask = [0_u64, 0];
    let mut argument = [sys::at(&mut mask), 4];
    let bad_size = [0, 0, 0, 0, 0, sys::at(&mut argument)];
    refused(
        "a bad size",
        sys::call(libc::SYS_pselect6, bad_size),
        libc::EINVAL,
    )
}

fn ppoll_tells_the_rest() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let mut byte = [1_u8];
    must("write", sys::write(writer, sys::at(&mut byte), 1))?;
    let mut asked = reader as u64 | 1 << 32;
    let mut time = [50_u64, 0];
    let args = [sys::at(&mut asked), 1, sys::at(&mut time), 0, 8];
    same("ready", sys::call(libc::SYS_ppoll, args), Ok(1))?;
    holds("some time is left, and some is gone", time[0] == 49)
}

/// A sleep for one file is not ended by another.
fn poll_sees_only_its_files() -> Verdict {
    let [reader, writer] = must("pipe", sys::pipe())?;
    let fd = must("eventfd", eventfd(0, 0))?;
    lives("a poll among changes of others", || {
        let busy = child::start(|| {
            for _ in 0..50 {
                let mut byte = [1_u8];
                let _ = sys::write(writer, sys::at(&mut byte), 1);
                let _ = sys::read(reader, sys::at(&mut byte), 1);
            }
            i32::from(give(fd, 9) != Ok(8))
        });
        let seen = polled(fd, 1, u64::MAX) == Ok(1) && take(fd) == Ok(9);
        let done = busy.and_then(child::wait) == Ok(Ended::Exited(0));
        i32::from(!(seen && done))
    })
}
