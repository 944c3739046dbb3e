//! What one process asks of another: its memory, its limits, whether the two share something. And barriers among threads.

use alloc::sync::Arc;
use alloc::vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use abi::linux::{RLIMIT_CPU, RLIMIT_SIGPENDING};
use abi::process::Rlimit;
use addr::PAGE_SIZE;

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::user_buf::UserSpan;
use crate::mm::uaccess;
use crate::process::limits::LimitError;
use crate::process::{self, Process, creds, tree};
use crate::{smp, task};

/// `prlimit64(pid, resource, new, old)`.
pub fn prlimit64(frame: &mut TrapFrame) -> SysResult {
    let [pid, resource, new, old, ..] = frame.args();
    let new = args::read_optional::<Rlimit>(new)?;
    let target = match pid as i32 {
        0 => None,
        pid => Some(other(pid)?),
    };
    let own = process::current();
    let target = target.as_deref().unwrap_or(&own);
    let permitted =
        core::ptr::eq(target, &*own) || cred::program::may_limit(&creds::cred(), &target.cred());
    if !permitted {
        return Err(Errno::EPERM);
    }
    let before = target
        .with_limits(|limits| limits.get(resource))
        .ok_or(Errno::EINVAL)?;
    if let Some(new) = new {
        set_limit(target, resource, new)?;
    }
    args::write_optional(old, &before)?;
    Ok(0)
}

/// `getrlimit(resource, limit)`.
pub fn getrlimit(frame: &mut TrapFrame) -> SysResult {
    let [resource, addr, ..] = frame.args();
    let limit = process::current().with_limits(|limits| limits.get(resource));
    args::write(addr, &limit.ok_or(Errno::EINVAL)?)?;
    Ok(0)
}

/// `setrlimit(resource, limit)`.
pub fn setrlimit(frame: &mut TrapFrame) -> SysResult {
    let [resource, addr, ..] = frame.args();
    set_limit(&process::current(), resource, args::read(addr)?)?;
    Ok(0)
}

fn set_limit(target: &Process, resource: u64, new: Rlimit) -> Result<(), LimitError> {
    let may_raise = creds::has(cred::Cap::SysResource);
    target.with_limits(|limits| limits.set(resource, new, may_raise))?;
    if resource as u32 == RLIMIT_CPU && new.current != Rlimit::INFINITY {
        target.watches_cpu.store(true, Relaxed);
    }
    if resource as u32 == RLIMIT_SIGPENDING {
        let limit = usize::try_from(new.current).unwrap_or(usize::MAX);
        target.with_signals(|signals| signals.set_limit(limit));
    }
    if let Some(mm) = target.mm() {
        mm.set_limits(target.with_limits(|limits| limits.mm()));
    }
    Ok(())
}

/// `process_vm_readv(pid, local, local count, remote, remote count, flags)`.
pub fn process_vm_readv(frame: &mut TrapFrame) -> SysResult {
    transfer(frame.args(), false)
}

/// `process_vm_writev(…)`.
pub fn process_vm_writev(frame: &mut TrapFrame) -> SysResult {
    transfer(frame.args(), true)
}

/// Moves bytes between this process and another, until one of the lists is over or something is not there.
fn transfer(
    [pid, local, local_count, remote, remote_count, flags]: [u64; 6],
    writes: bool,
) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let here = args::spans(local, local_count)?;
    let there = args::spans(remote, remote_count)?;
    if here.iter().all(|span| span.len == 0) || there.is_empty() {
        return Ok(0);
    }
    let target = other(pid as i32)?;
    if !creds::may_inspect(&target, false) {
        return Err(Errno::EPERM);
    }
    let mm = target.mm().ok_or(Errno::ESRCH)?;
    let mut bytes = vec![0; PAGE_SIZE as usize];
    let mut here = Cursor::new(&here);
    let mut there = Cursor::new(&there);
    let mut done = 0;
    while let (Some(own), Some(others)) = (here.piece(), there.piece()) {
        // Whole pieces within a page: what is not there stops it at a page's beginning.
        let in_page = PAGE_SIZE - others.addr % PAGE_SIZE;
        let len = own.len.min(others.len).min(in_page);
        let piece = &mut bytes[..len as usize];
        let moved = if writes {
            let read = uaccess::copy_from_user_partial(piece, own.addr) == piece.len();
            read && mm.write_remote(others.addr, piece).is_ok()
        } else {
            let read = mm.read_remote(others.addr, piece).is_ok();
            read && uaccess::copy_to_user(own.addr, piece).is_ok()
        };
        if !moved {
            return match done {
                0 => Err(Errno::EFAULT),
                done => Ok(done),
            };
        }
        here.advance(len);
        there.advance(len);
        done += len;
        if task::current().fatal_signal().is_some() {
            return Ok(done);
        }
    }
    Ok(done)
}

