//! Calls that would change the tree, which cannot be changed: they find what Linux would find on a
//! read-only file system, and then say so.

use abi::Errno;

use super::path::HERE;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::{Follow, PathError, resolve};

/// Calls whose first argument is the path of something that must exist (`chmod`, `unlink`, …).
pub fn change_existing(frame: &mut TrapFrame) -> SysResult {
    let [path, ..] = frame.args();
    existing(HERE, path)
}

/// The same with a directory before the path (`unlinkat`, `fchmodat`, …).
pub fn change_existing_at(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, ..] = frame.args();
    existing(dirfd, path)
}

/// Calls whose first argument is a path to be made (`mkdir`, `mknod`).
pub fn make(frame: &mut TrapFrame) -> SysResult {
    let [path, ..] = frame.args();
    missing(HERE, path)
}

/// The same with a directory before the path (`mkdirat`, `mknodat`).
pub fn make_at(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, ..] = frame.args();
    missing(dirfd, path)
}

/// `symlink(target, path)`.
pub fn symlink(frame: &mut TrapFrame) -> SysResult {
    let [target, path, ..] = frame.args();
    args::path(target)?;
    missing(HERE, path)
}

/// `symlinkat(target, dirfd, path)`.
pub fn symlinkat(frame: &mut TrapFrame) -> SysResult {
    let [target, dirfd, path, ..] = frame.args();
    args::path(target)?;
    missing(dirfd, path)
}

/// Calls on an open file that would change it (`fchmod`, `fchown`).
pub fn change_open(frame: &mut TrapFrame) -> SysResult {
    let [fd, ..] = frame.args();
    args::file(fd)?;
    Err(Errno::EROFS)
}

/// `ftruncate(fd, len)`: no regular file is open for writing.
pub fn ftruncate(frame: &mut TrapFrame) -> SysResult {
    let [fd, ..] = frame.args();
    args::file(fd)?;
    Err(Errno::EINVAL)
}

/// `fsync(fd)` and `fdatasync(fd)`: what is in the tree needs no writing back.
pub fn fsync(frame: &mut TrapFrame) -> SysResult {
    let [fd, ..] = frame.args();
    let file = args::file(fd)?;
    match file.file().has_position() {
        true => Ok(0),
        false => Err(Errno::EINVAL),
    }
}

fn existing(dirfd: u64, path: u64) -> SysResult {
    args::node_at(dirfd, path, Follow::No)?;
    Err(Errno::EROFS)
}

fn missing(dirfd: u64, path: u64) -> SysResult {
    let path = args::path(path)?;
    match resolve(args::directory(dirfd, &path)?, &path, Follow::No) {
        Ok(_) => Err(Errno::EEXIST),
        Err(PathError::LastMissing) => Err(Errno::EROFS),
        Err(error) => Err(error.into()),
    }
}
