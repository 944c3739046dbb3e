//! `soak bombs`: programs that take all they can get of one thing.
//!
//! Each gets an error or is ended; a bystander notices nothing, the machine works on, and what the bomb had is back.

mod files;

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem::PAGE;
use user::signals;
use user::sys::{self, Errno};
use user::threads::{Helper, THREAD};

use crate::guard::{self, Before};

/// What came of a bomb: how much it had when it was refused, and how.
type Outcome = Result<(u64, Errno), String>;

/// A bomb, and the ways in which it may be refused; none where it must be ended.
struct Bomb {
    name: &'static str,
    explode: fn() -> Outcome,
    refused: &'static [i32],
}

const BOMBS: &[Bomb] = &[
    bomb("children", children, &[libc::EAGAIN, libc::ENOMEM]),
    bomb("generations", generations, &[libc::EAGAIN, libc::ENOMEM]),
    bomb("threads", threads, &[libc::EAGAIN, libc::ENOMEM]),
    bomb("descriptors", descriptors, &[libc::EMFILE]),
    bomb(
        "pipes_that_are_full",
        full_pipes,
        &[libc::EMFILE, libc::ENFILE, libc::ENOMEM],
    ),
    bomb(
        "sockets_that_are_full",
        full_sockets,
        &[libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS],
    ),
    bomb("epolls", epolls, &[libc::EMFILE, libc::ENOSYS]),
    bomb(
        "files_that_fill_the_disk",
        files::full_disk,
        &[libc::ENOSPC],
    ),
    bomb(
        "many_files",
        files::many_files,
        &[libc::ENOSPC, libc::ENOMEM],
    ),
    bomb("mappings", mappings, &[libc::ENOMEM]),
    bomb("signals", queued_signals, &[libc::EAGAIN]),
    bomb("timers", timers, &[libc::EAGAIN, libc::ENOSYS]),
    bomb(
        "locks_on_a_file",
        files::file_locks,
        &[libc::ENOLCK, libc::ENOMEM, libc::EINVAL],
    ),
    bomb("arguments", arguments, &[libc::E2BIG]),
    bomb("memory", memory, &[]),
    bomb(
        "memory_in_files_without_names",
        files::unnamed_files,
        &[libc::ENOSPC, libc::ENOMEM],
    ),
];

const fn bomb(name: &'static str, explode: fn() -> Outcome, refused: &'static [i32]) -> Bomb {
    Bomb {
        name,
        explode,
        refused,
    }
}

/// More than anybody gets on the machines that this is run on.
const LOTS: u64 = 200_000;

/// Lets all bombs go off, or one; the number of those that hurt somebody else.
pub(crate) fn run(only: Option<&str>) -> i32 {
    if !guard::is_ours() {
        println!("bombs: only as the first process of a machine of its own");
        return 2;
    }
    let chosen: Vec<&Bomb> = BOMBS
        .iter()
        .filter(|bomb| only.is_none_or(|only| only == bomb.name))
        .collect();
    let _ = (child::run(works), child::run(threads_once));
    guard::settle();
    let mut harmless = 0;
    for bomb in &chosen {
        let mut before = Before::new();
        match bomb.is_harmless() {
            Ok(()) if before.is_back() && guard::is_sound() => harmless += 1,
            Ok(()) => println!("FAIL bombs {}: the machine is not as before", bomb.name),
            Err(why) => {
                println!("FAIL bombs {}: {why}", bomb.name);
                guard::end_everybody();
                guard::clear();
            }
        }
    }
    println!("bombs: {harmless} of {} hurt nobody else", chosen.len());
    i32::from(harmless != chosen.len() || chosen.is_empty())
}