/// Where a transfer is in a list of spans.
struct Cursor<'a> {
    spans: &'a [UserSpan],
    done: u64,
}

impl<'a> Cursor<'a> {
    fn new(spans: &'a [UserSpan]) -> Self {
        Self { spans, done: 0 }
    }

    /// Returns what is left of the first span that has something left.
    fn piece(&mut self) -> Option<UserSpan> {
        while let Some(span) = self.spans.first() {
            if self.done < span.len {
                return Some(UserSpan {
                    addr: span.addr + self.done,
                    len: span.len - self.done,
                });
            }
            self.spans = &self.spans[1..];
            self.done = 0;
        }
        None
    }

    fn advance(&mut self, len: u64) {
        self.done += len;
    }
}

/// `kcmp(pid1, pid2, type, idx1, idx2)`: 0 for the same, else an order that stays.
pub fn kcmp(frame: &mut TrapFrame) -> SysResult {
    const FILE: u32 = 0;
    const VM: u32 = 1;
    const FILES: u32 = 2;
    const FS: u32 = 3;
    const SIGHAND: u32 = 4;
    const IO: u32 = 5;
    const SYSVSEM: u32 = 6;
    let [first, second, kind, index1, index2, _] = frame.args();
    let [first, second] = [other(first as i32)?, other(second as i32)?];
    if !creds::may_inspect(&first, false) || !creds::may_inspect(&second, false) {
        return Err(Errno::EPERM);
    }
    let is_same = Arc::ptr_eq(&first, &second);
    let own = |process: &Arc<Process>| Arc::as_ptr(process) as usize;
    let [a, b] = match kind as u32 {
        FILE => {
            let file = |process: &Process, index: u64| process.file(index as i32);
            let [a, b] = [file(&first, index1), file(&second, index2)];
            [a.ok_or(Errno::EBADF)?, b.ok_or(Errno::EBADF)?].map(|file| Arc::as_ptr(&file) as usize)
        }
        VM => {
            let mm = |process: &Process| process.mm().map_or(0, |mm| mm.id().as_u64() as usize);
            [mm(&first), mm(&second)]
        }
        FILES => [first.files_name(), second.files_name()],
        FS => [first.place_name(), second.place_name()],
        SIGHAND if !is_same => [first.handlers_name(), second.handlers_name()],
        // Nobody has contexts of input and output, or adjustments of semaphores.
        SIGHAND | IO | SYSVSEM => [0, 0],
        _ => return Err(Errno::EINVAL),
    };
    let [a, b] = if is_same && kind as u32 != FILE {
        [own(&first); 2]
    } else {
        [a, b]
    };
    Ok(match a.cmp(&b) {
        core::cmp::Ordering::Equal => 0,
        core::cmp::Ordering::Less => 1,
        core::cmp::Ordering::Greater => 2,
    })
}

/// `membarrier(command, flags, cpu)`: whoever runs on another CPU passes a full barrier before it returns.
pub fn membarrier(frame: &mut TrapFrame) -> SysResult {
    const QUERY: u32 = 0;
    const GLOBAL: u32 = 1;
    const GLOBAL_EXPEDITED: u32 = 2;
    const REGISTER_GLOBAL: u32 = 4;
    const PRIVATE: u32 = 8;
    const REGISTER_PRIVATE: u32 = 16;
    const PRIVATE_SYNC: u32 = 32;
    const REGISTER_SYNC: u32 = 64;
    const GET_REGISTRATIONS: u32 = 512;
    const ALL: u32 = GLOBAL
        | GLOBAL_EXPEDITED
        | REGISTER_GLOBAL
        | PRIVATE
        | REGISTER_PRIVATE
        | PRIVATE_SYNC
        | REGISTER_SYNC
        | GET_REGISTRATIONS;
    let [command, flags, ..] = frame.args().map(|arg| arg as u32);
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let process = process::current();
    let registered = process.barriers.load(Relaxed);
    match command {
        QUERY => return Ok(ALL.into()),
        GET_REGISTRATIONS => return Ok(registered.into()),
        REGISTER_GLOBAL | REGISTER_PRIVATE | REGISTER_SYNC => {
            process.barriers.fetch_or(command, Relaxed);
            return Ok(0);
        }
        GLOBAL | GLOBAL_EXPEDITED => {}
        PRIVATE | PRIVATE_SYNC if registered & command << 1 == 0 => return Err(Errno::EPERM),
        PRIVATE | PRIVATE_SYNC => {}
        _ => return Err(Errno::EINVAL),
    }
    // An interrupt is a barrier, and its return lets the CPU see changed code.
    smp::call_function(smp::online(), |_| (), 0, true);
    Ok(0)
}

fn other(pid: i32) -> Result<Arc<Process>, Errno> {
    let number = u32::try_from(pid).map_err(|_| Errno::ESRCH)?;
    tree::find_by_tid(number).ok_or(Errno::ESRCH)
}
