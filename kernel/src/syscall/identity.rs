//! Who a process is: numbers, groups, its thread's words.

use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use abi::process::{ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_FS, ARCH_SET_GS, PERSONA_QUERY, Persona};
use addr::USER_END;

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::process;
use crate::process::thread::{Thread, thread_of};
use crate::process::tree::{self, Family};
use crate::task;

/// Size of `struct robust_list_head`.
const ROBUST_LIST_HEAD: u64 = 24;

/// `getpid()`.
pub fn getpid(_: &mut TrapFrame) -> SysResult {
    Ok(process::current().pid().into())
}

/// `gettid()`.
pub fn gettid(_: &mut TrapFrame) -> SysResult {
    Ok(process::current_thread().tid().into())
}

/// `getppid()`.
pub fn getppid(_: &mut TrapFrame) -> SysResult {
    Ok(process::current().parent().into())
}

/// `getpgrp()`.
pub fn getpgrp(_: &mut TrapFrame) -> SysResult {
    Ok(own_family()?.group.into())
}

/// `getpgid(pid)`.
pub fn getpgid(frame: &mut TrapFrame) -> SysResult {
    Ok(family(frame.args()[0])?.group.into())
}

/// `getsid(pid)`.
pub fn getsid(frame: &mut TrapFrame) -> SysResult {
    Ok(family(frame.args()[0])?.session.into())
}

/// `setpgid(pid, group)`.
pub fn setpgid(frame: &mut TrapFrame) -> SysResult {
    let [pid, group, ..] = frame.args().map(|arg| arg as i32);
    let caller = process::current().pid();
    if group < 0 {
        return Err(Errno::EINVAL);
    }
    let pid = if pid == 0 {
        caller
    } else {
        u32::try_from(pid).map_err(|_| Errno::ESRCH)?
    };
    tree::set_group(caller, pid, if group == 0 { pid } else { group as u32 })?;
    Ok(0)
}

/// `setsid()`.
pub fn setsid(_: &mut TrapFrame) -> SysResult {
    let pid = process::current().pid();
    tree::new_session(pid)?;
    process::current().leave_terminal();
    Ok(pid.into())
}

/// `personality(persona)`: sets it, unless the argument is 0xffffffff, and returns the one before.
pub fn personality(frame: &mut TrapFrame) -> SysResult {
    let asked = frame.args()[0] as u32;
    let process = process::current();
    let before = process.persona();
    if asked != PERSONA_QUERY {
        let persona = Persona::from_bits_retain(asked);
        if persona.intersects(Persona::UNSUPPORTED) {
            return Err(Errno::EINVAL);
        }
        process.set_persona(persona);
    }
    Ok(before.bits().into())
}

/// `umask(mask)`.
pub fn umask(frame: &mut TrapFrame) -> SysResult {
    Ok(process::current()
        .set_umask(frame.args()[0] as u32 & 0o777)
        .into())
}

/// `set_tid_address(addr)`.
pub fn set_tid_address(frame: &mut TrapFrame) -> SysResult {
    let thread = process::current_thread();
    thread.clear_child_tid.store(frame.args()[0], Relaxed);
    Ok(thread.tid().into())
}

/// `set_robust_list(head, size)`.
pub fn set_robust_list(frame: &mut TrapFrame) -> SysResult {
    let [head, size, ..] = frame.args();
    if size != ROBUST_LIST_HEAD {
        return Err(Errno::EINVAL);
    }
    process::current_thread().robust_list.store(head, Relaxed);
    Ok(0)
}

/// `get_robust_list(pid, head, size)`.
pub fn get_robust_list(frame: &mut TrapFrame) -> SysResult {
    let [pid, head, size, ..] = frame.args();
    let found = match pid as i32 {
        0 => process::current_thread().robust_list.load(Relaxed),
        tid => robust_list_of(u32::try_from(tid).map_err(|_| Errno::ESRCH)?)?,
    };
    args::write(size, &ROBUST_LIST_HEAD)?;
    args::write(head, &found)?;
    Ok(0)
}

fn robust_list_of(tid: u32) -> Result<u64, Errno> {
    let process = tree::find_by_tid(tid).ok_or(Errno::ESRCH)?;
    let list = |thread: &Thread| thread.robust_list.load(Relaxed);
    // A first thread that has ended can still be named, and has none.
    let task = process.task_of(tid);
    Ok(task.as_deref().and_then(thread_of).map_or(0, list))
}

/// `arch_prctl(code, addr)` (AB-9).
pub fn arch_prctl(frame: &mut TrapFrame) -> SysResult {
    let [code, addr, ..] = frame.args();
    let task = task::current();
    match code as u32 {
        ARCH_SET_FS | ARCH_SET_GS if addr >= USER_END => return Err(Errno::EPERM),
        ARCH_SET_FS => task.set_fs_base(addr),
        ARCH_SET_GS => task.set_gs_base(addr),
        ARCH_GET_FS => args::write(addr, &task.fs_base())?,
        ARCH_GET_GS => args::write(addr, &task.gs_base())?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

fn own_or(pid: u64) -> Result<u32, Errno> {
    match pid as i32 {
        0 => Ok(process::current().pid()),
        pid => u32::try_from(pid).map_err(|_| Errno::ESRCH),
    }
}

fn own_family() -> Result<Family, Errno> {
    tree::family(process::current().pid()).ok_or(Errno::ESRCH)
}

fn family(pid: u64) -> Result<Family, Errno> {
    tree::family(own_or(pid)?).ok_or(Errno::ESRCH)
}
