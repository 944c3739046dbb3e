//! Ids, groups and capabilities. What a change permits is decided in the crate `cred`.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use cred::setid::{self, Kind};
use cred::{Cap, CapSet, Caps, Cred, program};

use super::errno::denied;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::process::creds::{self, cred, set_cred};
use crate::process::{self, tree};

/// The most supplementary groups.
const MOST_GROUPS: usize = 65536;
/// An id that is to stay, or none.
const NONE: u32 = u32::MAX;

/// `getuid()`.
pub fn getuid(_: &mut TrapFrame) -> SysResult {
    Ok(cred().uid.real.into())
}

/// `geteuid()`.
pub fn geteuid(_: &mut TrapFrame) -> SysResult {
    Ok(cred().uid.effective.into())
}

/// `getgid()`.
pub fn getgid(_: &mut TrapFrame) -> SysResult {
    Ok(cred().gid.real.into())
}

/// `getegid()`.
pub fn getegid(_: &mut TrapFrame) -> SysResult {
    Ok(cred().gid.effective.into())
}

/// `setuid(uid)`.
pub fn setuid(frame: &mut TrapFrame) -> SysResult {
    set_one(frame, Kind::User)
}

/// `setgid(gid)`.
pub fn setgid(frame: &mut TrapFrame) -> SysResult {
    set_one(frame, Kind::Group)
}

/// `setreuid(real, effective)`.
pub fn setreuid(frame: &mut TrapFrame) -> SysResult {
    set_two(frame, Kind::User)
}

/// `setregid(real, effective)`.
pub fn setregid(frame: &mut TrapFrame) -> SysResult {
    set_two(frame, Kind::Group)
}

/// `setresuid(real, effective, saved)`.
pub fn setresuid(frame: &mut TrapFrame) -> SysResult {
    set_three(frame, Kind::User)
}

/// `setresgid(real, effective, saved)`.
pub fn setresgid(frame: &mut TrapFrame) -> SysResult {
    set_three(frame, Kind::Group)
}

/// `getresuid(real, effective, saved)`.
pub fn getresuid(frame: &mut TrapFrame) -> SysResult {
    tell_three(frame, Kind::User)
}

/// `getresgid(real, effective, saved)`.
pub fn getresgid(frame: &mut TrapFrame) -> SysResult {
    tell_three(frame, Kind::Group)
}

/// `setfsuid(uid)`: returns the one before, whether it was changed or not.
pub fn setfsuid(frame: &mut TrapFrame) -> SysResult {
    set_fs(frame, Kind::User)
}

/// `setfsgid(gid)`: likewise.
pub fn setfsgid(frame: &mut TrapFrame) -> SysResult {
    set_fs(frame, Kind::Group)
}

/// `getgroups(size, list)`: returns how many there are.
pub fn getgroups(frame: &mut TrapFrame) -> SysResult {
    let [size, list, ..] = frame.args();
    let size = usize::try_from(size as i32).map_err(|_| Errno::EINVAL)?;
    let groups = cred().groups.clone();
    if size != 0 {
        if groups.len() > size {
            return Err(Errno::EINVAL);
        }
        for (at, group) in (0..).zip(&*groups) {
            args::write(list + 4 * at, group)?;
        }
    }
    Ok(groups.len() as u64)
}

/// `setgroups(size, list)`.
pub fn setgroups(frame: &mut TrapFrame) -> SysResult {
    let [size, list, ..] = frame.args();
    let old = cred();
    if !old.has(Cap::Setgid) {
        return Err(Errno::EPERM);
    }
    let size = size as u32 as usize;
    if size > MOST_GROUPS {
        return Err(Errno::EINVAL);
    }
    let read = |at: usize| args::read::<u32>(list.wrapping_add(4 * at as u64));
    let mut groups = (0..size).map(read).collect::<Result<Vec<u32>, Errno>>()?;
    if groups.contains(&NONE) {
        return Err(Errno::EINVAL);
    }
    groups.sort_unstable();
    set_cred(Cred {
        groups: Arc::from(groups),
        ..(*old).clone()
    });
    Ok(0)
}

