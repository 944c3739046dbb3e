//! Children that `clone` makes: what they share with their parent, how they are waited for, what numbers they have.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, lives, must, refused, same};
use user::signals;
use user::sys;
use user::threads::Helper;

use crate::relatives::WALL;

pub(crate) const TOPIC: Topic = Topic {
    name: "clones",
    about: "what clones share, how they are waited for",
    cases: &[
        ("a_clone_is_waited_for_apart", a_clone_is_waited_for_apart),
        ("a_silent_child_sends_nothing", a_silent_child_sends_nothing),
        ("descriptors_can_be_shared", descriptors_can_be_shared),
        ("the_place_can_be_shared", the_place_can_be_shared),
        ("handlers_can_be_shared", handlers_can_be_shared),
        ("unsharing_divides", unsharing_divides),
        (
            "a_sibling_is_the_parents_child",
            a_sibling_is_the_parents_child,
        ),
        ("clone_refuses_nonsense", clone_refuses_nonsense),
        ("numbers_can_be_chosen", numbers_can_be_chosen),
    ],
};

const WCLONE: i32 = i32::MIN;

/// Makes a child with these flags, which does `work` on a copy of the stack: memory is not shared.
pub(crate) fn clone(flags: i32, work: impl FnOnce() -> i32) -> sys::Result<i32> {
    match sys::call(libc::SYS_clone, [flags as u64, 0, 0, 0, 0])? {
        0 => sys::exit(work()),
        pid => Ok(pid as i32),
    }
}

fn a_clone_is_waited_for_apart() -> Verdict {
    must("block", signals::set_mask(signals::bit(libc::SIGUSR2)))?;
    let pid = must("clone", clone(libc::SIGUSR2, || 5))?;
    let plain = sys::wait4(pid, 0);
    refused("no plain child", plain, libc::ECHILD)?;
    same("__WCLONE", sys::wait4(pid, WCLONE), Ok((pid, 5 << 8)))?;
    let pid = must("clone", clone(0, || 6))?;
    same("__WALL", sys::wait4(-1, WALL), Ok((pid, 6 << 8)))?;
    let pid = must("fork", child::start(|| 4))?;
    refused("no clone", sys::wait4(pid, WCLONE), libc::ECHILD)?;
    same("plain", sys::wait4(pid, 0), Ok((pid, 4 << 8)))
}

fn a_silent_child_sends_nothing() -> Verdict {
    must("block", signals::set_mask(u64::MAX))?;
    let pid = must("clone", clone(libc::SIGUSR1, || 0))?;
    must("wait", sys::wait4(pid, WALL))?;
    same(
        "its own signal",
        signals::pending(),
        Ok(signals::bit(libc::SIGUSR1)),
    )?;
    let pid = must("clone", clone(0, || 0))?;
    must("wait", sys::wait4(pid, WALL))?;
    same("none", signals::pending(), Ok(signals::bit(libc::SIGUSR1)))
}

fn descriptors_can_be_shared() -> Verdict {
    let flags = libc::CLONE_FILES | libc::SIGCHLD;
    let null = c"/dev/null";
    let pid = must("clone", clone(flags, || sys::open(null).unwrap_or(255)))?;
    let Ended::Exited(fd) = must("wait", child::wait(pid))? else {
        return Err("the child was killed".into());
    };
    must("the child's descriptor is here", sys::close(fd))?;
    let pid = must("fork", child::start(|| sys::open(null).unwrap_or(255)))?;
    same("the same number", child::wait(pid), Ok(Ended::Exited(fd)))?;
    refused("but not here", sys::close(fd), libc::EBADF)
}

fn umask(mask: u64) -> sys::Result {
    sys::call(libc::SYS_umask, [mask])
}

fn the_place_can_be_shared() -> Verdict {
    must("umask", umask(0o22))?;
    let flags = libc::CLONE_FS | libc::SIGCHLD;
    let pid = must(
        "clone",
        clone(flags, || {
            let chdir = sys::call(libc::SYS_chdir, [c"/proc".as_ptr() as u64]);
            i32::from(umask(0o77).is_err() || chdir.is_err())
        }),
    )?;
    same("the child", child::wait(pid), Ok(Ended::Exited(0)))?;
    same("the umask", umask(0o22), Ok(0o77))?;
    let mut cwd = [0_u8; 16];
    same(
        "its length",
        sys::call(libc::SYS_getcwd, [sys::at(&mut cwd), 16]),
        Ok(6),
    )?;
    same("the working directory", &cwd[..5], b"/proc")?;
    lives("a copy", || {
        let _ = umask(0o11);
        0
    })?;
    same("is its own", umask(0o22), Ok(0o22))
}

