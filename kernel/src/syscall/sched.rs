//! What a thread asks of the scheduler: its policy, its priority, how nice it is, which CPUs it may use.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::linux::{
    PRIO_PGRP, PRIO_PROCESS, PRIO_USER, RLIMIT_NICE, RLIMIT_RTPRIO, SCHED_DEADLINE, SCHED_EXT,
    SCHED_FLAG_ALL, SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_RESET_ON_FORK,
    SCHED_FLAG_UTIL_CLAMP, SCHED_RESET_ON_FORK,
};
use abi::system::{SCHED_ATTR_SIZE, SchedAttr};
use abi::time::Timespec;
use addr::PAGE_SIZE;
use cred::{Cap, Cred, program};
use runq::weight::{MAX_NICE, MIN_NICE};
use runq::{Params, Policy, RR_SLICE_NS, SLICE_NS};
use zerocopy::IntoBytes;

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::mm::uaccess;
use crate::process::thread::{Thread, thread_of};
use crate::process::{self, creds, tree};
use crate::sched::{self, policy};
use crate::task::{self, TaskRef};

/// Bytes of a set of CPUs.
const MASK: u64 = size_of::<u64>() as u64;
/// What `getpriority` returns for nice level 0; smaller levels are more.
const NICE_BASE: i64 = 20;

/// `sched_yield()`.
pub fn sched_yield(_: &mut TrapFrame) -> SysResult {
    sched::yield_now();
    Ok(0)
}

/// `sched_setaffinity(pid, size, mask)`: what is not told of the set is not in it.
pub fn sched_setaffinity(frame: &mut TrapFrame) -> SysResult {
    let [pid, size, mask, ..] = frame.args();
    let mut bytes = [0; MASK as usize];
    let told = &mut bytes[..size.min(MASK) as usize];
    if uaccess::copy_from_user_partial(told, mask) != told.len() {
        return Err(Errno::EFAULT);
    }
    let task = thread(pid)?;
    let cpus = u64::from_le_bytes(bytes);
    check_owner(&task)?;
    if task.kthread().is_some_and(|control| control.is_bound()) {
        return Err(Errno::EINVAL);
    }
    if !policy::set_allowed(&task, cpus) {
        return Err(Errno::EINVAL);
    }
    Ok(0)
}

/// `sched_getaffinity(pid, size, mask)`: returns how many bytes of the mask were written.
pub fn sched_getaffinity(frame: &mut TrapFrame) -> SysResult {
    let [pid, size, mask, ..] = frame.args();
    if size < MASK || !size.is_multiple_of(MASK) {
        return Err(Errno::EINVAL);
    }
    args::write(mask, &policy::allowed(&*thread(pid)?))?;
    Ok(MASK)
}

/// `sched_setscheduler(pid, policy, param)`.
pub fn sched_setscheduler(frame: &mut TrapFrame) -> SysResult {
    let [pid, policy, param, ..] = frame.args();
    let policy = policy as u32;
    if policy.cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let (task, priority) = with_param(pid, param)?;
    let (reset, policy) = (
        policy & SCHED_RESET_ON_FORK != 0,
        policy & !SCHED_RESET_ON_FORK,
    );
    let nice = policy::params(&task).nice;
    change(&task, Params::asked(policy, priority, nice, reset))
}

/// `sched_setparam(pid, param)`: another priority under the same policy.
pub fn sched_setparam(frame: &mut TrapFrame) -> SysResult {
    let [pid, param, ..] = frame.args();
    let (task, priority) = with_param(pid, param)?;
    let old = policy::params(&task);
    let new = Params::asked(old.policy as u32, priority, old.nice, old.reset_on_fork);
    change(&task, new)
}

/// `sched_getscheduler(pid)`.
pub fn sched_getscheduler(frame: &mut TrapFrame) -> SysResult {
    let [pid, ..] = frame.args();
    let params = policy::params(&*thread_or_invalid(pid)?);
    let flag = match params.reset_on_fork {
        true => SCHED_RESET_ON_FORK,
        false => 0,
    };
    Ok((params.policy as u32 | flag).into())
}

/// `sched_getparam(pid, param)`.
pub fn sched_getparam(frame: &mut TrapFrame) -> SysResult {
    let [pid, param, ..] = frame.args();
    if param == 0 {
        return Err(Errno::EINVAL);
    }
    let params = policy::params(&*thread_or_invalid(pid)?);
    args::write(param, &u32::from(params.rt_priority))?;
    Ok(0)
}

