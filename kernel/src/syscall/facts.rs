//! What changes a file itself: its size, its owner, its permissions, its times; and what its file
//! system says of itself.

use abi::Errno;
use abi::file::Statfs;
use abi::linux::{
    AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE,
    S_IFLNK, UTIME_NOW, UTIME_OMIT,
};
use abi::time::{Timespec, Timeval};

use super::path::HERE;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::filesystem::{self, FileSystem};
use crate::fs::regular::Allocate;
use crate::fs::seals::Seals;
use crate::fs::{Follow, InodeRef};
use crate::time;

/// An owner that stays as it is.
const KEEP: u32 = u32::MAX;
/// Size of the blocks in which room is counted.
const BLOCK: u64 = 4096;

/// `truncate(path, len)`.
pub fn truncate(frame: &mut TrapFrame) -> SysResult {
    let [path, len, ..] = frame.args();
    let len = length(len)?;
    let inode = args::inode_at(HERE, path, Follow::Yes)?;
    match inode.cache() {
        Some(_) => set_size(&inode, len),
        None if inode.is_directory() => Err(Errno::EISDIR),
        None => Err(Errno::EINVAL),
    }
}

/// `ftruncate(fd, len)`.
pub fn ftruncate(frame: &mut TrapFrame) -> SysResult {
    let [fd, len, ..] = frame.args();
    let len = length(len)?;
    let file = args::file(fd)?;
    // A file that is open for something else is a bad argument here, not a bad descriptor.
    file.check_writable().map_err(|_| Errno::EINVAL)?;
    let inode = file.file().inode().ok_or(Errno::EINVAL)?;
    if inode.cache().is_none() {
        return Err(Errno::EINVAL);
    }
    set_size(&inode, len)
}

fn length(len: u64) -> Result<u64, Errno> {
    i64::try_from(len).map(|_| len).map_err(|_| Errno::EINVAL)
}

fn set_size(inode: &InodeRef, len: u64) -> SysResult {
    Ok(inode.truncate(len).map(|()| 0)?)
}

/// `fallocate(fd, mode, offset, len)`.
pub fn fallocate(frame: &mut TrapFrame) -> SysResult {
    let [fd, mode, offset, len, ..] = frame.args();
    let file = args::file(fd)?;
    let (start, len) = (length(offset)?, length(len)?);
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    const PUNCH: u32 = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    let what = match mode as u32 {
        0 => Allocate::Extend,
        FALLOC_FL_KEEP_SIZE => Allocate::Keep,
        PUNCH => Allocate::Punch,
        _ => return Err(Errno::EOPNOTSUPP),
    };
    file.check_writable()?;
    let inode = file.file().inode().ok_or(Errno::ESPIPE)?;
    match inode.cache() {
        Some(_) => Ok(inode.allocate(start, len, what).map(|()| 0)?),
        None if inode.is_directory() => Err(Errno::EISDIR),
        None => Err(Errno::ENODEV),
    }
}

/// `fsync(fd)` and `fdatasync(fd)`: memory is all there is, and it is up to date.
pub fn fsync(frame: &mut TrapFrame) -> SysResult {
    let [fd, ..] = frame.args();
    let file = args::file(fd)?;
    match file.file().has_position() {
        true => Ok(0),
        false => Err(Errno::EINVAL),
    }
}

/// `chmod(path, mode)`.
pub fn chmod(frame: &mut TrapFrame) -> SysResult {
    let [path, mode, ..] = frame.args();
    set_mode(&args::inode_at(HERE, path, Follow::Yes)?, mode)
}

/// `fchmodat(dirfd, path, mode)`.
pub fn fchmodat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, mode, ..] = frame.args();
    set_mode(&args::inode_at(dirfd, path, Follow::Yes)?, mode)
}

/// `fchmodat2(dirfd, path, mode, flags)`.
pub fn fchmodat2(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, mode, flags, ..] = frame.args();
    set_mode(&named(dirfd, path, flags as u32)?, mode)
}

/// `fchmod(fd, mode)`.
pub fn fchmod(frame: &mut TrapFrame) -> SysResult {
    let [fd, mode, ..] = frame.args();
    set_mode(&opened(fd)?, mode)
}

/// `chown(path, uid, gid)`.
pub fn chown(frame: &mut TrapFrame) -> SysResult {
    let [path, uid, gid, ..] = frame.args();
    set_owner(&args::inode_at(HERE, path, Follow::Yes)?, uid, gid)
}

/// `lchown(path, uid, gid)`.
pub fn lchown(frame: &mut TrapFrame) -> SysResult {
    let [path, uid, gid, ..] = frame.args();
    set_owner(&args::inode_at(HERE, path, Follow::No)?, uid, gid)
}

/// `fchown(fd, uid, gid)`.
pub fn fchown(frame: &mut TrapFrame) -> SysResult {
    let [fd, uid, gid, ..] = frame.args();
    set_owner(&opened(fd)?, uid, gid)
}

/// `fchownat(dirfd, path, uid, gid, flags)`.
pub fn fchownat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, uid, gid, flags, _] = frame.args();
    set_owner(&named(dirfd, path, flags as u32)?, uid, gid)
}

