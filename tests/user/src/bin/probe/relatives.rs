//! Children of every kind: how `waitid` tells of them, what clones share, who inherits whom, descriptors of processes.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, lives, must, refused, same};
use user::signals;
use user::sys;
use user::threads::Helper;

pub(crate) const TOPIC: Topic = Topic {
    name: "relatives",
    about: "waitid, clones, what they share, subreapers",
    cases: &[
        (
            "waitid_tells_how_a_child_ended",
            waitid_tells_how_a_child_ended,
        ),
        ("waitid_can_look_and_leave", waitid_can_look_and_leave),
        ("waitid_tells_of_stops", waitid_tells_of_stops),
        ("waitid_refuses_nonsense", waitid_refuses_nonsense),
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
        ("subreapers_get_orphans", subreapers_get_orphans),
        ("the_end_of_a_parent_is_told", the_end_of_a_parent_is_told),
        (
            "who_ignores_children_has_none",
            who_ignores_children_has_none,
        ),
        (
            "groups_are_settled_before_exec",
            groups_are_settled_before_exec,
        ),
        ("clone_refuses_nonsense", clone_refuses_nonsense),
        ("numbers_can_be_chosen", numbers_can_be_chosen),
    ],
};

const P_ALL: u64 = 0;
const P_PID: u64 = 1;
pub(crate) const P_PIDFD: u64 = 3;
pub(crate) const WEXITED: u64 = 4;
const WSTOPPED: u64 = 2;
const WCONTINUED: u64 = 8;
pub(crate) const WNOHANG: u64 = 1;
const WNOWAIT: u64 = 0x100_0000;
const WCLONE: i32 = i32::MIN;
const WALL: i32 = 0x4000_0000;

/// `si_signo`, `si_errno`, `si_code`, `si_pid`, `si_uid`, `si_status`.
pub(crate) fn waitid(which: u64, id: u64, options: u64) -> sys::Result<[u32; 6]> {
    let mut info = [0x5a5a_5a5a_u32; 32];
    let args = [which, id, sys::at(&mut info), options, 0];
    sys::call(libc::SYS_waitid, args)?;
    let untouched = info[7..].iter().all(|word| *word == 0x5a5a_5a5a);
    assert!(
        untouched && info[3] == info[7],
        "more was written than is told"
    );
    let [signo, errno, code, _, pid, uid, status] = info[..7] else {
        unreachable!("there are more");
    };
    Ok([signo, errno, code, pid, uid, status])
}

pub(crate) fn news(code: i32, pid: i32, status: i32) -> [u32; 6] {
    let chld = libc::SIGCHLD as u32;
    [chld, 0, code as u32, pid as u32, 0, status as u32]
}

fn waitid_tells_how_a_child_ended() -> Verdict {
    let pid = must("fork", child::start(|| 7))?;
    same(
        "exit",
        waitid(P_PID, pid as u64, WEXITED),
        Ok(news(libc::CLD_EXITED, pid, 7)),
    )?;
    let pid = must(
        "fork",
        child::start(|| {
            loop {
                let _ = sys::call(libc::SYS_pause, []);
            }
        }),
    )?;
    let none = waitid(P_ALL, 0, WEXITED | WNOHANG);
    same("nothing yet", none, Ok([0; 6]))?;
    must("kill", signals::kill(pid, libc::SIGTERM))?;
    let want = news(libc::CLD_KILLED, pid, libc::SIGTERM);
    same("signal", waitid(P_ALL, 0, WEXITED), Ok(want))?;
    refused("no more", waitid(P_ALL, 0, WEXITED), libc::ECHILD)
}

fn waitid_can_look_and_leave() -> Verdict {
    let pid = must("fork", child::start(|| 3))?;
    let want = Ok(news(libc::CLD_EXITED, pid, 3));
    for _ in 0..3 {
        same("a look", waitid(P_PID, pid as u64, WEXITED | WNOWAIT), want)?;
    }
    let only = waitid(P_PID, pid as u64, WSTOPPED | WNOHANG);
    refused("an end is not asked for", only, libc::ECHILD)?;
    same("the last", waitid(P_PID, pid as u64, WEXITED), want)?;
    refused("gone", waitid(P_PID, pid as u64, WEXITED), libc::ECHILD)
}

fn waitid_tells_of_stops() -> Verdict {
    let pid = must(
        "fork",
        child::start(|| {
            loop {
                let _ = sys::call(libc::SYS_pause, []);
            }
        }),
    )?;
    let id = pid as u64;
    must("stop", signals::kill(pid, libc::SIGSTOP))?;
    let want = Ok(news(libc::CLD_STOPPED, pid, libc::SIGSTOP));
    same("a look", waitid(P_PID, id, WSTOPPED | WNOWAIT), want)?;
    same("stopped", waitid(P_PID, id, WSTOPPED), want)?;
    same("once", waitid(P_PID, id, WSTOPPED | WNOHANG), Ok([0; 6]))?;
    must("continue", signals::kill(pid, libc::SIGCONT))?;
    let want = Ok(news(libc::CLD_CONTINUED, pid, libc::SIGCONT));
    same("continued", waitid(P_PID, id, WCONTINUED), want)?;
    must("kill", signals::kill(pid, libc::SIGKILL))?;
    let want = Ok(news(libc::CLD_KILLED, pid, libc::SIGKILL));
    same(
        "killed",
        waitid(P_PID, id, WEXITED | WSTOPPED | WCONTINUED),
        want,
    )
}