/// `sched_setattr(pid, attr, flags)`.
pub fn sched_setattr(frame: &mut TrapFrame) -> SysResult {
    let [pid, addr, flags, ..] = frame.args();
    if addr == 0 || pid as i32 <= -1 || flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let attr = read_attr(addr)?;
    if attr.policy.cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let task = thread(pid)?;
    let old = policy::params(&task);
    if attr.flags & !u64::from(SCHED_FLAG_ALL) != 0 {
        return Err(Errno::EINVAL);
    }
    if attr.flags & u64::from(SCHED_FLAG_UTIL_CLAMP) != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let has = |flag: u32| attr.flags & u64::from(flag) != 0;
    let (number, reset) = match has(SCHED_FLAG_KEEP_POLICY) {
        true => (old.policy as u32, old.reset_on_fork),
        false => (attr.policy, has(SCHED_FLAG_RESET_ON_FORK)),
    };
    let (priority, nice) = match has(SCHED_FLAG_KEEP_PARAMS) {
        true => (old.rt_priority.into(), old.nice),
        false => (attr.priority, clamped(attr.nice)),
    };
    // Only a share has a level of its own; what others had before stays for later.
    let nice = match Policy::from_number(number) {
        Some(Policy::Normal | Policy::Batch) => nice,
        _ => old.nice,
    };
    change(&task, Params::asked(number, priority, nice, reset))
}

/// Reads the attributes; a longer form than is known here must say nothing in what is more. Who is refused for the length is told
/// the right one.
fn read_attr(addr: u64) -> Result<SchedAttr, Errno> {
    const FIRST: u64 = size_of::<SchedAttr>() as u64;
    let size = match args::read::<u32>(addr)? {
        0 => FIRST,
        size => size.into(),
    };
    if !(FIRST..=PAGE_SIZE).contains(&size) || says_more(addr, size)? {
        args::write(addr, &(SCHED_ATTR_SIZE as u32))?;
        return Err(Errno::E2BIG);
    }
    let attr: SchedAttr = args::read(addr)?;
    if attr.flags & u64::from(SCHED_FLAG_UTIL_CLAMP) != 0 && size < SCHED_ATTR_SIZE {
        return Err(Errno::EINVAL);
    }
    Ok(attr)
}

