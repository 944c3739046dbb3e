//! Names: made, removed and moved.

use abi::Errno;
use abi::linux::{
    AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE, RENAME_NOREPLACE,
    RENAME_WHITEOUT, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK,
};
use vfs::rename::Mode;

use super::path::HERE;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::dev::Device;
use crate::fs::inode::Attributes;
use crate::fs::open::empty_file;
use crate::fs::path::{Follow, Place};
use crate::fs::pipe::fifo;
use crate::fs::{ChangeError, Inode, InodeRef, Kind, namespace};
use crate::process;

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
    namespace::unlink(&args::place_at(HERE, path)?)?;
    Ok(0)
}

/// `rmdir(path)`.
pub fn rmdir(frame: &mut TrapFrame) -> SysResult {
    let [path, ..] = frame.args();
    namespace::rmdir(&args::place_at(HERE, path)?)?;
    Ok(0)
}

/// `unlinkat(dirfd, path, flags)`.
pub fn unlinkat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, flags, ..] = frame.args();
    let place = || args::place_at(dirfd, path);
    match flags as u32 {
        0 => namespace::unlink(&place()?)?,
        AT_REMOVEDIR => namespace::rmdir(&place()?)?,
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
    let place = args::place_at(dirfd, path)?;
    namespace::check_add(&place)?;
    let permissions = mode as u32 & 0o1777 & !process::current().umask();
    let inode =
        Inode::directory(place.dir.fs, Attributes::new(permissions)).map_err(ChangeError::from)?;
    Ok(namespace::add(&place, &inode).map(|()| 0)?)
}

fn make_node(dirfd: u64, path: u64, mode: u32, dev: u64) -> SysResult {
    let place = args::place_at(dirfd, path)?;
    let permissions = mode & 0o7777 & !process::current().umask();
    match mode & S_IFMT {
        0 | S_IFREG => add_new(&place, |fs| empty_file(fs, permissions)),
        S_IFCHR => add_new(&place, |fs| {
            let device = Kind::Device(Device::with_number(dev));
            Inode::new(fs, device, Attributes::new(permissions))
        }),
        S_IFIFO => add_new(&place, |fs| fifo(fs, permissions)),
        // The file system has no such files.
        S_IFSOCK | S_IFBLK => {
            check_free(&place)?;
            Err(Errno::EPERM)
        }
        S_IFDIR => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

fn make_symlink(target: u64, dirfd: u64, path: u64) -> SysResult {
    let target = args::path(target)?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    let place = args::place_at(dirfd, path)?;
    add_new(&place, |fs| {
        Inode::new(fs, Kind::Symlink(target), Attributes::new(0o777))
    })
}

/// Makes what `make` makes at a free name that nothing follows.
fn add_new(
    place: &Place<Inode>,
    make: impl FnOnce(
        &'static crate::fs::filesystem::FileSystem,
    ) -> Result<InodeRef, crate::fs::filesystem::NoSpace>,
) -> SysResult {
    check_free(place)?;
    let inode = make(place.dir.fs).map_err(ChangeError::from)?;
    Ok(namespace::add(place, &inode).map(|()| 0)?)
}

/// Only a directory is made where slashes follow the name.
fn check_free(place: &Place<Inode>) -> Result<(), Errno> {
    namespace::check_add(place)?;
    match place.slash {
        true => Err(Errno::ENOENT),
        false => Ok(()),
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
    let empty = flags & AT_EMPTY_PATH != 0 && old_fd as i32 != AT_FDCWD;
    let inode = args::inode_or_fd(old_fd, old, follow, empty)?;
    let place = args::place_at(new_fd, new)?;
    check_free(&place)?;
    Ok(namespace::link(&inode, &place).map(|()| 0)?)
}

fn move_name(old_fd: u64, old: u64, new_fd: u64, new: u64, mode: Mode) -> SysResult {
    let old = args::place_at(old_fd, old)?;
    let new = args::place_at(new_fd, new)?;
    Ok(namespace::rename(&old, &new, mode).map(|()| 0)?)
}
