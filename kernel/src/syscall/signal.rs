//! Signals: dispositions, masks, the alternate stack, waiting, and the return from a handler.

use abi::linux::{SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK};
use abi::siginfo::UserSigInfo;
use abi::signal::SigAltStack;
use abi::{Errno, SigSet, Signal};
use sigstate::MaskChange;
use zerocopy::transmute;

use super::errno::bad_stack;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::mm::uaccess;
use crate::process::{self, alarm, signal, sigreturn, timer};
use crate::task;
use crate::time;

/// Size of a signal set, which calls state so that it may grow one day.
const SET_SIZE: u64 = size_of::<SigSet>() as u64;
/// A deadline that never comes.
const NEVER: u64 = u64::MAX;

/// `rt_sigaction(signal, new, old, size of a set)`.
pub fn rt_sigaction(frame: &mut TrapFrame) -> SysResult {
    let [number, new, old, size, ..] = frame.args();
    check_size(size)?;
    let signal = Signal::new(number as u32 as u64).ok_or(Errno::EINVAL);
    // An address that cannot be read is told of before a signal that does not exist.
    let action = match new {
        0 => None,
        _ => Some(transmute!(uaccess::read_words(new)?)),
    };
    let signal = signal?;
    if action.is_some() && signal.is_unmaskable() {
        return Err(Errno::EINVAL);
    }
    let process = process::current();
    match (action, old) {
        (None, 0) => {}
        (None, _) => args::write(old, &process.action(signal))?,
        (Some(action), 0) => {
            process.set_action(signal, action);
            forget_ignored();
        }
        (Some(action), _) => {
            let before = process.replace_action(signal, action);
            forget_ignored();
            args::write(old, &before)?;
        }
    }
    Ok(0)
}

/// What waited for the calling thread may have gone, as it is ignored now.
#[inline]
fn forget_ignored() {
    if task::current().has_signal_work() {
        signal::with_own(|_| ());
    }
}

/// `rt_sigprocmask(how, new, old, size of a set)`.
pub fn rt_sigprocmask(frame: &mut TrapFrame) -> SysResult {
    let [how, new, old, size, ..] = frame.args();
    check_size(size)?;
    let before = match args::read_optional::<SigSet>(new)? {
        Some(set) => signal::change_mask(mask_change(how)?, set),
        None => signal::with_own(|signals| signals.blocked()),
    };
    args::write_optional(old, &before)?;
    Ok(0)
}

/// `rt_sigpending(set, size of a set)`.
pub fn rt_sigpending(frame: &mut TrapFrame) -> SysResult {
    let [set, size, ..] = frame.args();
    if size > SET_SIZE {
        return Err(Errno::EINVAL);
    }
    let waiting = signal::with_own(|signals| signals.pending().intersection(signals.blocked()));
    let bytes = waiting.bits().to_le_bytes();
    uaccess::copy_to_user(set, &bytes[..size as usize])?;
    Ok(0)
}

/// `rt_sigsuspend(set, size of a set)`.
pub fn rt_sigsuspend(frame: &mut TrapFrame) -> SysResult {
    let [set, size, ..] = frame.args();
    check_size(size)?;
    let set = args::read::<SigSet>(set)?;
    signal::with_own(|signals| signals.suspend_mask(set));
    sleep_for_signal()
}

/// `pause()`.
pub fn pause(_: &mut TrapFrame) -> SysResult {
    sleep_for_signal()
}

/// `rt_sigtimedwait(set, info, timeout, size of a set)`.
pub fn rt_sigtimedwait(frame: &mut TrapFrame) -> SysResult {
    let [set, info, timeout, size, ..] = frame.args();
    check_size(size)?;
    let wanted = args::read::<SigSet>(set)?;
    let deadline = match timeout {
        0 => NEVER,
        addr => time::now_ns().saturating_add(args::nanoseconds(addr)?),
    };
    let take = || signal::with_own(|signals| signals.take_wanted(wanted));
    let mut slept = Ok(());
    let mut taken = take();
    if taken.is_none() {
        signal::with_own(|signals| signals.begin_wait(wanted));
        slept = time::sleep_until(deadline);
        signal::with_own(|signals| signals.end_wait());
        taken = take();
    }
    let Some((signal, mut found)) = taken else {
        return Err(slept.map_or(Errno::EINTR, |()| Errno::EAGAIN));
    };
    alarm::signal_taken(&process::current(), signal);
    timer::signal_taken(&process::current(), &mut found);
    args::write_optional(info, &UserSigInfo::from(found))?;
    Ok(signal.number().into())
}

/// `sigaltstack(new, old)`.
pub fn sigaltstack(frame: &mut TrapFrame) -> SysResult {
    let [new, old, ..] = frame.args();
    let rsp = frame.rsp;
    let new = args::read_optional::<SigAltStack>(new)?;
    let change = |stack: &mut SigAltStack| {
        let before = sigframe::told(rsp, stack);
        if let Some(new) = new {
            *stack = sigframe::check_stack(rsp, stack, new)?;
        }
        Ok(before)
    };
    let before = signal::with_own(|signals| change(signals.stack_mut())).map_err(bad_stack)?;
    args::write_optional(old, &before)?;
    Ok(0)
}

/// `rt_sigreturn()`: the program's registers come from the frame on its stack, RAX among them.
pub fn rt_sigreturn(frame: &mut TrapFrame) -> SysResult {
    Ok(sigreturn::sigreturn(frame))
}

/// Sleeps until a signal comes through.
fn sleep_for_signal() -> SysResult {
    while time::sleep_until(NEVER).is_ok() {}
    Err(Errno::RESTART_NOHAND)
}

fn check_size(size: u64) -> Result<(), Errno> {
    match size {
        SET_SIZE => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

fn mask_change(how: u64) -> Result<MaskChange, Errno> {
    match how as u32 {
        SIG_BLOCK => Ok(MaskChange::Block),
        SIG_UNBLOCK => Ok(MaskChange::Unblock),
        SIG_SETMASK => Ok(MaskChange::Set),
        _ => Err(Errno::EINVAL),
    }
}
