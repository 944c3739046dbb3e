//! Epoll: by level, by edge, once, exclusively; files that go while they are watched; epolls in epolls.

use std::sync::atomic::{AtomicU32, Ordering};

use super::events::{eventfd, give, polled, take};
use user::child::{self, Ended};
use user::probe::{Topic, Verdict, holds, must, refused, same};
use user::sys;
use user::threads::{Helper, THREAD};

pub(crate) const TOPIC: Topic = Topic {
    name: "epolls",
    about: "epoll: levels, edges, nesting, files that go",
    cases: &[
        ("by_level", by_level),
        ("by_edge", by_edge),
        ("once", once),
        ("bad_input", bad_input),
        ("change_looks_again", change_looks_again),
        ("a_closed_file_is_forgotten", a_closed_file_is_forgotten),
        ("a_duplicate_keeps_it", a_duplicate_keeps_it),
        ("the_same_file_twice", the_same_file_twice),
        ("each_gets_its_turn", each_gets_its_turn),
        ("epolls_nest", epolls_nest),
        ("epolls_nest_no_deeper", epolls_nest_no_deeper),
        ("a_bad_buffer_loses_nothing", a_bad_buffer_loses_nothing),
        ("hang_ups_are_told", hang_ups_are_told),
        ("a_wait_with_a_mask", a_wait_with_a_mask),
        ("threads_share_edges", threads_share_edges),
    ],
};

const IN: u32 = 1;
const OUT: u32 = 4;
const ERR: u32 = 8;
const HUP: u32 = 16;
const EXCLUSIVE: u32 = 1 << 28;
const ONESHOT: u32 = 1 << 30;
const EDGE: u32 = 1 << 31;
const ADD: u64 = 1;
const DEL: u64 = 2;
const MOD: u64 = 3;
const NONBLOCK: u64 = libc::O_NONBLOCK as u64;

#[repr(C, packed)]
#[derive(Clone, Copy, Default)]
struct Event {
    events: u32,
    data: u64,
}

fn create() -> sys::Result<i32> {
    sys::call(libc::SYS_epoll_create1, [0]).map(|fd| fd as i32)
}

fn control(ep: i32, op: u64, fd: i32, events: u32) -> sys::Result {
    let data = fd as u64 + 1000;
    let mut event = Event { events, data };
    sys::call(
        libc::SYS_epoll_ctl,
        [ep as u64, op, fd as u64, sys::at(&mut event)],
    )
}

/// What is told within `ms`: descriptor and events of each.
fn wait(ep: i32, max: usize, ms: u64) -> sys::Result<Vec<(i32, u32)>> {
    let mut events = [Event::default(); 16];
    let args = [ep as u64, sys::at(&mut events), max as u64, ms];
    let count = sys::call(libc::SYS_epoll_wait, args)?;
    let told = events[..count as usize].iter();
    Ok(told
        .map(|told| ((told.data - 1000) as i32, told.events))
        .collect())
}

fn by_level() -> Verdict {
    let (ep, fd) = (must("epoll", create())?, must("eventfd", eventfd(0, 0))?);
    must("add", control(ep, ADD, fd, IN))?;
    same("nothing", wait(ep, 4, 0), Ok(vec![]))?;
    same("not readable", polled(ep, 1, 0), Ok(0))?;
    must("give", give(fd, 1))?;
    same("told", wait(ep, 4, 1000), Ok(vec![(fd, IN)]))?;
    same("told again", wait(ep, 4, 0), Ok(vec![(fd, IN)]))?;
    same("readable", polled(ep, 0x41, 0), Ok(0x41))?;
    must("take", take(fd))?;
    same("not any more", wait(ep, 4, 0), Ok(vec![]))?;
    must("delete", control(ep, DEL, fd, 0))?;
    must("give", give(fd, 1))?;
    same("not watched", wait(ep, 4, 0), Ok(vec![]))
}

fn by_edge() -> Verdict {
    let (ep, fd) = (must("epoll", create())?, must("eventfd", eventfd(0, 0))?);
    must("add", control(ep, ADD, fd, IN | EDGE))?;
    must("give", give(fd, 1))?;
    same("told", wait(ep, 4, 1000), Ok(vec![(fd, IN)]))?;
    same("only once", wait(ep, 4, 0), Ok(vec![]))?;
    must("give", give(fd, 1))?;
    same("each change", wait(ep, 4, 1000), Ok(vec![(fd, IN)]))?;
    must("give", give(fd, 1))?;
    must("take", take(fd))?;
    same("undone", wait(ep, 4, 0), Ok(vec![]))
}

