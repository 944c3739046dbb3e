//! Names: made, removed and moved.

use abi::Errno;
use abi::linux::{
    AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE, RENAME_NOREPLACE,
    RENAME_WHITEOUT, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK,
};
use cred::{Cap, Wanted};
use vfs::rename::Mode;

use super::path::HERE;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::dev::Device;
use crate::fs::filesystem::{FsRef, NoSpace};
use crate::fs::inode::Attributes;
use crate::fs::open::empty_file;
use crate::fs::path::{self, Follow, Place};
use crate::fs::pipe::fifo;
use crate::fs::{Caller, ChangeError, Inode, InodeRef, Kind, namespace, renaming, resolve};

/// `mkdir(path, mode)`.
pub fn mkdir(frame: &mut TrapFrame) -> SysResult {
    let [path, mode, ..] = frame.args();
    make_directory(HERE, path, mode)
}

/// `mkdirat(dirfd, path, mode)`.
pub fn mkdirat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, mode, ..] = frame.args();
    make_directory(dirfd, path, mode)
}

/// `mknod(path, mode, dev)`.
pub fn mknod(frame: &mut TrapFrame) -> SysResult {
    let [path, mode, dev, ..] = frame.args();
    make_node(HERE, path, mode as u32, dev)
}

/// `mknodat(dirfd, path, mode, dev)`.
pub fn mknodat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, mode, dev, ..] = frame.args();
    make_node(dirfd, path, mode as u32, dev)
}

/// `symlink(target, path)`.
pub fn symlink(frame: &mut TrapFrame) -> SysResult {
    let [target, path, ..] = frame.args();
    make_symlink(target, HERE, path)
}

/// `symlinkat(target, dirfd, path)`.
pub fn symlinkat(frame: &mut TrapFrame) -> SysResult {
    let [target, dirfd, path, ..] = frame.args();
    make_symlink(target, dirfd, path)
}

/// `link(old, new)`.
pub fn link(frame: &mut TrapFrame) -> SysResult {
    let [old, new, ..] = frame.args();
    make_link(HERE, old, HERE, new, 0)
}

/// `linkat(olddirfd, old, newdirfd, new, flags)`.
pub fn linkat(frame: &mut TrapFrame) -> SysResult {
    let [old_fd, old, new_fd, new, flags, _] = frame.args();
    make_link(old_fd, old, new_fd, new, flags as u32)
}

/// `unlink(path)`.
pub fn unlink(frame: &mut TrapFrame) -> SysResult {
    let [path, ..] = frame.args();
    let caller = args::caller();
    namespace::unlink(&caller, &args::place_at(&caller, HERE, path)?)?;
    Ok(0)
}

/// `rmdir(path)`.
pub fn rmdir(frame: &mut TrapFrame) -> SysResult {
    let [path, ..] = frame.args();
    let caller = args::caller();
    namespace::rmdir(&caller, &args::place_at(&caller, HERE, path)?)?;
    Ok(0)
}