/// `capget(header, data)`.
pub fn capget(frame: &mut TrapFrame) -> SysResult {
    let [header, data, ..] = frame.args();
    let (parts, pid) = match read_header(header) {
        // Without data it is a question for the version.
        Err(Errno::EINVAL) if data == 0 => return Ok(0),
        other => other?,
    };
    if data == 0 {
        return Ok(0);
    }
    let target = match u32::try_from(pid).map_err(|_| Errno::EINVAL)? {
        0 => cred(),
        pid => tree::find_by_tid(pid).ok_or(Errno::ESRCH)?.cred(),
    };
    let Caps {
        effective,
        permitted,
        inheritable,
        ..
    } = target.caps;
    for part in 0..parts {
        let half = |set: CapSet| (set.bits() >> (32 * part)) as u32;
        let words = [half(effective), half(permitted), half(inheritable)];
        args::write(data + 12 * part, &words)?;
    }
    Ok(0)
}

/// `capset(header, data)`: only one's own.
pub fn capset(frame: &mut TrapFrame) -> SysResult {
    let [header, data, ..] = frame.args();
    let (parts, pid) = read_header(header)?;
    let own = process::current_thread().tid();
    if pid != 0 && pid != own as i32 {
        return Err(Errno::EPERM);
    }
    let mut sets = [0_u64; 3];
    for part in 0..parts {
        let words: [u32; 3] = args::read(data.wrapping_add(12 * part))?;
        for (set, word) in sets.iter_mut().zip(words) {
            *set |= u64::from(word) << (32 * part);
        }
    }
    let [effective, permitted, inheritable] = sets.map(CapSet::from_bits);
    let new = program::set_caps(&cred(), effective, permitted, inheritable);
    set_cred(new.map_err(denied)?);
    Ok(0)
}

/// Reads whom a header means, and in how many parts the sets come. Who names an unknown version is told the newest.
fn read_header(addr: u64) -> Result<(u64, i32), Errno> {
    const FIRST: u32 = 0x1998_0330;
    const SECOND: u32 = 0x2007_1026;
    const THIRD: u32 = 0x2008_0522;
    let version: u32 = args::read(addr)?;
    let parts = match version {
        FIRST => 1,
        SECOND | THIRD => 2,
        _ => {
            args::write(addr, &THIRD)?;
            return Err(Errno::EINVAL);
        }
    };
    Ok((parts, args::read(addr.wrapping_add(4))?))
}

fn set_one(frame: &mut TrapFrame, kind: Kind) -> SysResult {
    let id = some(frame.args()[0]).ok_or(Errno::EINVAL)?;
    set_cred(setid::set(&cred(), kind, id).map_err(denied)?);
    Ok(0)
}

fn set_two(frame: &mut TrapFrame, kind: Kind) -> SysResult {
    let [real, effective, ..] = frame.args().map(some);
    let new = setid::set_real_effective(&cred(), kind, real, effective);
    set_cred(new.map_err(denied)?);
    Ok(0)
}

fn set_three(frame: &mut TrapFrame, kind: Kind) -> SysResult {
    let [real, effective, saved, ..] = frame.args().map(some);
    let new = setid::set_all(&cred(), kind, [real, effective, saved]);
    set_cred(new.map_err(denied)?);
    Ok(0)
}

fn tell_three(frame: &mut TrapFrame, kind: Kind) -> SysResult {
    let [real, effective, saved, ..] = frame.args();
    let ids = cred().ids(kind);
    args::write(real, &ids.real)?;
    args::write(effective, &ids.effective)?;
    args::write(saved, &ids.saved)?;
    Ok(0)
}

fn set_fs(frame: &mut TrapFrame, kind: Kind) -> SysResult {
    let old = creds::cred();
    let id = some(frame.args()[0]);
    if let Some(Ok(new)) = id.map(|id| setid::set_fs(&old, kind, id)) {
        set_cred(new);
    }
    Ok(old.ids(kind).fs.into())
}

fn some(id: u64) -> Option<u32> {
    Some(id as u32).filter(|id| *id != NONE)
}