fn once() -> Verdict {
    let (ep, fd) = (must("epoll", create())?, must("eventfd", eventfd(1, 0))?);
    must("add", control(ep, ADD, fd, IN | ONESHOT))?;
    same("told", wait(ep, 4, 0), Ok(vec![(fd, IN)]))?;
    must("give", give(fd, 1))?;
    same("silent", wait(ep, 4, 0), Ok(vec![]))?;
    must("modify", control(ep, MOD, fd, IN | ONESHOT))?;
    same("told again", wait(ep, 4, 0), Ok(vec![(fd, IN)]))
}

fn bad_input() -> Verdict {
    let (ep, fd) = (must("epoll", create())?, must("eventfd", eventfd(0, 0))?);
    let root = must("open", sys::open(c"/"))?;
    refused("a directory", control(ep, ADD, root, IN), libc::EPERM)?;
    refused("itself", control(ep, ADD, ep, IN), libc::EINVAL)?;
    refused("nothing there", control(ep, ADD, 99, IN), libc::EBADF)?;
    refused("no epoll there", control(99, ADD, fd, IN), libc::EBADF)?;
    refused("no epoll", control(fd, ADD, ep, IN), libc::EINVAL)?;
    refused("not watched", control(ep, DEL, fd, IN), libc::ENOENT)?;
    refused("not watched", control(ep, MOD, fd, IN), libc::ENOENT)?;
    refused("no operation", control(ep, 4, fd, IN), libc::EINVAL)?;
    refused(
        "no event",
        sys::call(libc::SYS_epoll_ctl, [ep as u64, ADD, fd as u64, 0]),
        libc::EFAULT,
    )?;
    must("add", control(ep, ADD, fd, IN))?;
    refused("twice", control(ep, ADD, fd, OUT), libc::EEXIST)?;
    refused(
        "exclusive later",
        control(ep, MOD, fd, IN | EXCLUSIVE),
        libc::EINVAL,
    )?;
    let other = must("eventfd", eventfd(0, 0))?;
    refused(
        "exclusive once",
        control(ep, ADD, other, IN | EXCLUSIVE | ONESHOT),
        libc::EINVAL,
    )?;
    must("exclusive", control(ep, ADD, other, IN | EXCLUSIVE))?;
    refused("then no change", control(ep, MOD, other, IN), libc::EINVAL)?;
    refused("no events", wait(ep, 0, 0), libc::EINVAL)?;
    refused("not an epoll", wait(fd, 1, 0), libc::EINVAL)?;
    let (read, write) = (sys::read(ep, 0, 8), sys::write(ep, 0, 8));
    refused("a read", read, libc::EINVAL)?;
    refused("a write", write, libc::EINVAL)?;
    refused(
        "a size",
        sys::call(libc::SYS_epoll_create, [0]),
        libc::EINVAL,
    )?;
    refused(
        "flags",
        sys::call(libc::SYS_epoll_create1, [1]),
        libc::EINVAL,
    )
}

fn change_looks_again() -> Verdict {
    let (ep, fd) = (must("epoll", create())?, must("eventfd", eventfd(1, 0))?);
    must("add", control(ep, ADD, fd, 0))?;
    same("nothing asked", wait(ep, 4, 0), Ok(vec![]))?;
    must("modify", control(ep, MOD, fd, IN | OUT | EDGE))?;
    same("both", wait(ep, 4, 0), Ok(vec![(fd, IN | OUT)]))?;
    must("modify", control(ep, MOD, fd, OUT | EDGE))?;
    same("a change is an edge", wait(ep, 4, 0), Ok(vec![(fd, OUT)]))
}