/// `utimensat(dirfd, path, times, flags)`; without a path it is about `dirfd` itself.
pub fn utimensat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, times, flags, ..] = frame.args();
    let [atime, mtime] = match times {
        0 => [Some(time::realtime_ns()); 2],
        _ => [new_time(times)?, new_time(times + 16)?],
    };
    if atime.is_none() && mtime.is_none() {
        return Ok(0);
    }
    let inode = match (path, dirfd as i32) {
        (0, AT_FDCWD) => return Err(Errno::EFAULT),
        (0, _) if flags as u32 != 0 => return Err(Errno::EINVAL),
        (0, _) => opened(dirfd)?,
        _ => named(dirfd, path, flags as u32)?,
    };
    set_times(&inode, atime, mtime)
}

/// `utimes(path, times)`.
pub fn utimes(frame: &mut TrapFrame) -> SysResult {
    let [path, times, ..] = frame.args();
    let now = time::realtime_ns();
    let of = |addr| {
        let value = args::read::<Timeval>(addr)?;
        let micros = u64::try_from(value.usec)
            .ok()
            .filter(|usec| *usec < 1_000_000);
        let seconds = u64::try_from(value.sec).unwrap_or(0);
        Ok::<_, Errno>(
            seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(micros.ok_or(Errno::EINVAL)? * 1000),
        )
    };
    let (atime, mtime) = match times {
        0 => (now, now),
        _ => (of(times)?, of(times + 16)?),
    };
    let inode = args::inode_at(HERE, path, Follow::Yes)?;
    set_times(&inode, Some(atime), Some(mtime))
}

/// `statfs(path, buf)`.
pub fn statfs(frame: &mut TrapFrame) -> SysResult {
    let [path, buf, ..] = frame.args();
    let inode = args::inode_at(HERE, path, Follow::Yes)?;
    store(buf, inode.fs)
}

/// `fstatfs(fd, buf)`.
pub fn fstatfs(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, ..] = frame.args();
    let file = args::file(fd)?;
    let fs = match file.file().inode() {
        Some(inode) => inode.fs,
        None if file.file().is_socket() => &filesystem::SOCKETS,
        None => &filesystem::PIPES,
    };
    store(buf, fs)
}

fn store(buf: u64, fs: &FileSystem) -> SysResult {
    let ((blocks, free), (files, files_free)) = (fs.pages(), fs.files());
    let facts = Statfs {
        kind: fs.magic,
        bsize: BLOCK,
        blocks,
        bfree: free,
        bavail: free,
        files,
        ffree: files_free,
        fsid: [fs.dev as u32, 0],
        namelen: vfs::NAME_MAX as u64,
        frsize: BLOCK,
        ..Statfs::default()
    };
    args::write(buf, &facts)?;
    Ok(0)
}

fn named(dirfd: u64, path: u64, flags: u32) -> Result<InodeRef, Errno> {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let follow = match flags & AT_SYMLINK_NOFOLLOW {
        0 => Follow::Yes,
        _ => Follow::No,
    };
    args::inode_or_fd(dirfd, path, follow, flags & AT_EMPTY_PATH != 0)
}

/// The file behind a descriptor; pipes and sockets have no facts that can be changed.
fn opened(fd: u64) -> Result<InodeRef, Errno> {
    args::file(fd)?.file().inode().ok_or(Errno::EPERM)
}

fn check_changeable(inode: &InodeRef) -> Result<(), Errno> {
    match core::ptr::eq(inode.fs, &filesystem::PROC) {
        true => Err(Errno::EPERM),
        false => Ok(()),
    }
}

fn set_mode(inode: &InodeRef, mode: u64) -> SysResult {
    check_changeable(inode)?;
    if inode.file_type() == S_IFLNK {
        return Err(Errno::EOPNOTSUPP);
    }
    let mode = mode as u32 & 0o7777;
    let executable = (inode.attributes().permissions ^ mode) & 0o111 != 0;
    if executable && inode.seals().contains(Seals::EXEC) {
        return Err(Errno::EPERM);
    }
    inode.change(|facts| facts.permissions = mode);
    Ok(0)
}

fn set_owner(inode: &InodeRef, uid: u64, gid: u64) -> SysResult {
    check_changeable(inode)?;
    let (uid, gid) = (uid as u32, gid as u32);
    inode.change(|facts| {
        if uid != KEEP {
            facts.uid = uid;
        }
        if gid != KEEP {
            facts.gid = gid;
        }
    });
    Ok(0)
}

/// Reads a time to set; `None` leaves the old one.
fn new_time(addr: u64) -> Result<Option<u64>, Errno> {
    let value = args::read::<Timespec>(addr)?;
    match value.nsec as u32 {
        UTIME_OMIT => Ok(None),
        UTIME_NOW => Ok(Some(time::realtime_ns())),
        nsec if nsec < 1_000_000_000 && i64::from(nsec) == value.nsec => {
            let seconds = u64::try_from(value.sec).unwrap_or(0);
            let whole = seconds.saturating_mul(1_000_000_000);
            Ok(Some(whole.saturating_add(u64::from(nsec))))
        }
        _ => Err(Errno::EINVAL),
    }
}

fn set_times(inode: &InodeRef, atime: Option<u64>, mtime: Option<u64>) -> SysResult {
    check_changeable(inode)?;
    inode.change(|facts| {
        facts.atime = atime.unwrap_or(facts.atime);
        facts.mtime = mtime.unwrap_or(facts.mtime);
    });
    Ok(0)
}
