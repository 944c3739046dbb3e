//! Processes: clone and its relatives, exit, wait.

use abi::linux::{__WALL, __WCLONE, __WNOTHREAD, CSIGNAL, WCONTINUED, WNOHANG, WUNTRACED};
use abi::process::{CloneArgs, CloneFlags, Rusage};
use abi::time::Timeval;
use abi::{Errno, Signal};
use addr::{PAGE_SIZE, USER_END};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::process::fork::{self, CloneRequest};
use crate::process::tree::{self, Selector};
use crate::process::usage::Usage;
use crate::process::wait::{self, Event, Interest};
use crate::process::{self, ExitStatus};

/// `fork()`.
pub fn fork(frame: &mut TrapFrame) -> SysResult {
    start_child(frame, &CloneRequest::plain(CloneFlags::empty()))
}

/// `vfork()`.
pub fn vfork(frame: &mut TrapFrame) -> SysResult {
    start_child(
        frame,
        &CloneRequest::plain(CloneFlags::VM | CloneFlags::VFORK),
    )
}

/// `clone(flags, stack, parent_tid, child_tid, tls)`.
pub fn clone(frame: &mut TrapFrame) -> SysResult {
    let [flags, stack, parent_tid, child_tid, tls, _] = frame.args();
    let signal = flags & u64::from(CSIGNAL);
    let flags = CloneFlags::from_bits_retain(flags & u64::from(u32::MAX) & !u64::from(CSIGNAL));
    check_clone(flags, signal)?;
    let request = CloneRequest {
        flags,
        stack,
        parent_tid,
        child_tid,
        tls,
    };
    start_child(frame, &request)
}

/// `clone3(args, size)`.
pub fn clone3(frame: &mut TrapFrame) -> SysResult {
    let [addr, size, ..] = frame.args();
    let asked: CloneArgs = args::extensible(addr, size, CloneArgs::FIRST_SIZE)?;
    let flags = CloneFlags::from_bits_retain(asked.flags);
    let no_signal = flags.intersects(CloneFlags::THREAD | CloneFlags::PARENT);
    let contradictory = asked.flags & u64::from(CSIGNAL) != 0
        || flags.contains(CloneFlags::DETACHED)
        || flags.contains(CloneFlags::SIGHAND | CloneFlags::CLEAR_SIGHAND)
        || asked.exit_signal > u64::from(CSIGNAL)
        || no_signal && asked.exit_signal != 0
        || (asked.stack == 0) != (asked.stack_size == 0)
        || asked.stack != 0 && addr::user_range(asked.stack, asked.stack_size).is_none()
        || asked.set_tid != 0
        || asked.set_tid_size != 0;
    if contradictory {
        return Err(Errno::EINVAL);
    }
    check_clone(flags, asked.exit_signal)?;
    let request = CloneRequest {
        flags,
        stack: asked.stack + asked.stack_size,
        parent_tid: asked.parent_tid,
        child_tid: asked.child_tid,
        tls: asked.tls,
    };
    start_child(frame, &request)
}

/// `exit(code)`: ends the thread.
pub fn exit(frame: &mut TrapFrame) -> SysResult {
    let [code, ..] = frame.args();
    process::exit_thread(ExitStatus::Exited(code as u8))
}

/// `exit_group(code)`: ends the process.
pub fn exit_group(frame: &mut TrapFrame) -> SysResult {
    let [code, ..] = frame.args();
    process::exit_group(ExitStatus::Exited(code as u8))
}

/// `wait4(pid, status, options, rusage)`.
pub fn wait4(frame: &mut TrapFrame) -> SysResult {
    let [pid, status, options, rusage, ..] = frame.args();
    let options = options as u32;
    if options & !(WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE | __WNOTHREAD) != 0 {
        return Err(Errno::EINVAL);
    }
    // Every child reports with SIGCHLD; a wait for others only finds none.
    if options & (__WALL | __WCLONE) == __WCLONE {
        return Err(Errno::ECHILD);
    }
    let interest = Interest {
        stopped: options & WUNTRACED != 0,
        continued: options & WCONTINUED != 0,
    };
    let event = wait::wait(selector(pid as i32)?, interest, options & WNOHANG == 0)?;
    let (pid, word, used) = match event {
        Some(Event::Ended(child)) => (child.pid, child.status.wait_word(), child.usage),
        Some(Event::Changed { pid, change }) => (pid, change.wait_word(), Usage::default()),
        None => return Ok(0),
    };
    args::write_optional(status, &word)?;
    args::write_optional(rusage, &usage(&used))?;
    Ok(pid.into())
}

/// What `getrusage` and `wait4` tell of a usage: all CPU time counts as user time.
pub(super) fn usage(usage: &Usage) -> Rusage {
    Rusage {
        utime: Timeval::from_ns(usage.cpu_ns),
        maxrss: usage.peak_rss * PAGE_SIZE / 1024,
        minflt: usage.min_faults,
        majflt: usage.maj_faults,
        ..Rusage::default()
    }
}

fn start_child(frame: &TrapFrame, request: &CloneRequest) -> SysResult {
    if request.flags.contains(CloneFlags::SETTLS) && request.tls >= USER_END {
        return Err(Errno::EPERM);
    }
    Ok(fork::fork(frame, request)?.into())
}

/// Accepts what can be done exactly as Linux does it; flags without meaning here are passed over.
fn check_clone(flags: CloneFlags, signal: u64) -> Result<(), Errno> {
    let is_thread = flags.contains(CloneFlags::THREAD);
    let contradictory = is_thread && !flags.contains(CloneFlags::SIGHAND)
        || flags.contains(CloneFlags::SIGHAND) && !flags.contains(CloneFlags::VM)
        || flags.contains(CloneFlags::FS | CloneFlags::NEWNS);
    if contradictory {
        return Err(Errno::EINVAL);
    }
    // What threads share they share all, and others share none of it.
    let shared = CloneFlags::SIGHAND | CloneFlags::FILES | CloneFlags::FS;
    let wants = flags.intersection(shared);
    let possible = CloneFlags::VM
        | CloneFlags::VFORK
        | CloneFlags::THREAD
        | shared
        | CloneFlags::SETTLS
        | CloneFlags::PARENT_SETTID
        | CloneFlags::CHILD_SETTID
        | CloneFlags::CHILD_CLEARTID
        | CloneFlags::CLEAR_SIGHAND
        | CloneFlags::SYSVSEM
        | CloneFlags::IO
        | CloneFlags::DETACHED
        | CloneFlags::UNTRACED;
    let can_share = if is_thread {
        wants == shared
    } else {
        wants.is_empty()
    };
    let can_tell = is_thread || signal == u64::from(Signal::CHLD.number());
    match possible.contains(flags) && can_share && can_tell {
        true => Ok(()),
        false => Err(Errno::EINVAL),
    }
}

fn selector(pid: i32) -> Result<Selector, Errno> {
    Ok(match pid {
        -1 => Selector::Any,
        0 => {
            Selector::Group(tree::family(process::current().pid()).map_or(0, |family| family.group))
        }
        1.. => Selector::Pid(pid as u32),
        i32::MIN => return Err(Errno::ESRCH),
        _ => Selector::Group(pid.unsigned_abs()),
    })
}
