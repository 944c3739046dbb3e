//! The priority of input and output: kept, since there are no disks that it could matter for.

use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use cred::Cap;

use super::SysResult;
use super::sched::{check_owner, meant};
use crate::arch::trapframe::TrapFrame;
use crate::process::creds;
use crate::process::thread::thread_of;
use crate::task::TaskRef;

/// In a priority of input and output: the class above its level.
const IO_CLASS_SHIFT: u32 = 13;
const IO_REALTIME: u32 = 1;
const IO_BEST_EFFORT: u32 = 2;
const IO_IDLE: u32 = 3;

/// `ioprio_set(which, who, priority)`: there are no disks that it could matter for, so it is only kept.
pub fn ioprio_set(frame: &mut TrapFrame) -> SysResult {
    let [which, who, priority, ..] = frame.args();
    let priority = priority as u32;
    match priority >> IO_CLASS_SHIFT {
        IO_REALTIME if !creds::has(Cap::SysAdmin) && !creds::has(Cap::SysNice) => {
            return Err(Errno::EPERM);
        }
        IO_REALTIME | IO_BEST_EFFORT if priority & 0x1fff < 8 => {}
        IO_IDLE => {}
        0 if priority & 7 == 0 => {}
        _ => return Err(Errno::EINVAL),
    }
    let tasks = meant_by_io(which, who)?;
    for task in &tasks {
        check_owner(task)?;
        if let Some(thread) = thread_of(task) {
            thread.process().io_priority.store(priority, Relaxed);
        }
    }
    match tasks.is_empty() {
        true => Err(Errno::ESRCH),
        false => Ok(0),
    }
}

/// `ioprio_get(which, who)`.
pub fn ioprio_get(frame: &mut TrapFrame) -> SysResult {
    let [which, who, ..] = frame.args();
    let of = |task: &TaskRef| {
        let kept = thread_of(task)?.process().io_priority.load(Relaxed);
        // Who has none has that of his share.
        Some(if kept == 0 {
            IO_BEST_EFFORT << IO_CLASS_SHIFT | 4
        } else {
            kept
        })
    };
    let highest = meant_by_io(which, who)?.iter().filter_map(of).min();
    Ok(highest.ok_or(Errno::ESRCH)?.into())
}

/// These calls count from 1 what others count from 0.
fn meant_by_io(which: u64, who: u64) -> Result<Vec<TaskRef>, Errno> {
    match which {
        1..=3 => meant(which - 1, who),
        _ => Err(Errno::EINVAL),
    }
}
