//! Paths: the working directory, links, what may be accessed.

use alloc::borrow::Cow;

use abi::Errno;
use abi::linux::{AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, R_OK, W_OK, X_OK};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::procfs;
use crate::fs::{Follow, InodeRef, Kind};
use crate::mm::uaccess;
use crate::process;

/// The directory relative paths begin in, as a register holds it.
pub(super) const HERE: u64 = AT_FDCWD as u64;

/// `getcwd(buf, size)`; returns the length with the NUL.
pub fn getcwd(frame: &mut TrapFrame) -> SysResult {
    let [buf, size, ..] = frame.args();
    let cwd = process::current().cwd();
    if cwd.is_gone() {
        return Err(Errno::ENOENT);
    }
    let mut path = cwd.path();
    path.push(0);
    if size < path.len() as u64 {
        return Err(Errno::ERANGE);
    }
    uaccess::copy_to_user(buf, &path)?;
    Ok(path.len() as u64)
}

/// `chdir(path)`.
pub fn chdir(frame: &mut TrapFrame) -> SysResult {
    let [path, ..] = frame.args();
    enter(args::inode_at(HERE, path, Follow::Yes)?)
}

/// `fchdir(fd)`.
pub fn fchdir(frame: &mut TrapFrame) -> SysResult {
    let [fd, ..] = frame.args();
    enter(args::file(fd)?.file().inode().ok_or(Errno::ENOTDIR)?)
}

/// `readlink(path, buf, size)`.
pub fn readlink(frame: &mut TrapFrame) -> SysResult {
    let [path, buf, size, ..] = frame.args();
    read_link_at(HERE, path, buf, size)
}

/// `readlinkat(dirfd, path, buf, size)`.
pub fn readlinkat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, buf, size, ..] = frame.args();
    read_link_at(dirfd, path, buf, size)
}

/// `access(path, mode)`.
pub fn access(frame: &mut TrapFrame) -> SysResult {
    let [path, mode, ..] = frame.args();
    access_at(HERE, path, mode, 0)
}

/// `faccessat(dirfd, path, mode)`.
pub fn faccessat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, mode, ..] = frame.args();
    access_at(dirfd, path, mode, 0)
}

/// `faccessat2(dirfd, path, mode, flags)`.
pub fn faccessat2(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, mode, flags, ..] = frame.args();
    access_at(dirfd, path, mode, flags)
}

fn enter(inode: InodeRef) -> SysResult {
    if !inode.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    process::current().set_cwd(inode);
    Ok(0)
}

fn read_link_at(dirfd: u64, path: u64, buf: u64, size: u64) -> SysResult {
    let size = usize::try_from(size as i32)
        .ok()
        .filter(|size| *size > 0)
        .ok_or(Errno::EINVAL)?;
    let path = args::path(path)?;
    // An empty path asks for the link that the descriptor itself is.
    let no_link = match path.is_empty() {
        true => Errno::ENOENT,
        false => Errno::EINVAL,
    };
    let inode = args::inode_named_or_fd(dirfd, &path, Follow::No, true)?;
    let target = match &inode.kind {
        Kind::Symlink(target) => Cow::Borrowed(&**target),
        Kind::Proc(node) => Cow::Owned(procfs::link_text(*node).ok_or(no_link)?),
        _ => return Err(no_link),
    };
    let len = target.len().min(size);
    uaccess::copy_to_user(buf, &target[..len])?;
    Ok(len as u64)
}

fn access_at(dirfd: u64, path: u64, mode: u64, flags: u64) -> SysResult {
    let (mode, flags) = (mode as u32, flags as u32);
    if mode & !(R_OK | W_OK | X_OK) != 0
        || flags & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0
    {
        return Err(Errno::EINVAL);
    }
    let follow = if flags & AT_SYMLINK_NOFOLLOW != 0 {
        Follow::No
    } else {
        Follow::Yes
    };
    let empty = flags & AT_EMPTY_PATH != 0;
    let inode = args::inode_or_fd(dirfd, path, follow, empty)?;
    // Root may read everything, and execute what anybody may.
    let may_execute = inode.is_executable() || inode.is_directory();
    match mode {
        mode if mode & X_OK != 0 && !may_execute => Err(Errno::EACCES),
        _ => Ok(0),
    }
}
