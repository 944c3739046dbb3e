//! What a family does: each act checks what came of it. Want of memory is an answer too, anywhere.

use std::ffi::CStr;

use user::child::{self, Ended};
use user::map::{self, Map};
use user::mem;
use user::signals;
use user::sys::{self, Errno};
use user::tolerant;

use super::crews;
use crate::random::Random;

/// An act, and what is wrong if it is not nothing.
pub(crate) type Act = fn(&mut Random) -> Result<(), String>;

pub(crate) const ACTS: &[(&str, Act)] = &[
    ("fork", forks),
    ("fork_exec", executes),
    ("fork_exec", executes),
    ("vfork_exec", executes_at_once),
    ("killed", is_killed),
    ("stopped", is_stopped),
    ("piped", talks),
    ("copied", copies),
    ("mapped", maps),
    ("shared", shares),
    ("orphan", leaves_orphans),
    ("letter", posts),
    ("crew_ends", crews::ends),
    ("crew_killed", crews::is_killed),
    ("crew_executes", crews::executes),
];

const PROGRAM: &CStr = c"/bin/soak";

/// What a child says when there was no memory for it to go on.
pub(crate) const NO_MEMORY: i32 = 77;

/// Starts a child; nothing if there is no memory for it.
pub(crate) fn start(work: impl FnOnce() -> i32) -> Result<Option<i32>, String> {
    match child::start(work) {
        Ok(pid) => Ok(Some(pid)),
        Err(Errno(libc::ENOMEM | libc::EAGAIN)) => Ok(None),
        Err(errno) => Err(format!("fork: {errno:?}")),
    }
}

/// Waits for a child, which must end like this, or for want of memory.
pub(crate) fn ends(pid: i32, wanted: &[Ended]) -> Result<(), String> {
    let ended = child::wait(pid).map_err(|errno| format!("wait4: {errno:?}"))?;
    let for_want = [Ended::Killed(libc::SIGKILL), Ended::Exited(NO_MEMORY)];
    if wanted.contains(&ended) || for_want.contains(&ended) {
        return Ok(());
    }
    Err(format!("the child ended with {ended:?}, not {wanted:?}"))
}

fn forks(random: &mut Random) -> Result<(), String> {
    let code = random.below(70) as i32;
    match start(|| code)? {
        Some(pid) => ends(pid, &[Ended::Exited(code)]),
        None => Ok(()),
    }
}

/// Executes the program that ends at once; what remains is a failure.
pub(crate) fn execute() -> i32 {
    let mut argv = [PROGRAM.as_ptr() as u64, c"null".as_ptr() as u64, 0];
    let args = [PROGRAM.as_ptr() as u64, sys::at(&mut argv), 0];
    match sys::call(libc::SYS_execve, args) {
        Err(Errno(libc::ENOMEM)) => NO_MEMORY,
        _ => 78,
    }
}

fn executes(_: &mut Random) -> Result<(), String> {
    match start(execute)? {
        Some(pid) => ends(pid, &[Ended::Exited(0)]),
        None => Ok(()),
    }
}

fn executes_at_once(_: &mut Random) -> Result<(), String> {
    let mut argv = [PROGRAM.as_ptr() as u64, c"null".as_ptr() as u64, 0];
    let mut none = 0_u64;
    match sys::vfork_exec(PROGRAM, sys::at(&mut argv), sys::at(&mut none)) {
        // 127: there was no memory for the program.
        Ok(pid) => ends(pid as i32, &[Ended::Exited(0), Ended::Exited(127)]),
        Err(Errno(libc::ENOMEM | libc::EAGAIN)) => Ok(()),
        Err(errno) => Err(format!("vfork: {errno:?}")),
    }
}

/// Sleeps for ever.
pub(crate) fn pause() -> ! {
    loop {
        let _ = sys::raw(libc::SYS_pause, [0; 6]);
    }
}

