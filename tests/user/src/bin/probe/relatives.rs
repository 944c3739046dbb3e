//! Children of every kind: how `waitid` tells of them, who inherits whom.

use user::child::{self, Ended};
use user::probe::{Topic, Verdict, must, refused, same};
use user::signals;
use user::sys;

use crate::clones::clone;

pub(crate) const TOPIC: Topic = Topic {
    name: "relatives",
    about: "waitid, subreapers, groups",
    cases: &[
        (
            "waitid_tells_how_a_child_ended",
            waitid_tells_how_a_child_ended,
        ),
        ("waitid_can_look_and_leave", waitid_can_look_and_leave),
        ("waitid_tells_of_stops", waitid_tells_of_stops),
        ("waitid_refuses_nonsense", waitid_refuses_nonsense),
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
        (
            "one_kill_ends_a_family_that_runs_away",
            one_kill_ends_a_family_that_runs_away,
        ),
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
pub(crate) const WALL: i32 = 0x4000_0000;

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
    let pid = must("fork", child::start_pausing())?;
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
    let pid = must("fork", child::start_pausing())?;
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

/// Makes a child and ends, and so does the child, on and on.
fn run_away() -> i32 {
    loop {
        match sys::fork() {
            Ok(0) => {}
            _ => return 0,
        }
    }
}

/// One signal for the group reaches also whoever is being born at that moment: nobody is left to go on.
fn one_kill_ends_a_family_that_runs_away() -> Verdict {
    must("prctl", prctl(libc::PR_SET_CHILD_SUBREAPER, 1))?;
    for round in 0..40 {
        let first = must(
            "fork",
            child::start(|| {
                let own = sys::call(libc::SYS_setpgid, [0, 0]);
                for _ in 0..3 {
                    let _ = child::start(run_away);
                }
                i32::from(own.is_err())
            }),
        )?;
        same("the first", child::wait(first), Ok(Ended::Exited(0)))?;
        for _ in 0..round {
            let _ = sys::call(libc::SYS_sched_yield, []);
        }
        let group = -i64::from(first) as u64;
        let killed = sys::call(libc::SYS_kill, [group, libc::SIGKILL as u64]);
        must("kill", killed)?;
        let mut looks = 0;
        while let Ok((pid, _)) = sys::wait4(-1, libc::WNOHANG | WALL) {
            looks += u32::from(pid == 0);
            if looks > 3000 {
                let _ = sys::call(libc::SYS_kill, [group, libc::SIGKILL as u64]);
                return Err(format!("in round {round} somebody goes on"));
            }
            if pid == 0 {
                let _ = sys::sleep_ms(1);
            }
        }
    }
    Ok(())
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