fn handlers_can_be_shared() -> Verdict {
    extern "C" fn ignore(_: u64) -> u64 {
        let mut ignore = [1, 0, 0, 0];
        u64::from(signals::set_action(libc::SIGUSR1, &mut ignore).is_err())
    }
    let flags = libc::CLONE_VM | libc::CLONE_SIGHAND | libc::SIGCHLD;
    let helper = must("clone", Helper::start(flags as u64, ignore, 0))?;
    let ended = child::wait(helper.number());
    helper.join();
    same("the child", ended, Ok(Ended::Exited(0)))?;
    same(
        "ignored here",
        must("sigaction", signals::action(libc::SIGUSR1))?[0],
        1,
    )?;
    must("raise", signals::raise(libc::SIGUSR1))?;
    Ok(())
}

fn unshare(flags: i32) -> sys::Result {
    sys::call(libc::SYS_unshare, [flags as u64])
}

fn unsharing_divides() -> Verdict {
    let flags = libc::CLONE_FILES | libc::CLONE_FS | libc::SIGCHLD;
    must("umask", umask(0o22))?;
    let pid = must(
        "clone",
        clone(flags, || {
            let divided = unshare(libc::CLONE_FILES | libc::CLONE_FS);
            let fd = sys::open(c"/dev/null");
            i32::from(divided.is_err() || umask(0o7).is_err() || fd != Ok(3))
        }),
    )?;
    same("the child", child::wait(pid), Ok(Ended::Exited(0)))?;
    refused("its descriptor", sys::close(3), libc::EBADF)?;
    same("its umask", umask(0o22), Ok(0o22))?;
    refused("unknown", unshare(0x1000), libc::EINVAL)?;
    same("nothing", unshare(0), Ok(0))
}

fn a_sibling_is_the_parents_child() -> Verdict {
    let own = sys::getpid();
    let pid = must(
        "fork",
        child::start(move || {
            let sibling = clone(libc::CLONE_PARENT, move || i32::from(sys::getppid() != own));
            i32::from(sibling.is_err() || sys::wait4(-1, WALL).is_ok())
        }),
    )?;
    same("the child", child::wait(pid), Ok(Ended::Exited(0)))?;
    let (_, status) = must("the sibling is a child here", sys::wait4(-1, 0))?;
    same("and knows", Ended::from_status(status), Ended::Exited(0))
}

fn clone_refuses_nonsense() -> Verdict {
    let bad = [
        libc::CLONE_THREAD,
        libc::CLONE_THREAD | libc::CLONE_VM,
        libc::CLONE_SIGHAND,
        libc::CLONE_FS | libc::CLONE_NEWNS,
        libc::CLONE_PIDFD | libc::CLONE_PARENT_SETTID,
        libc::CLONE_PIDFD | libc::CLONE_DETACHED,
    ];
    for flags in bad {
        let call = sys::call(libc::SYS_clone, [flags as u64, 0, 0, 0, 0]);
        refused(&format!("{flags:#x}"), call, libc::EINVAL)?;
    }
    Ok(())
}

fn clone3(args: &mut [u64; 11]) -> sys::Result<i32> {
    match sys::call(libc::SYS_clone3, [sys::at(args), 88])? {
        0 => sys::exit(0),
        pid => Ok(pid as i32),
    }
}

fn numbers_can_be_chosen() -> Verdict {
    // One that is surely free: a child's that was waited for.
    let pid = must("fork", child::start(|| 0))?;
    must("wait", child::wait(pid))?;
    let mut numbers = [pid, sys::getpid(), 0];
    let mut args = [0_u64; 11];
    args[4] = libc::SIGCHLD as u64;
    args[8] = sys::at(&mut numbers);
    args[9] = 1;
    let Ok(chosen) = clone3(&mut args) else {
        // Only root may.
        return refused("not allowed", clone3(&mut args), libc::EPERM);
    };
    same("the number", chosen, pid)?;
    must("wait", child::wait(chosen))?;
    args[8] += 4;
    refused("one's own", clone3(&mut args), libc::EEXIST)?;
    args[8] += 4;
    refused("none", clone3(&mut args), libc::EINVAL)?;
    args[9] = 0;
    refused("no count", clone3(&mut args), libc::EINVAL)?;
    args[0] = 1 << 40;
    args[8] = 0;
    refused("unknown flags", clone3(&mut args), libc::EINVAL)
}
