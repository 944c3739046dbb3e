//! Processes: clone and its relatives, exit.

use abi::linux::CSIGNAL;
use abi::process::{CloneArgs, CloneFlags};
use abi::{Errno, Signal};
use addr::USER_END;
use cred::Cap;

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::process::fork::{self, CloneRequest};
use crate::process::{self, ExitStatus, creds, tree};

/// The most numbers that `set_tid` may name: more levels of namespaces than there are anywhere.
const MOST_NUMBERS: u64 = 32;

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

/// `clone(flags, stack, parent_tid, child_tid, tls)`: the descriptor of the child goes where its number would.
pub fn clone(frame: &mut TrapFrame) -> SysResult {
    let [flags, stack, parent_tid, child_tid, tls, _] = frame.args();
    let signal = flags & u64::from(CSIGNAL);
    let flags = CloneFlags::from_bits_retain(flags & u64::from(u32::MAX) & !u64::from(CSIGNAL));
    if flags.contains(CloneFlags::PIDFD | CloneFlags::PARENT_SETTID) {
        return Err(Errno::EINVAL);
    }
    let request = CloneRequest {
        flags,
        stack,
        parent_tid,
        child_tid,
        tls,
        exit_signal: Signal::new(signal),
        pidfd: parent_tid,
        number: None,
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
        || asked.flags & !CloneFlags::KNOWN != 0
        || flags.contains(CloneFlags::DETACHED)
        || flags.contains(CloneFlags::SIGHAND | CloneFlags::CLEAR_SIGHAND)
        || asked.exit_signal > Signal::COUNT as u64
        || no_signal && asked.exit_signal != 0
        || (asked.stack == 0) != (asked.stack_size == 0)
        || asked.stack != 0 && addr::user_range(asked.stack, asked.stack_size).is_none()
        || (asked.set_tid == 0) != (asked.set_tid_size == 0)
        || asked.set_tid_size > MOST_NUMBERS;
    if contradictory {
        return Err(Errno::EINVAL);
    }
    let numbers = (asked.set_tid, asked.set_tid_size);
    let request = CloneRequest {
        flags,
        stack: asked.stack + asked.stack_size,
        parent_tid: asked.parent_tid,
        child_tid: asked.child_tid,
        tls: asked.tls,
        exit_signal: Signal::new(asked.exit_signal),
        pidfd: asked.pidfd,
        number: chosen_number(numbers)?,
    };
    start_child(frame, &request)
}

/// Reads the number that the child is to have; there is one namespace of numbers.
fn chosen_number((addr, count): (u64, u64)) -> Result<Option<u32>, Errno> {
    if count == 0 {
        return Ok(None);
    }
    let number = args::read::<i32>(addr)?;
    if count > 1 || !(1..tree::PID_MAX as i32).contains(&number) {
        return Err(Errno::EINVAL);
    }
    if !creds::has(Cap::SysAdmin) && !creds::has(Cap::CheckpointRestore) {
        return Err(Errno::EPERM);
    }
    Ok(Some(number as u32))
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

/// `unshare(flags)`: there is nothing to unshare but descriptors and the place in the tree; no namespaces.
pub fn unshare(frame: &mut TrapFrame) -> SysResult {
    let flags = CloneFlags::from_bits_retain(frame.args()[0]);
    let shared = CloneFlags::FILES | CloneFlags::FS | CloneFlags::SYSVSEM;
    // What threads share they share for good.
    let threads = CloneFlags::THREAD | CloneFlags::SIGHAND | CloneFlags::VM;
    if !(shared | threads | CloneFlags::NAMESPACES | CloneFlags::NEWTIME).contains(flags) {
        return Err(Errno::EINVAL);
    }
    if flags.intersects(threads) && process::current().threads() > 1 {
        return Err(Errno::EINVAL);
    }
    refuse_namespaces(flags)?;
    let thread = process::current_thread();
    if flags.intersects(threads) {
        thread.process().unshare_handlers();
    }
    if flags.contains(CloneFlags::FILES) {
        thread.unshare_files();
    }
    if flags.contains(CloneFlags::FS) {
        thread.unshare_place();
    }
    Ok(0)
}

fn start_child(frame: &TrapFrame, request: &CloneRequest) -> SysResult {
    check_clone(request.flags)?;
    if request.flags.contains(CloneFlags::SETTLS) && request.tls >= USER_END {
        return Err(Errno::EPERM);
    }
    Ok(fork::fork(frame, request)?.into())
}

/// Refuses what contradicts itself, and what there is not; flags without meaning here are passed over.
fn check_clone(flags: CloneFlags) -> Result<(), Errno> {
    let is_thread = flags.contains(CloneFlags::THREAD);
    let is_init = process::current().pid() == tree::INIT;
    let contradictory = is_thread && !flags.contains(CloneFlags::SIGHAND)
        || flags.contains(CloneFlags::SIGHAND) && !flags.contains(CloneFlags::VM)
        || flags.contains(CloneFlags::FS | CloneFlags::NEWNS)
        || flags.contains(CloneFlags::PIDFD | CloneFlags::DETACHED)
        || flags.contains(CloneFlags::PARENT) && is_init;
    match contradictory {
        true => Err(Errno::EINVAL),
        false => refuse_namespaces(flags),
    }
}

/// There are no namespaces to make: root learns that, others may not even ask.
fn refuse_namespaces(flags: CloneFlags) -> Result<(), Errno> {
    let asked = flags.intersection(CloneFlags::NAMESPACES | CloneFlags::INTO_CGROUP);
    if asked.is_empty() {
        return Ok(());
    }
    match creds::has(Cap::SysAdmin) {
        true => Err(Errno::EINVAL),
        false => Err(Errno::EPERM),
    }
}