impl Bomb {
    fn is_harmless(&self) -> Result<(), String> {
        let failed = |what: &'static str| move |errno: Errno| format!("{what}: {errno:?}");
        let [reader, writer] = sys::pipe().map_err(failed("pipe"))?;
        let bystander = child::start(|| {
            let _ = sys::close(writer);
            stand_by(reader)
        });
        let bystander = bystander.map_err(failed("fork"))?;
        let bomb = child::start(|| {
            let _ = sys::close(writer);
            // A job of its own, as a shell starts one.
            let _ = sys::call(libc::SYS_setpgid, [0, 0]);
            let _ = guard::enter("bomb");
            self.go_off()
        });
        let ended = bomb.and_then(child::wait).map_err(failed("the bomb"))?;
        let _ = sys::close(writer);
        let stood = child::wait(bystander).map_err(failed("the bystander"));
        let _ = sys::close(reader);
        guard::end_everybody();
        let is_right = match ended {
            Ended::Exited(0) => true,
            Ended::Killed(libc::SIGKILL) => {
                self.refused.is_empty() || self.refused.contains(&libc::ENOMEM)
            }
            _ => false,
        };
        if !is_right {
            return Err(format!("it ended with {ended:?}"));
        }
        if stood != Ok(Ended::Exited(0)) {
            return Err(format!("the bystander: {stood:?}"));
        }
        match child::run(works).map_err(failed("fork"))? {
            Ended::Exited(0) => Ok(()),
            other => Err(format!("the machine does not work: {other:?}")),
        }
    }

    fn go_off(&self) -> i32 {
        match (self.explode)() {
            Ok((count, Errno(errno))) if self.refused.contains(&errno) => {
                println!("# bombs {}: {count}, then {:?}", self.name, Errno(errno));
                0
            }
            other => {
                println!("FAIL bombs {}: {other:?}", self.name);
                1
            }
        }
    }
}

/// Has some memory, and wants nothing but to keep it.
fn stand_by(reader: i32) -> i32 {
    let Ok(own) = Map::anon(32, map::RW) else {
        return 1;
    };
    own.fill(3);
    let mut byte = [0_u8];
    let told = sys::read(reader, sys::at(&mut byte), 1);
    i32::from(told != Ok(0) || !own.holds(3))
}

/// What any program expects: memory, a file, a pipe, a child with another program.
fn works() -> i32 {
    let Ok(own) = Map::anon(256, map::RW) else {
        return 1;
    };
    own.fill(1);
    let written = guard::enter("works").and_then(|()| std::fs::write("file", [7; 10_000]));
    let read = std::fs::read("file").is_ok_and(|bytes| bytes == [7; 10_000]);
    let mut argv = [c"soak".as_ptr() as u64, c"null".as_ptr() as u64, 0];
    let mut none = 0_u64;
    let ran = sys::vfork_exec(c"/bin/soak", sys::at(&mut argv), sys::at(&mut none));
    let ended = ran.and_then(|pid| child::wait(pid as i32));
    let all = [
        own.holds(1),
        written.is_ok(),
        read,
        sys::pipe().is_ok(),
        ended == Ok(Ended::Exited(0)),
    ];
    i32::from(all.contains(&false))
}

/// Does something until it is refused.
fn until_refused(mut again: impl FnMut(u64) -> sys::Result<()>) -> Outcome {
    for count in 0..LOTS {
        if let Err(errno) = again(count) {
            return Ok((count, errno));
        }
    }
    Err(format!("{LOTS} were not too many"))
}

fn call<const N: usize>(number: i64, args: [u64; N]) -> sys::Result<()> {
    sys::call(number, args).map(drop)
}

fn pause() -> i32 {
    loop {
        let _ = sys::raw(libc::SYS_pause, [0; 6]);
    }
}

fn children() -> Outcome {
    until_refused(|_| child::start(pause).map(drop))
}