fn waitid_refuses_nonsense() -> Verdict {
    refused("nothing asked for", waitid(P_ALL, 0, 0), libc::EINVAL)?;
    refused(
        "unknown options",
        waitid(P_ALL, 0, WEXITED | 64),
        libc::EINVAL,
    )?;
    refused("no such kind", waitid(9, 0, WEXITED), libc::EINVAL)?;
    refused("pid 0", waitid(P_PID, 0, WEXITED), libc::EINVAL)?;
    refused("no descriptor", waitid(P_PIDFD, 99, WEXITED), libc::EBADF)?;
    refused("not a pidfd", waitid(P_PIDFD, 1, WEXITED), libc::EBADF)?;
    let pid = must("fork", child::start(|| 0))?;
    let args = [P_PID, pid as u64, 8, WEXITED, 0];
    refused(
        "a bad address",
        sys::call(libc::SYS_waitid, args),
        libc::EFAULT,
    )
}

/// Makes a child with these flags, which does `work` on a copy of the stack: memory is not shared.
fn clone(flags: i32, work: impl FnOnce() -> i32) -> sys::Result<i32> {
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
    let pid = must(
        "clone",
        clone(flags, || match sys::open(null) {
            Ok(fd) => fd,
            Err(_) => 255,
        }),
    )?;
    let Ended::Exited(fd) = must("wait", child::wait(pid))? else {
        return Err("the child was killed".into());
    };
    must("the child's descriptor is here", sys::close(fd))?;
    let pid = must(
        "fork",
        child::start(|| match sys::open(null) {
            Ok(fd) => fd,
            Err(_) => 255,
        }),
    )?;
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

fn prctl(option: i32, first: u64) -> sys::Result {
    sys::call(libc::SYS_prctl, [option as u64, first, 0, 0, 0])
}

fn subreapers_get_orphans() -> Verdict {
    must("prctl", prctl(libc::PR_SET_CHILD_SUBREAPER, 1))?;
    let mut is = [0_u32];
    must(
        "prctl",
        prctl(libc::PR_GET_CHILD_SUBREAPER, sys::at(&mut is)),
    )?;
    same("it is one", is, [1])?;
    let own = sys::getpid();
    let pid = must(
        "fork",
        child::start(move || {
            let middle = sys::getpid();
            let started = child::start(move || {
                while sys::getppid() == middle {
                    let _ = sys::sleep_ms(1);
                }
                i32::from(sys::getppid() != own)
            });
            i32::from(started.is_err())
        }),
    )?;
    same("the middle", child::wait(pid), Ok(Ended::Exited(0)))?;
    let (_, status) = must("the orphan", sys::wait4(-1, 0))?;
    same(
        "has a new parent",
        Ended::from_status(status),
        Ended::Exited(0),
    )
}

fn the_end_of_a_parent_is_told() -> Verdict {
    must("prctl", prctl(libc::PR_SET_CHILD_SUBREAPER, 1))?;
    refused("no signal", prctl(libc::PR_SET_PDEATHSIG, 65), libc::EINVAL)?;
    let [wait, go] = must("pipe", sys::pipe())?;
    let pid = must(
        "fork",
        child::start(move || {
            let started = child::start(move || {
                let set = prctl(libc::PR_SET_PDEATHSIG, libc::SIGUSR2 as u64);
                let mut byte = [0_u8];
                let told = sys::write(go, sys::at(&mut byte), 1);
                if set.is_err() || told.is_err() {
                    return 1;
                }
                loop {
                    let _ = sys::call(libc::SYS_pause, []);
                }
            });
            let mut byte = [0_u8];
            i32::from(started.is_err() || sys::read(wait, sys::at(&mut byte), 1) != Ok(1))
        }),
    )?;
    same("the middle", child::wait(pid), Ok(Ended::Exited(0)))?;
    let (_, status) = must("the orphan", sys::wait4(-1, 0))?;
    let want = Ended::Killed(libc::SIGUSR2);
    same("was told", Ended::from_status(status), want)
}

fn who_ignores_children_has_none() -> Verdict {
    let mut ignore = [1, 0, 0, 0];
    must("ignore", signals::set_action(libc::SIGCHLD, &mut ignore))?;
    let pid = must("fork", child::start(|| 0))?;
    refused("gone", sys::wait4(pid, 0), libc::ECHILD)?;
    // A clone is none of those that are ignored.
    let pid = must("clone", clone(0, || 2))?;
    same("a clone", sys::wait4(pid, WALL), Ok((pid, 2 << 8)))
}

fn setpgid(pid: i32, group: i32) -> sys::Result {
    sys::call(libc::SYS_setpgid, [pid as u64, group as u64])
}

fn groups_are_settled_before_exec() -> Verdict {
    let [wait, go] = must("pipe", sys::pipe())?;
    must(
        "close-on-exec",
        sys::call(libc::SYS_fcntl, [go as u64, 2, 1]),
    )?;
    let pid = must(
        "fork",
        child::start(move || {
            let _ = sys::close(wait);
            let arguments = [c"probe".as_ptr() as u64, c"paused".as_ptr() as u64, 0];
            let path = c"/proc/self/exe".as_ptr() as u64;
            let _ = sys::call(libc::SYS_execve, [path, arguments.as_ptr() as u64, 0]);
            1
        }),
    )?;
    must("before", setpgid(pid, 0))
        .or_else(|_| refused("or not", setpgid(pid, 0), libc::EACCES).map(|()| 0))?;
    must("close", sys::close(go))?;
    let mut byte = [0_u8];
    same(
        "it has executed",
        sys::read(wait, sys::at(&mut byte), 1),
        Ok(0),
    )?;
    refused("after", setpgid(pid, 0), libc::EACCES)?;
    refused("a stranger", setpgid(1, 0), libc::ESRCH)?;
    refused("a negative group", setpgid(0, -1), libc::EINVAL)?;
    must("kill", signals::kill(pid, libc::SIGKILL))?;
    must("wait", child::wait(pid)).map(|_| ())
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