/// `unlinkat(dirfd, path, flags)`.
pub fn unlinkat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, flags, ..] = frame.args();
    let caller = args::caller();
    let place = || args::place_at(&caller, dirfd, path);
    match flags as u32 {
        0 => namespace::unlink(&caller, &place()?)?,
        AT_REMOVEDIR => namespace::rmdir(&caller, &place()?)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// `rename(old, new)`.
pub fn rename(frame: &mut TrapFrame) -> SysResult {
    let [old, new, ..] = frame.args();
    move_name(HERE, old, HERE, new, Mode::Replace)
}

/// `renameat(olddirfd, old, newdirfd, new)`.
pub fn renameat(frame: &mut TrapFrame) -> SysResult {
    let [old_fd, old, new_fd, new, ..] = frame.args();
    move_name(old_fd, old, new_fd, new, Mode::Replace)
}

/// `renameat2(olddirfd, old, newdirfd, new, flags)`.
pub fn renameat2(frame: &mut TrapFrame) -> SysResult {
    let [old_fd, old, new_fd, new, flags, _] = frame.args();
    let mode = match flags as u32 {
        0 => Mode::Replace,
        RENAME_NOREPLACE => Mode::NoReplace,
        RENAME_EXCHANGE => Mode::Exchange,
        // Whiteouts are for stacked file systems; there are none.
        RENAME_WHITEOUT => return Err(Errno::EINVAL),
        _ => return Err(Errno::EINVAL),
    };
    move_name(old_fd, old, new_fd, new, mode)
}

fn make_directory(dirfd: u64, path: u64, mode: u64) -> SysResult {
    let caller = args::caller();
    let place = args::place_at(&caller, dirfd, path)?;
    namespace::check_add(&caller, &place)?;
    let facts = caller.new_file(&place.dir, S_IFDIR | mode as u32 & 0o1777);
    let inode =
        Inode::directory(&place.dir.fs, Attributes::of(facts)).map_err(ChangeError::from)?;
    Ok(namespace::add(&place, &inode).map(|()| 0)?)
}

fn make_node(dirfd: u64, path: u64, mode: u32, dev: u64) -> SysResult {
    match mode & S_IFMT {
        0 | S_IFREG | S_IFCHR | S_IFBLK | S_IFIFO | S_IFSOCK => {}
        S_IFDIR => return Err(Errno::EPERM),
        _ => return Err(Errno::EINVAL),
    }
    let caller = args::caller();
    let place = args::place_at(&caller, dirfd, path)?;
    check_free(&caller, &place)?;
    let kind = mode & S_IFMT;
    if matches!(kind, S_IFCHR | S_IFBLK) && !caller.cred.has(Cap::Mknod) {
        return Err(Errno::EPERM);
    }
    let facts = caller.new_file(&place.dir, mode & 0o7777 | kind);
    let attributes = Attributes::of(facts);
    add_new(&place, |fs| match kind {
        S_IFCHR => Inode::new(fs, Kind::Device(Device::with_number(dev)), attributes),
        S_IFBLK => Inode::new(fs, Kind::Block(dev), attributes),
        S_IFIFO => fifo(fs, attributes),
        S_IFSOCK => Inode::new(fs, Kind::Socket, attributes),
        _ => empty_file(fs, attributes),
    })
}

/// Finds the file that a socket is named after; who connects must be allowed to write to it.
pub(super) fn socket_file(path: &[u8]) -> Result<InodeRef, Errno> {
    let caller = args::caller();
    let base = args::directory(&caller, HERE, path)?;
    let inode = resolve(&caller, &base, path, Follow::Yes)?.inode.clone();
    caller
        .may(&inode, Wanted::WRITE)
        .map_err(|_| Errno::EACCES)?;
    Ok(inode)
}

/// Makes the file that a socket is named after.
pub(super) fn make_socket_file(path: &[u8]) -> Result<InodeRef, Errno> {
    let caller = args::caller();
    let place = path::place(&caller, &args::directory(&caller, HERE, path)?, path)?;
    check_free(&caller, &place).map_err(in_use)?;
    let facts = caller.new_file(&place.dir, 0o777 | S_IFSOCK);
    let inode = Inode::new(&place.dir.fs, Kind::Socket, Attributes::of(facts))
        .map_err(ChangeError::from)?;
    namespace::add(&place, &inode).map_err(|error| in_use(error.into()))?;
    Ok(inode)
}

/// A name that exists is an address that is taken.
fn in_use(error: Errno) -> Errno {
    match error {
        Errno::EEXIST => Errno::EADDRINUSE,
        error => error,
    }
}

fn make_symlink(target: u64, dirfd: u64, path: u64) -> SysResult {
    let target = args::path(target)?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    let caller = args::caller();
    let place = args::place_at(&caller, dirfd, path)?;
    check_free(&caller, &place)?;
    let owner = caller.new_file(&place.dir, S_IFLNK);
    let attributes = Attributes {
        permissions: 0o777,
        ..Attributes::of(owner)
    };
    add_new(&place, |fs| {
        Inode::new(fs, Kind::Symlink(target), attributes)
    })
}

/// Makes what `make` makes at a name that was found to be free.
fn add_new(place: &Place, make: impl FnOnce(&FsRef) -> Result<InodeRef, NoSpace>) -> SysResult {
    let inode = make(&place.dir.fs).map_err(ChangeError::from)?;
    Ok(namespace::add(place, &inode).map(|()| 0)?)
}

/// Only a directory is made where slashes follow the name.
fn check_free(caller: &Caller, place: &Place) -> Result<(), Errno> {
    match namespace::check_add(caller, place) {
        Err(ChangeError::Exists) => Err(Errno::EEXIST),
        _ if place.slash => Err(Errno::ENOENT),
        outcome => Ok(outcome?),
    }
}

fn make_link(old_fd: u64, old: u64, new_fd: u64, new: u64, flags: u32) -> SysResult {
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let follow = match flags & AT_SYMLINK_FOLLOW {
        0 => Follow::No,
        _ => Follow::Yes,
    };
    let caller = args::caller();
    let empty = flags & AT_EMPTY_PATH != 0 && old_fd as i32 != AT_FDCWD;
    let file = args::location_or_fd(&caller, old_fd, old, follow, empty)?;
    let place = args::place_at(&caller, new_fd, new)?;
    check_free(&caller, &place)?;
    Ok(namespace::link(&caller, &file, &place).map(|()| 0)?)
}

fn move_name(old_fd: u64, old: u64, new_fd: u64, new: u64, mode: Mode) -> SysResult {
    let caller = args::caller();
    let old = args::place_at(&caller, old_fd, old)?;
    let new = args::place_at(&caller, new_fd, new)?;
    Ok(renaming::rename(&caller, &old, &new, mode).map(|()| 0)?)
}