fn says_more(addr: u64, size: u64) -> Result<bool, Errno> {
    for at in SCHED_ATTR_SIZE..size {
        if args::read::<u8>(addr + at)? != 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `sched_getattr(pid, attr, size, flags)`: as much as there is room for; beyond what there is, zeros.
pub fn sched_getattr(frame: &mut TrapFrame) -> SysResult {
    let [pid, addr, size, flags, ..] = frame.args();
    let size = u64::from(size as u32);
    let sizes = size_of::<SchedAttr>() as u64..=PAGE_SIZE;
    if addr == 0 || !sizes.contains(&size) || flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let params = policy::params(&*thread_or_invalid(pid)?);
    let has_share = matches!(params.policy, Policy::Normal | Policy::Batch);
    let attr = SchedAttr {
        size: size.min(SCHED_ATTR_SIZE) as u32,
        policy: params.policy as u32,
        flags: match params.reset_on_fork {
            true => SCHED_FLAG_RESET_ON_FORK.into(),
            false => 0,
        },
        nice: if has_share { params.nice.into() } else { 0 },
        priority: params.rt_priority.into(),
        runtime: if params.is_realtime() { 0 } else { SLICE_NS },
        ..SchedAttr::default()
    };
    uaccess::copy_to_user(addr, attr.as_bytes())?;
    let rest = size - size_of::<SchedAttr>() as u64;
    match uaccess::clear_user(addr + size_of::<SchedAttr>() as u64, rest) {
        cleared if cleared == rest => Ok(0),
        _ => Err(Errno::EFAULT),
    }
}

/// `sched_get_priority_max(policy)`.
pub fn sched_get_priority_max(frame: &mut TrapFrame) -> SysResult {
    Ok(priorities(frame.args()[0])?.1.into())
}

/// `sched_get_priority_min(policy)`.
pub fn sched_get_priority_min(frame: &mut TrapFrame) -> SysResult {
    Ok(priorities(frame.args()[0])?.0.into())
}

/// Linux knows these for policies that cannot be had here, too.
fn priorities(number: u64) -> Result<(u8, u8), Errno> {
    match number as u32 {
        SCHED_DEADLINE | SCHED_EXT => Ok((0, 0)),
        number => Ok(Policy::from_number(number)
            .ok_or(Errno::EINVAL)?
            .priorities()),
    }
}

/// `sched_rr_get_interval(pid, time)`: how long a turn is; nothing ends the turn of a FIFO thread.
pub fn sched_rr_get_interval(frame: &mut TrapFrame) -> SysResult {
    let [pid, addr, ..] = frame.args();
    let turn = match policy::params(&*thread_or_invalid(pid)?).policy {
        Policy::Fifo => 0,
        Policy::RoundRobin => RR_SLICE_NS,
        Policy::Normal | Policy::Batch | Policy::Idle => SLICE_NS,
    };
    args::write(addr, &Timespec::from_ns(turn))?;
    Ok(0)
}

/// `getpriority(which, who)`: 1 for the nicest, 40 for the least nice of those who are meant.
pub fn getpriority(frame: &mut TrapFrame) -> SysResult {
    let [which, who, ..] = frame.args();
    let nicest = meant(which, who)?
        .iter()
        .map(|task| policy::params(task).nice)
        .min();
    Ok((NICE_BASE - i64::from(nicest.ok_or(Errno::ESRCH)?)).cast_unsigned())
}

/// `setpriority(which, who, nice)`.
pub fn setpriority(frame: &mut TrapFrame) -> SysResult {
    let [which, who, nice, ..] = frame.args();
    let tasks = meant(which, who)?;
    for task in &tasks {
        let nice = clamped(nice as i32);
        let old = policy::params(task);
        check_owner(task)?;
        refuse_kernel_thread(task)?;
        if nice < old.nice && !may_have_nice(task, nice) {
            return Err(Errno::EACCES);
        }
        policy::set_params(task, Params { nice, ..old });
    }
    match tasks.is_empty() {
        true => Err(Errno::ESRCH),
        false => Ok(0),
    }
}

/// Finds the threads that `which` and `who` mean: one thread, a process group, or those of a user.
pub(super) fn meant(which: u64, who: u64) -> Result<Vec<TaskRef>, Errno> {
    let who = who as u32;
    let processes = match which as u32 {
        PRIO_PROCESS => return Ok(thread(who.into()).into_iter().collect()),
        PRIO_PGRP => {
            let own = || tree::family(process::current().pid()).map(|family| family.group);
            let group = if who == 0 { own() } else { Some(who) };
            tree::find_all(|_, family| Some(family.group) == group)
        }
        PRIO_USER => {
            let uid = if who == 0 {
                creds::cred().uid.real
            } else {
                who
            };
            let mut all = tree::find_all(|_, _| true);
            all.retain(|process| process.uid() == uid);
            all
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok(processes
        .iter()
        .flat_map(|process| process.tasks())
        .collect())
}

fn clamped(nice: i32) -> i8 {
    nice.clamp(MIN_NICE.into(), MAX_NICE.into()) as i8
}

fn change(task: &TaskRef, params: Option<Params>) -> SysResult {
    let new = params.ok_or(Errno::EINVAL)?;
    refuse_kernel_thread(task)?;
    if !creds::has(Cap::SysNice) {
        check_raise(task, &new)?;
    }
    policy::set_params(task, new);
    Ok(0)
}

/// Refuses what an ordinary user may not ask for: more than the limits allow, and anything of other users' threads.
fn check_raise(task: &TaskRef, new: &Params) -> Result<(), Errno> {
    let old = policy::params(task);
    check_owner(task)?;
    let highest = limit_of(task, RLIMIT_RTPRIO);
    let raises_rt = new.is_realtime()
        && (new.policy != old.policy && highest == 0
            || new.rt_priority > old.rt_priority && u64::from(new.rt_priority) > highest);
    let raises_share = !new.is_realtime() && new.nice < old.nice && !may_have_nice(task, new.nice);
    let leaves_idle =
        old.policy == Policy::Idle && new.policy != Policy::Idle && !may_have_nice(task, old.nice);
    match raises_rt || raises_share || leaves_idle || old.reset_on_fork && !new.reset_on_fork {
        true => Err(Errno::EPERM),
        false => Ok(()),
    }
}

/// Refuses changes of another user's threads.
pub(super) fn check_owner(task: &TaskRef) -> Result<(), Errno> {
    // Kernel threads are root's.
    let target = thread_of(task).map_or_else(|| Arc::new(Cred::root()), Thread::cred);
    match program::may_schedule(&creds::cred(), &target) {
        true => Ok(()),
        false => Err(Errno::EPERM),
    }
}

/// Programs may not slow down what the kernel waits for itself.
fn refuse_kernel_thread(task: &TaskRef) -> Result<(), Errno> {
    match task.kthread() {
        Some(_) => Err(Errno::EPERM),
        None => Ok(()),
    }
}

/// Says whether a thread may be made as little nice as that.
fn may_have_nice(task: &TaskRef, nice: i8) -> bool {
    let wanted = NICE_BASE - i64::from(nice);
    wanted.cast_unsigned() <= limit_of(task, RLIMIT_NICE) || creds::has(Cap::SysNice)
}

fn limit_of(task: &TaskRef, resource: u32) -> u64 {
    let thread = thread_of(task);
    thread.map_or(0, |thread| {
        thread.process().with_limits(|limits| limits.soft(resource))
    })
}

/// Finds a thread and reads the priority it is to have.
fn with_param(pid: u64, param: u64) -> Result<(TaskRef, u32), Errno> {
    if param == 0 || pid as i32 <= -1 {
        return Err(Errno::EINVAL);
    }
    let priority = args::read::<u32>(param)?;
    Ok((thread(pid)?, priority))
}

/// Finds a thread by its number; 0 is the one that calls.
fn thread(tid: u64) -> Result<TaskRef, Errno> {
    let tid = u32::try_from(tid as i32).map_err(|_| Errno::ESRCH)?;
    if tid == 0 {
        return Ok(task::current_ref());
    }
    let found = match tree::find_by_tid(tid) {
        Some(process) => process.task_of(tid),
        None => tree::find_kthread(tid),
    };
    found.ok_or(Errno::ESRCH)
}

fn thread_or_invalid(tid: u64) -> Result<TaskRef, Errno> {
    match tid as i32 {
        ..0 => Err(Errno::EINVAL),
        _ => thread(tid),
    }
}