/// Lets some time pass, or none.
pub(crate) fn dawdle(random: &mut Random) {
    match random.below(4) {
        0 => drop(sys::sleep_ms(1)),
        times => {
            for _ in 0..times {
                let _ = sys::raw(libc::SYS_sched_yield, [0; 6]);
            }
        }
    }
}

fn is_killed(random: &mut Random) -> Result<(), String> {
    let busy = random.one_in(2);
    let work = || -> i32 {
        if busy {
            loop {
                std::hint::spin_loop();
            }
        }
        pause()
    };
    let Some(pid) = start(work)? else {
        return Ok(());
    };
    dawdle(random);
    signals::kill(pid, libc::SIGKILL).map_err(|errno| format!("kill: {errno:?}"))?;
    ends(pid, &[])
}

fn is_stopped(random: &mut Random) -> Result<(), String> {
    let Some(pid) = start(|| pause())? else {
        return Ok(());
    };
    let failed = |what: &str, errno: Errno| format!("{what}: {errno:?}");
    for _ in 0..random.below(4) {
        signals::kill(pid, libc::SIGSTOP).map_err(|errno| failed("stop", errno))?;
        let (_, status) =
            sys::wait4(pid, libc::WUNTRACED).map_err(|errno| failed("wait4", errno))?;
        if status & 0xff != 0x7f {
            // Ended for want of memory.
            return match Ended::from_status(status) {
                Ended::Killed(libc::SIGKILL) => Ok(()),
                other => Err(format!("it ended: {other:?}")),
            };
        }
        signals::kill(pid, libc::SIGCONT).map_err(|errno| failed("continue", errno))?;
        dawdle(random);
    }
    if random.one_in(2) {
        let _ = signals::kill(pid, libc::SIGSTOP);
    }
    signals::kill(pid, libc::SIGKILL).map_err(|errno| failed("kill", errno))?;
    ends(pid, &[])
}

/// A child writes, and all of it arrives in order.
fn talks(random: &mut Random) -> Result<(), String> {
    let count = 1 + random.below(100_000);
    let Ok([reader, writer]) = sys::pipe() else {
        return Ok(());
    };
    let byte = |at: u64| (at % 251) as u8;
    let speak = || {
        let _ = sys::close(reader);
        let mut at = 0;
        while at < count {
            let mut some: [u8; 700] = std::array::from_fn(|n| byte(at + n as u64));
            let len = (count - at).min(700);
            match sys::write(writer, sys::at(&mut some), len) {
                Ok(done) => at += done,
                Err(_) => return NO_MEMORY,
            }
        }
        0
    };
    let pid = start(speak)?;
    let _ = sys::close(writer);
    let (mut at, mut wrong) = (0, None);
    let mut some = [0_u8; 900];
    while let Ok(len @ 1..) = sys::read(reader, sys::at(&mut some), 900) {
        let bad = some[..len as usize].iter().enumerate();
        wrong = wrong.or(bad
            .map(|(n, found)| (at + n as u64, *found))
            .find(|(n, found)| *found != byte(*n)));
        at += len;
    }
    let _ = sys::close(reader);
    if let Some(wrong) = wrong {
        return Err(format!("of {count} bytes: {wrong:?}"));
    }
    let Some(pid) = pid else { return Ok(()) };
    match child::wait(pid) {
        Ok(Ended::Exited(0)) if at != count => Err(format!("{at} of {count} bytes came")),
        Ok(Ended::Exited(0 | NO_MEMORY) | Ended::Killed(libc::SIGKILL)) => Ok(()),
        other => Err(format!("the writer: {other:?}")),
    }
}

/// Parent and child write to what they share, and keep their own.
fn copies(random: &mut Random) -> Result<(), String> {
    let pages = 1 + random.below(40);
    let value = random.next() as u8;
    let Ok(own) = Map::anon(pages, map::RW) else {
        return Ok(());
    };
    own.fill(value);
    let pid = start(|| {
        let inherited = own.holds(value);
        own.fill(!value);
        i32::from(!inherited || !own.holds(!value))
    })?;
    let first = own.holds(value);
    own.fill(value.wrapping_add(1));
    let ended = pid.map_or(Ok(()), |pid| ends(pid, &[Ended::Exited(0)]));
    let second = own.holds(value.wrapping_add(1));
    let _ = sys::munmap(own.start, own.bytes());
    if first && second {
        ended
    } else {
        Err(format!("own pages: {first} {second}"))
    }
}