fn a_closed_file_is_forgotten() -> Verdict {
    let ep = must("epoll", create())?;
    let fd = must("eventfd", eventfd(1, 0))?;
    must("add", control(ep, ADD, fd, IN))?;
    must("close", sys::close(fd))?;
    same("forgotten", wait(ep, 4, 0), Ok(vec![]))?;
    let next = must("eventfd", eventfd(1, 0))?;
    same("the number again", next, fd)?;
    must("add", control(ep, ADD, next, IN))?;
    same("the new one", wait(ep, 4, 0), Ok(vec![(next, IN)]))?;
    must("close the epoll", sys::close(ep))?;
    same("the file is whole", take(next), Ok(1))
}

fn a_duplicate_keeps_it() -> Verdict {
    let ep = must("epoll", create())?;
    let fd = must("eventfd", eventfd(1, 0))?;
    must("add", control(ep, ADD, fd, IN))?;
    let twin = must("dup", sys::call(libc::SYS_dup, [fd as u64]))? as i32;
    must("close", sys::close(fd))?;
    same("still told", wait(ep, 4, 0), Ok(vec![(fd, IN)]))?;
    refused("and out of reach", control(ep, DEL, fd, 0), libc::EBADF)?;
    refused("by the other too", control(ep, DEL, twin, 0), libc::ENOENT)?;
    must("close", sys::close(twin))?;
    same("gone now", wait(ep, 4, 0), Ok(vec![]))
}

fn the_same_file_twice() -> Verdict {
    let ep = must("epoll", create())?;
    let fd = must("eventfd", eventfd(1, 0))?;
    let twin = must("dup", sys::call(libc::SYS_dup, [fd as u64]))? as i32;
    must("add", control(ep, ADD, fd, IN))?;
    must("add", control(ep, ADD, twin, IN))?;
    same("both", wait(ep, 4, 0).map(|told| told.len()), Ok(2))?;
    must("delete", control(ep, DEL, fd, 0))?;
    same("one", wait(ep, 4, 0), Ok(vec![(twin, IN)]))
}

fn each_gets_its_turn() -> Verdict {
    let ep = must("epoll", create())?;
    let mut fds = vec![];
    for _ in 0..6 {
        let fd = must("eventfd", eventfd(1, 0))?;
        must("add", control(ep, ADD, fd, IN))?;
        fds.push(fd);
    }
    let mut seen = vec![];
    for _ in 0..6 {
        seen.extend(must("wait", wait(ep, 1, 0))?);
    }
    seen.sort_unstable();
    same("each once", seen.iter().map(|(fd, _)| *fd).collect(), fds)
}

fn epolls_nest() -> Verdict {
    let (outer, inner) = (must("epoll", create())?, must("epoll", create())?);
    let fd = must("eventfd", eventfd(0, 0))?;
    must("add", control(outer, ADD, inner, IN))?;
    must("add", control(inner, ADD, fd, IN))?;
    same("nothing", wait(outer, 4, 0), Ok(vec![]))?;
    let giver = must(
        "fork",
        child::start(|| {
            let _ = sys::sleep_ms(10);
            i32::from(give(fd, 1) != Ok(8))
        }),
    )?;
    same(
        "through both",
        wait(outer, 4, u64::MAX),
        Ok(vec![(inner, IN)]),
    )?;
    same(
        "the giver",
        must("wait", child::wait(giver))?,
        Ended::Exited(0),
    )?;
    same("the inner", wait(inner, 4, 0), Ok(vec![(fd, IN)]))?;
    must("take", take(fd))?;
    same("nothing again", wait(outer, 4, 0), Ok(vec![]))?;
    refused("a circle", control(inner, ADD, outer, IN), libc::ELOOP)?;
    must("delete", control(outer, DEL, inner, 0))?;
    must("the other way round", control(inner, ADD, outer, IN)).map(|_| ())
}

fn epolls_nest_no_deeper() -> Verdict {
    for outward in [true, false] {
        let mut last = must("epoll", create())?;
        for level in 0..5 {
            let next = must("epoll", create())?;
            let added = match outward {
                true => control(next, ADD, last, IN),
                false => control(last, ADD, next, IN),
            };
            match level {
                4 => refused("a fifth", added, libc::ELOOP)?,
                _ => must("add", added).map(|_| ())?,
            }
            last = next;
        }
    }
    Ok(())
}

