//! Waiting for children: `wait4` and `waitid`, and what is told of what they used.

use abi::linux::{
    __WALL, __WCLONE, __WNOTHREAD, P_ALL, P_PGID, P_PID, P_PIDFD, WCONTINUED, WEXITED, WNOHANG,
    WNOWAIT, WSTOPPED, WUNTRACED,
};
use abi::process::Rusage;
use abi::time::Timeval;
use abi::{Errno, Signal, file::OpenFlags};
use addr::PAGE_SIZE;

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::process::pidfd::PidFd;
use crate::process::tree::{self, Children, Event, Look, Outcome, Selector};
use crate::process::usage::Usage;
use crate::process::{self, exit, wait};

/// What says of both calls which children are meant.
const KINDS: u32 = __WALL | __WCLONE | __WNOTHREAD;

/// `wait4(pid, status, options, rusage)`.
pub fn wait4(frame: &mut TrapFrame) -> SysResult {
    let [pid, status, options, rusage, ..] = frame.args();
    let options = options as u32;
    if options & !(WNOHANG | WUNTRACED | WCONTINUED | KINDS) != 0 {
        return Err(Errno::EINVAL);
    }
    let look = look(selector(pid as i32)?, options | WEXITED);
    let Some(event) = wait::wait(&look, options & WNOHANG == 0)? else {
        return Ok(0);
    };
    let word = match event.outcome {
        Outcome::Ended(status) => status.wait_word(),
        Outcome::Changed(change) => change.wait_word(),
    };
    args::write_optional(status, &word)?;
    args::write_optional(rusage, &usage_of(&event))?;
    Ok(event.pid.into())
}

/// `waitid(which, id, info, options, rusage)`.
pub fn waitid(frame: &mut TrapFrame) -> SysResult {
    let [which, id, info, options, rusage, _] = frame.args();
    let options = options as u32;
    let wanted = WEXITED | WSTOPPED | WCONTINUED;
    if options & !(WNOHANG | WNOWAIT | wanted | KINDS) != 0 || options & wanted == 0 {
        return Err(Errno::EINVAL);
    }
    let (selector, may_sleep) = selected(which as u32, id as i32)?;
    let sleeps = options & WNOHANG == 0 && may_sleep;
    let outcome = wait::wait(&look(selector, options), sleeps);
    if matches!(outcome, Err(wait::WaitError::Interrupted)) {
        return Err(Errno::RESTART_SYS);
    }
    if let Ok(Some(event)) = &outcome {
        args::write_optional(rusage, &usage_of(event))?;
    }
    let found = outcome.as_ref().ok().and_then(Option::as_ref);
    if info != 0 {
        // Nothing else of the structure is touched, not even what lies between.
        let [about, child] = found.map_or([[0; 3]; 2], words);
        args::write(info, &about)?;
        args::write(info.wrapping_add(16), &child)?;
    }
    match outcome? {
        None if !may_sleep && options & WNOHANG == 0 => Err(Errno::EAGAIN),
        _ => Ok(0),
    }
}

/// `si_signo`, `si_errno`, `si_code`; `si_pid`, `si_uid`, `si_status`.
fn words(event: &Event) -> [[u32; 3]; 2] {
    let (code, status) = match event.outcome {
        Outcome::Ended(status) => exit::status_of(status),
        Outcome::Changed(change) => change.told(),
    };
    let signo = u32::from(Signal::CHLD.number());
    let (pid, uid) = (event.pid, event.process.uid());
    [[signo, 0, code as u32], [pid, uid, status as u32]]
}

fn look(selector: Selector, options: u32) -> Look {
    let has = |option: u32| options & option != 0;
    let own = process::current_thread().tid();
    Look {
        parent: process::current().pid(),
        selector,
        children: match () {
            () if has(__WALL) => Children::All,
            () if has(__WCLONE) => Children::Clones,
            () => Children::Plain,
        },
        maker: has(__WNOTHREAD).then_some(own),
        ended: has(WEXITED),
        stopped: has(WUNTRACED),
        continued: has(WCONTINUED),
        keeps: has(WNOWAIT),
    }
}

/// What `getrusage` and the waits tell of a usage.
pub(super) fn usage(usage: &Usage) -> Rusage {
    let (user, system) = usage.times();
    let [of_own_will, preempted] = usage.switches;
    Rusage {
        utime: Timeval::from_ns(user),
        stime: Timeval::from_ns(system),
        maxrss: usage.peak_rss * PAGE_SIZE / 1024,
        minflt: usage.min_faults,
        majflt: usage.maj_faults,
        nvcsw: of_own_will,
        nivcsw: preempted,
        ..Rusage::default()
    }
}

fn usage_of(event: &Event) -> Rusage {
    match event.outcome {
        Outcome::Ended(_) => usage(&event.usage),
        Outcome::Changed(_) => {
            let children = tree::children_usage(event.pid);
            usage(&(Usage::of(&event.process) + children))
        }
    }
}

fn own_group() -> u32 {
    tree::family(process::current().pid()).map_or(0, |family| family.group)
}

fn selector(pid: i32) -> Result<Selector, Errno> {
    Ok(match pid {
        -1 => Selector::Any,
        0 => Selector::Group(own_group()),
        1.. => Selector::Pid(pid as u32),
        i32::MIN => return Err(Errno::ESRCH),
        _ => Selector::Group(pid.unsigned_abs()),
    })
}

/// Reads whom `waitid` means, and whether it may sleep for them: a descriptor may say no.
fn selected(which: u32, id: i32) -> Result<(Selector, bool), Errno> {
    match which {
        P_ALL => Ok((Selector::Any, true)),
        P_PID if id > 0 => Ok((Selector::Pid(id as u32), true)),
        P_PGID if id == 0 => Ok((Selector::Group(own_group()), true)),
        P_PGID if id > 0 => Ok((Selector::Group(id as u32), true)),
        P_PIDFD if id >= 0 => {
            let file = args::file(id as u64)?;
            let pidfd = file
                .file()
                .as_any()
                .and_then(|any| any.downcast_ref::<PidFd>());
            let (number, _) = pidfd.ok_or(Errno::EBADF)?.number();
            let nonblocking = file.flags().contains(OpenFlags::NONBLOCK);
            Ok((Selector::Pid(number), !nonblocking))
        }
        _ => Err(Errno::EINVAL),
    }
}
