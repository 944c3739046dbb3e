//! Extended attributes.

use abi::Errno;
use abi::linux::{XATTR_CREATE, XATTR_REPLACE};
use alloc::vec::Vec;

use super::path::HERE;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::xattr::{MAX_NAME, MAX_VALUE, Mode};
use crate::fs::{Caller, Follow, Location};
use crate::mm::uaccess::{self, CstrError};

/// A caller and the file it means.
type Meant = (Caller, Location);

fn by_path(path: u64, follow: Follow) -> Result<Meant, Errno> {
    let caller = args::caller();
    let file = args::location_at(&caller, HERE, path, follow)?;
    Ok((caller, file))
}

fn by_fd(fd: u64) -> Result<Meant, Errno> {
    let file = args::opened_file(fd)?;
    let location = file.location().ok_or(Errno::EOPNOTSUPP)?;
    Ok((args::caller(), location))
}

/// `setxattr(path, name, value, size, flags)`.
pub fn setxattr(frame: &mut TrapFrame) -> SysResult {
    let [path, rest @ ..] = frame.args();
    set(rest, || by_path(path, Follow::Yes))
}

/// `lsetxattr(path, name, value, size, flags)`.
pub fn lsetxattr(frame: &mut TrapFrame) -> SysResult {
    let [path, rest @ ..] = frame.args();
    set(rest, || by_path(path, Follow::No))
}

/// `fsetxattr(fd, name, value, size, flags)`.
pub fn fsetxattr(frame: &mut TrapFrame) -> SysResult {
    let [fd, rest @ ..] = frame.args();
    set(rest, || by_fd(fd))
}

/// `getxattr(path, name, value, size)`.
pub fn getxattr(frame: &mut TrapFrame) -> SysResult {
    let [path, rest @ ..] = frame.args();
    get(rest, || by_path(path, Follow::Yes))
}

/// `lgetxattr(path, name, value, size)`.
pub fn lgetxattr(frame: &mut TrapFrame) -> SysResult {
    let [path, rest @ ..] = frame.args();
    get(rest, || by_path(path, Follow::No))
}

/// `fgetxattr(fd, name, value, size)`.
pub fn fgetxattr(frame: &mut TrapFrame) -> SysResult {
    let [fd, rest @ ..] = frame.args();
    get(rest, || by_fd(fd))
}

/// `listxattr(path, list, size)`.
pub fn listxattr(frame: &mut TrapFrame) -> SysResult {
    let [path, list, size, ..] = frame.args();
    show(list, size, by_path(path, Follow::Yes)?)
}

/// `llistxattr(path, list, size)`.
pub fn llistxattr(frame: &mut TrapFrame) -> SysResult {
    let [path, list, size, ..] = frame.args();
    show(list, size, by_path(path, Follow::No)?)
}

/// `flistxattr(fd, list, size)`.
pub fn flistxattr(frame: &mut TrapFrame) -> SysResult {
    let [fd, list, size, ..] = frame.args();
    show(list, size, by_fd(fd)?)
}

/// `removexattr(path, name)`.
pub fn removexattr(frame: &mut TrapFrame) -> SysResult {
    let [path, name, ..] = frame.args();
    remove(name, || by_path(path, Follow::Yes))
}

/// `lremovexattr(path, name)`.
pub fn lremovexattr(frame: &mut TrapFrame) -> SysResult {
    let [path, name, ..] = frame.args();
    remove(name, || by_path(path, Follow::No))
}

/// `fremovexattr(fd, name)`.
pub fn fremovexattr(frame: &mut TrapFrame) -> SysResult {
    let [fd, name, ..] = frame.args();
    remove(name, || by_fd(fd))
}

fn set(
    [name, value, size, flags, _]: [u64; 5],
    find: impl FnOnce() -> Result<Meant, Errno>,
) -> SysResult {
    let flags = flags as u32;
    if flags & !(XATTR_CREATE | XATTR_REPLACE) != 0 {
        return Err(Errno::EINVAL);
    }
    let mode = Mode {
        creates: flags & XATTR_CREATE != 0,
        replaces: flags & XATTR_REPLACE != 0,
    };
    let name = read_name(name)?;
    if size > MAX_VALUE as u64 {
        return Err(Errno::E2BIG);
    }
    let mut bytes = room(size as usize)?;
    if uaccess::copy_from_user_partial(&mut bytes, value) < bytes.len() {
        return Err(Errno::EFAULT);
    }
    let (caller, file) = find()?;
    check_writable(&file)?;
    Ok(file.set_xattr(&caller, &name, &bytes, mode).map(|()| 0)?)
}

fn get(
    [name, value, size, ..]: [u64; 5],
    find: impl FnOnce() -> Result<Meant, Errno>,
) -> SysResult {
    let name = read_name(name)?;
    let (caller, file) = find()?;
    let found = file.xattr(&caller, &name)?;
    give(value, size, &found)
}

fn show(list: u64, size: u64, (caller, file): Meant) -> SysResult {
    give(list, size, &file.list_xattrs(&caller))
}

fn remove(name: u64, find: impl FnOnce() -> Result<Meant, Errno>) -> SysResult {
    let name = read_name(name)?;
    let (caller, file) = find()?;
    check_writable(&file)?;
    Ok(file.remove_xattr(&caller, &name).map(|()| 0)?)
}

/// Stores what was found; without room for anything only its length is told.
fn give(addr: u64, size: u64, bytes: &[u8]) -> SysResult {
    if size > 0 {
        if size < bytes.len() as u64 {
            return Err(Errno::ERANGE);
        }
        uaccess::copy_to_user(addr, bytes)?;
    }
    Ok(bytes.len() as u64)
}

fn read_name(addr: u64) -> Result<Vec<u8>, Errno> {
    let name = uaccess::read_cstr(addr, MAX_NAME).map_err(|error| match error {
        CstrError::Fault => Errno::EFAULT,
        CstrError::TooLong => Errno::ERANGE,
    })?;
    match name.is_empty() {
        true => Err(Errno::ERANGE),
        false => Ok(name),
    }
}

fn room(len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(len, 0);
    Ok(bytes)
}

fn check_writable(file: &Location) -> Result<(), Errno> {
    match file.mount.is_read_only() {
        true => Err(Errno::EROFS),
        false => Ok(()),
    }
}
