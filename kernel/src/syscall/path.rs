//! Paths: the working directory, links, what may be accessed.

use alloc::borrow::Cow;
use alloc::sync::Arc;

use abi::Errno;
use abi::linux::{AT_EACCESS, AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, R_OK, W_OK, X_OK};

use cred::{Cap, Wanted};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::mount::MountFlags;
use crate::fs::procfs;
use crate::fs::{Caller, Follow, Kind, Location};
use crate::mm::uaccess;
use crate::process;

/// The directory relative paths begin in, as a register holds it.
pub(super) const HERE: u64 = AT_FDCWD as u64;

/// `getcwd(buf, size)`; returns the length with the NUL.
pub fn getcwd(frame: &mut TrapFrame) -> SysResult {
    let [buf, size, ..] = frame.args();
    let caller = args::caller();
    if caller.cwd.is_gone() {
        return Err(Errno::ENOENT);
    }
    let mut path = caller.cwd.path(&caller.root);
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
    let caller = args::caller();
    enter(
        &caller,
        args::location_at(&caller, HERE, path, Follow::Yes)?,
    )
}

/// `fchdir(fd)`.
pub fn fchdir(frame: &mut TrapFrame) -> SysResult {
    let [fd, ..] = frame.args();
    let location = args::file(fd)?.location().ok_or(Errno::ENOTDIR)?;
    enter(&args::caller(), location)
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

/// `chroot(path)`.
pub fn chroot(frame: &mut TrapFrame) -> SysResult {
    let [path, ..] = frame.args();
    let caller = args::caller();
    let root = args::location_at(&caller, HERE, path, Follow::Yes)?;
    check_directory(&caller, &root)?;
    if !caller.cred.has(Cap::SysChroot) {
        return Err(Errno::EPERM);
    }
    process::current().set_root(root);
    Ok(0)
}

fn enter(caller: &Caller, directory: Location) -> SysResult {
    check_directory(caller, &directory)?;
    process::current().set_cwd(directory);
    Ok(0)
}

fn check_directory(caller: &Caller, directory: &Location) -> Result<(), Errno> {
    if !directory.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    Ok(caller.may(directory, Wanted::EXECUTE)?)
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
    let caller = args::caller();
    let found = args::location_named_or_fd(&caller, dirfd, &path, Follow::No, true);
    let location = match found {
        // A pipe's descriptor.
        Err(Errno::EINVAL) if path.is_empty() => return Err(no_link),
        found => found?,
    };
    let target = match &location.inode.kind {
        Kind::Symlink(target) => {
            location.accessed();
            Cow::Borrowed(&**target)
        }
        Kind::Proc(node) => {
            let text = procfs::link_text(*node, &caller.root).ok_or(no_link)?;
            // A link to what is not there: the program of a process that has ended, or of a kernel thread.
            match text.is_empty() {
                true => return Err(Errno::ENOENT),
                false => Cow::Owned(text),
            }
        }
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
    let mut caller = args::caller();
    if flags & AT_EACCESS == 0 {
        caller.cred = Arc::new(caller.cred.for_access());
    }
    let file = args::location_or_fd(&caller, dirfd, path, follow, empty)?;
    let forbids = file.mount.flags().contains(MountFlags::NO_EXEC);
    if mode & X_OK != 0 && file.cache().is_some() && forbids {
        return Err(Errno::EACCES);
    }
    caller.may(&file, Wanted::from_bits(mode))?;
    let is_stored = file.cache().is_some() || file.is_directory();
    match mode & W_OK != 0 && is_stored && file.mount.is_read_only() {
        true => Err(Errno::EROFS),
        false => Ok(0),
    }
}