fn a_bad_buffer_loses_nothing() -> Verdict {
    let ep = must("epoll", create())?;
    let fd = must("eventfd", eventfd(1, 0))?;
    must("add", control(ep, ADD, fd, IN | EDGE))?;
    refused(
        "nowhere",
        sys::call(libc::SYS_epoll_wait, [ep as u64, 4096, 1, 0]),
        libc::EFAULT,
    )?;
    same("still there", wait(ep, 4, 0), Ok(vec![(fd, IN)]))
}

fn hang_ups_are_told() -> Verdict {
    let ep = must("epoll", create())?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    must("add", control(ep, ADD, reader, 0))?;
    must("add", control(ep, ADD, writer, OUT | EDGE))?;
    same("writable", wait(ep, 4, 0), Ok(vec![(writer, OUT)]))?;
    let twin = must("dup", sys::call(libc::SYS_dup, [writer as u64]))? as i32;
    must("close", sys::close(writer))?;
    same("not yet", wait(ep, 4, 0), Ok(vec![]))?;
    must("close", sys::close(twin))?;
    same("told unasked", wait(ep, 4, 0), Ok(vec![(reader, HUP)]))?;
    let [reader, writer] = must("pipe", sys::pipe())?;
    must("add", control(ep, ADD, writer, 0))?;
    must("close", sys::close(reader))?;
    let told = must("wait", wait(ep, 4, 0))?;
    holds("an error", told.contains(&(writer, ERR)))
}

fn a_wait_with_a_mask() -> Verdict {
    let ep = must("epoll", create())?;
    let mut events = [Event::default(); 2];
    let mut time = [0_u64, 3_000_000];
    let mut mask = u64::MAX;
    let args = [
        ep as u64,
        sys::at(&mut events),
        2,
        sys::at(&mut time),
        sys::at(&mut mask),
        8,
    ];
    same(
        "time is over",
        sys::call(libc::SYS_epoll_pwait2, args),
        Ok(0),
    )?;
    let bad = [ep as u64, sys::at(&mut events), 2, 0, sys::at(&mut mask), 7];
    refused(
        "a bad size",
        sys::call(libc::SYS_epoll_pwait, bad),
        libc::EINVAL,
    )?;
    let mut time = [0_u64, 1_000_000_000];
    let args = [ep as u64, sys::at(&mut events), 2, sys::at(&mut time), 0, 8];
    refused(
        "a bad time",
        sys::call(libc::SYS_epoll_pwait2, args),
        libc::EINVAL,
    )
}

static TAKEN: AtomicU32 = AtomicU32::new(0);
/// How many changes are made, and by how many threads they are awaited.
const CHANGES: u32 = 400;
const WAITERS: usize = 4;

/// Takes one event after the other until it is told to stop by an eventfd that nobody empties.
extern "C" fn take_edges(argument: u64) -> u64 {
    let (ep, stop) = ((argument >> 32) as i32, argument as u32 as i32);
    loop {
        let Ok(told) = wait(ep, 1, u64::MAX) else {
            return 1;
        };
        for (fd, _) in told {
            if fd == stop {
                return 0;
            }
            if let Ok(count) = take(fd) {
                TAKEN.fetch_add(count as u32, Ordering::SeqCst);
            }
        }
    }
}

/// Nothing that is given is lost or taken twice, however many threads wait for the edges.
fn threads_share_edges() -> Verdict {
    let ep = must("epoll", create())?;
    let stop = must("eventfd", eventfd(0, 0))?;
    must("add", control(ep, ADD, stop, IN))?;
    let mut fds = vec![];
    for _ in 0..8 {
        let fd = must("eventfd", eventfd(0, NONBLOCK))?;
        must("add", control(ep, ADD, fd, IN | EDGE))?;
        fds.push(fd);
    }
    let argument = (ep as u64) << 32 | stop as u64;
    let mut helpers = vec![];
    for _ in 0..WAITERS {
        helpers.push(must("thread", Helper::start(THREAD, take_edges, argument))?);
    }
    for change in 0..CHANGES {
        must("give", give(fds[change as usize % fds.len()], 1))?;
    }
    while TAKEN.load(Ordering::SeqCst) < CHANGES {
        must("sleep", sys::sleep_ms(1))?;
    }
    must("stop", give(stop, 1))?;
    helpers.into_iter().for_each(Helper::join);
    same("all", TAKEN.load(Ordering::SeqCst), CHANGES)
}