/// Pieces of a mapping go, move and change.
fn maps(random: &mut Random) -> Result<(), String> {
    let Ok(all) = Map::anon(48, map::RW) else {
        return Ok(());
    };
    all.fill(1);
    let hole = all.part(random.below(20), 1 + random.below(20));
    let _ = match random.below(4) {
        0 => sys::munmap(hole.start, hole.bytes()),
        1 => hole.protect(map::R),
        2 => hole.advise(libc::MADV_DONTNEED),
        _ => sys::call(
            libc::SYS_mremap,
            [hole.start, hole.bytes(), hole.bytes() * 2, 1],
        )
        .and_then(|at| sys::munmap(at, hole.bytes() * 2)),
    };
    let last = all.page(47);
    let kept = mem::peek(last) == 48;
    let _ = sys::munmap(all.start, all.bytes());
    if kept {
        Ok(())
    } else {
        Err("the last page changed".into())
    }
}

/// A file is written to by a child through a mapping while it becomes shorter and longer.
fn shares(random: &mut Random) -> Result<(), String> {
    const PAGES: u64 = 8;
    let Ok(fd) = sys::call(libc::SYS_memfd_create, [c"storm".as_ptr() as u64, 0]) else {
        return Ok(());
    };
    let resize = |pages: u64| sys::call(libc::SYS_ftruncate, [fd, pages * mem::PAGE]);
    let _ = resize(PAGES);
    let mapped = Map::with(PAGES, map::RW, libc::MAP_SHARED, fd as i32);
    if let Ok(map) = mapped {
        let pid = start(|| {
            if tolerant::install().is_err() {
                return NO_MEMORY;
            }
            for round in 0..200_u64 {
                tolerant::store(map.page(round % PAGES), round | 1 << 32);
                let found = tolerant::load(map.page((round + 3) % PAGES)).unwrap_or(0);
                if found != 0 && found >> 32 != 1 {
                    return 1;
                }
            }
            0
        })?;
        for _ in 0..20 {
            let _ = resize(random.below(PAGES));
            dawdle(random);
            let _ = resize(PAGES);
        }
        if let Some(pid) = pid {
            ends(pid, &[Ended::Exited(0)])?;
        }
        let _ = sys::munmap(map.start, map.bytes());
    }
    let _ = sys::close(fd as i32);
    Ok(())
}

/// A child ends before its own children do: the first process buries them.
fn leaves_orphans(random: &mut Random) -> Result<(), String> {
    let (one, two) = (random.one_in(2), random.one_in(2));
    let parent = move || {
        for lingers in [one, two] {
            let _ = start(|| {
                if lingers {
                    let _ = sys::sleep_ms(3);
                }
                if lingers == one { execute() } else { 0 }
            });
        }
        0
    };
    match start(parent)? {
        Some(pid) => ends(pid, &[Ended::Exited(0)]),
        None => Ok(()),
    }
}

/// A kernel thread stores a word here or in a child that may have gone by then.
fn posts(random: &mut Random) -> Result<(), String> {
    let Ok(own) = Map::anon(1, map::RW) else {
        return Ok(());
    };
    let post = |word: u64| {
        let letter = format!("{:x} {word:x}", own.page(0) + 8);
        std::fs::write("/proc/self/postman", letter).is_ok()
    };
    let pid = start(|| i32::from(!post(7)) * NO_MEMORY)?;
    if post(9) {
        dawdle(random);
        let found = mem::peek64(own.page(0) + 8);
        if found != 0 && found != 9 {
            return Err(format!("the word is {found}"));
        }
    }
    let _ = sys::munmap(own.start, own.bytes());
    pid.map_or(Ok(()), |pid| ends(pid, &[Ended::Exited(0)]))
}