/// Each child has one: nobody has many. Who is refused tells the first one through a pipe.
fn generations() -> Outcome {
    let [reader, writer] = sys::pipe().map_err(|errno| format!("{errno:?}"))?;
    let start = || {
        for count in 0..LOTS {
            match sys::fork() {
                Ok(0) => {}
                Ok(_) => return pause(),
                Err(errno) => {
                    let mut told = [count, errno.0 as u64];
                    let _ = sys::write(writer, sys::at(&mut told), 16);
                    return pause();
                }
            }
        }
        0
    };
    let _ = child::start(start).map_err(|errno| format!("{errno:?}"))?;
    let mut told = [0_u64; 2];
    match sys::read(reader, sys::at(&mut told), 16) {
        Ok(16) => Ok((told[0], Errno(told[1] as i32))),
        other => Err(format!("{other:?}")),
    }
}

extern "C" fn waits(_: u64) -> u64 {
    pause() as u64
}

fn one_thread() -> sys::Result<()> {
    let stack = Map::anon(2, map::RW)?;
    Helper::start_on(stack, THREAD, waits, 0).map(std::mem::forget)
}

fn threads() -> Outcome {
    until_refused(|_| one_thread())
}

fn threads_once() -> i32 {
    (0..50).map(|_| one_thread()).filter(Result::is_err).count() as i32
}

fn descriptors() -> Outcome {
    until_refused(|_| sys::open(c"/dev/null").map(drop))
}

/// Writes until there is no room; the end to write to must not wait.
fn fill(fd: i32) {
    let mut some = [1_u8; 4096];
    while sys::write(fd, sys::at(&mut some), 4096).is_ok() {}
}

fn full_pipes() -> Outcome {
    until_refused(|_| {
        let mut ends = [0_i32; 2];
        call(
            libc::SYS_pipe2,
            [sys::at(&mut ends), libc::O_NONBLOCK as u64],
        )?;
        fill(ends[1]);
        Ok(())
    })
}

fn full_sockets() -> Outcome {
    until_refused(|_| {
        let mut ends = [0_i32; 2];
        let kind = (libc::SOCK_STREAM | libc::SOCK_NONBLOCK) as u64;
        call(libc::SYS_socketpair, [1, kind, 0, sys::at(&mut ends)])?;
        ends.into_iter().for_each(fill);
        Ok(())
    })
}

fn epolls() -> Outcome {
    let mut last = None;
    until_refused(|_| {
        let fd = sys::call(libc::SYS_epoll_create1, [0])?;
        if let Some(last) = last.replace(fd) {
            // In a ring, or too deep: refused or not, both are right.
            let mut event = [1_u64, 0];
            let _ = call(libc::SYS_epoll_ctl, [fd, 1, last, sys::at(&mut event)]);
        }
        Ok(())
    })
}

fn mappings() -> Outcome {
    let all = Map::with(LOTS, map::NONE, map::ANON | libc::MAP_NORESERVE, -1)
        .map_err(|errno| format!("{errno:?}"))?;
    until_refused(|count| sys::mprotect(all.page((2 * count) % LOTS), PAGE, map::R).map(drop))
}

fn queued_signals() -> Outcome {
    let _ = signals::set_mask(!0);
    until_refused(|count| signals::queue(sys::getpid(), 40, count as i32).map(drop))
}

fn timers() -> Outcome {
    until_refused(|_| {
        let mut id = 0_u64;
        call(libc::SYS_timer_create, [1, 0, sys::at(&mut id)])
    })
}

fn arguments() -> Outcome {
    let text = std::ffi::CString::new(vec![b'x'; 100_000]).map_err(|error| error.to_string())?;
    let mut list = vec![text.as_ptr() as u64; 300];
    list.push(0);
    let mut none = 0_u64;
    let args = [
        c"/bin/soak".as_ptr() as u64,
        list.as_ptr() as u64,
        sys::at(&mut none),
    ];
    match sys::call(libc::SYS_execve, args) {
        Err(errno) => Ok((300, errno)),
        Ok(_) => Err("it was executed".into()),
    }
}

fn memory() -> Outcome {
    let all = Map::with(1 << 20, map::RW, map::ANON | libc::MAP_NORESERVE, -1)
        .map_err(|errno| format!("{errno:?}"))?;
    all.fill(1);
    Err("all of it was there".into())
}
