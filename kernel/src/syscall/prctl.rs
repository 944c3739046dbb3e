//! `prctl`: a thread's name, and switches of its process.

use alloc::string::String;
use core::sync::atomic::Ordering::Relaxed;

use abi::prctl::{
    PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_IS_SET, PR_CAP_AMBIENT_LOWER,
    PR_CAP_AMBIENT_RAISE, PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_CHILD_SUBREAPER,
    PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_GET_NAME, PR_GET_NO_NEW_PRIVS, PR_GET_PDEATHSIG,
    PR_GET_SECCOMP, PR_GET_SECUREBITS, PR_GET_THP_DISABLE, PR_GET_TID_ADDRESS, PR_GET_TIMERSLACK,
    PR_GET_TSC, PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_MM, PR_SET_NAME,
    PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_SET_TIMERSLACK, PR_SET_TSC,
    PR_TASK_PERF_EVENTS_DISABLE, PR_TASK_PERF_EVENTS_ENABLE, PR_TSC_ENABLE,
};
use abi::{Errno, Signal};
use cred::setid::KEEP_CAPS;
use cred::{Cap, CapSet, Denied, caps::LAST_CAP, program};

use super::errno::denied;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::mm::uaccess;
use crate::process::creds::{cred, has, set_cred};
use crate::{process, task};

/// Size of a task's name with its NUL.
const NAME_SIZE: usize = 16;

/// `prctl(option, …)`.
pub fn prctl(frame: &mut TrapFrame) -> SysResult {
    let [option, first, rest @ .., _] = frame.args();
    let no_rest = rest == [0; 3];
    let (process, thread) = (process::current(), process::current_thread());
    match option as u32 {
        PR_SET_NAME => set_name(first)?,
        PR_GET_NAME => args::write(first, &own_name())?,
        PR_SET_PDEATHSIG if first <= Signal::COUNT as u64 => {
            thread.set_parent_death_signal(Signal::new(first));
        }
        PR_GET_PDEATHSIG => {
            let signal = thread.parent_death_signal();
            args::write(
                first,
                &signal.map_or(0_i32, |signal| signal.number().into()),
            )?;
        }
        PR_GET_DUMPABLE => return Ok(process.dumpable.load(Relaxed).into()),
        PR_SET_DUMPABLE if first <= 1 => process.dumpable.store(first == 1, Relaxed),
        PR_SET_CHILD_SUBREAPER => process.set_subreaper(first != 0),
        PR_GET_CHILD_SUBREAPER => args::write(first, &i32::from(process.is_subreaper()))?,
        PR_SET_NO_NEW_PRIVS if first == 1 && no_rest => thread.no_new_privs.store(true, Relaxed),
        PR_GET_NO_NEW_PRIVS if first == 0 && no_rest => {
            return Ok(thread.no_new_privs.load(Relaxed).into());
        }
        PR_GET_TID_ADDRESS => {
            let addr = thread.clear_child_tid.load(Relaxed);
            args::write(first, &addr)?;
        }
        PR_SET_TIMERSLACK | PR_GET_TIMERSLACK => return Ok(slack(option as u32, first)),
        // There are no counters to switch on or off.
        PR_TASK_PERF_EVENTS_DISABLE | PR_TASK_PERF_EVENTS_ENABLE => {}
        // The time stamp counter can be read by everybody, always.
        PR_SET_TSC if first == u64::from(PR_TSC_ENABLE) => {}
        PR_GET_TSC => args::write(first, &PR_TSC_ENABLE)?,
        // No filter is in force, and large pages are not switched off: neither can be.
        PR_GET_SECCOMP => {}
        PR_GET_THP_DISABLE if first == 0 && no_rest => {}
        PR_SET_MM if !has(Cap::SysResource) => return Err(Errno::EPERM),
        _ => return capabilities(option as u32, first, rest),
    }
    Ok(0)
}

/// What is about capabilities, and what there is not.
fn capabilities(option: u32, first: u64, rest: [u64; 3]) -> SysResult {
    let cred = cred();
    match option {
        PR_GET_KEEPCAPS => Ok((cred.securebits & KEEP_CAPS != 0).into()),
        PR_SET_KEEPCAPS if first <= 1 => become_new(program::set_keep_caps(&cred, first == 1)),
        PR_GET_SECUREBITS => Ok(cred.securebits.into()),
        PR_SET_SECUREBITS => {
            let bits = u32::try_from(first).map_err(|_| Errno::EPERM)?;
            become_new(program::set_securebits(&cred, bits))
        }
        PR_CAPBSET_READ => Ok(cred.caps.bounding.includes(capability(first)?).into()),
        PR_CAPBSET_DROP => {
            // Who may not is told so before what is no capability.
            if !cred.has(Cap::Setpcap) {
                return Err(Errno::EPERM);
            }
            become_new(program::drop_bounding(&cred, capability(first)?))
        }
        PR_CAP_AMBIENT => {
            let [which, zeros @ ..] = rest;
            if zeros != [0; 2] {
                return Err(Errno::EINVAL);
            }
            ambient(first as u32, which)
        }
        _ => Err(Errno::EINVAL),
    }
}

fn ambient(what: u32, which: u64) -> SysResult {
    let cred = cred();
    let mut new = (*cred).clone();
    let ambient = cred.caps.ambient;
    match what {
        PR_CAP_AMBIENT_CLEAR_ALL if which == 0 => new.caps.ambient = CapSet::EMPTY,
        PR_CAP_AMBIENT_IS_SET => return Ok(ambient.includes(capability(which)?).into()),
        PR_CAP_AMBIENT_RAISE => {
            return become_new(program::raise_ambient(&cred, capability(which)?));
        }
        PR_CAP_AMBIENT_LOWER => new.caps.ambient = ambient.difference(capability(which)?),
        _ => return Err(Errno::EINVAL),
    }
    become_new(Ok(new))
}

fn become_new(new: Result<cred::Cred, Denied>) -> SysResult {
    set_cred(new.map_err(denied)?);
    Ok(0)
}

/// A set of the one capability with this number.
fn capability(number: u64) -> Result<CapSet, Errno> {
    match number <= LAST_CAP.into() {
        true => Ok(CapSet::from_bits(1 << number)),
        false => Err(Errno::EINVAL),
    }
}

/// Sets the slack, 0 for the default, or returns it.
fn slack(option: u32, ns: u64) -> u64 {
    let thread = process::current_thread();
    let [own, default] = &thread.slack;
    if option == PR_GET_TIMERSLACK {
        return own.load(Relaxed);
    }
    let asked = ns.cast_signed() > 0;
    own.store(if asked { ns } else { default.load(Relaxed) }, Relaxed);
    0
}

fn set_name(addr: u64) -> Result<(), Errno> {
    // A name without a NUL in its first 15 bytes is cut there.
    let mut name = [0; NAME_SIZE - 1];
    let read = uaccess::copy_from_user_partial(&mut name, addr);
    let name = match name[..read].iter().position(|byte| *byte == 0) {
        Some(end) => &name[..end],
        None if read == name.len() => &name,
        None => return Err(Errno::EFAULT),
    };
    task::current().set_name(&String::from_utf8_lossy(name));
    Ok(())
}

fn own_name() -> [u8; NAME_SIZE] {
    let mut bytes = [0; NAME_SIZE];
    let name = task::current().name();
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}
