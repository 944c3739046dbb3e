//! What changes a file itself: its size, its owner, its permissions (its times: [`super::times`]); and what its
//! file system says of itself.

use abi::Errno;
use abi::file::Statfs;
use abi::linux::{
    AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, S_IFLNK,
};
use cred::{Denied, Wanted, change};

use super::path::HERE;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::filesystem::{self, FileSystem};
use crate::fs::mount::MountRef;
use crate::fs::regular::Allocate;
use crate::fs::seals::Seals;
use crate::fs::write_access::WriteAccess;
use crate::fs::{Caller, Follow, Inode, Kind, Location};

/// An owner that stays as it is.
const KEEP: u32 = u32::MAX;
/// Size of the blocks in which room is counted.
const BLOCK: u64 = 4096;

/// `truncate(path, len)`.
pub fn truncate(frame: &mut TrapFrame) -> SysResult {
    let [path, len, ..] = frame.args();
    let len = length(len)?;
    let caller = args::caller();
    let file = args::location_at(&caller, HERE, path, Follow::Yes)?;
    match file.cache() {
        Some(_) => {}
        None if file.is_directory() => return Err(Errno::EISDIR),
        None => return Err(Errno::EINVAL),
    }
    check_writable(&file)?;
    caller.may(&file, Wanted::WRITE)?;
    let _access = WriteAccess::new(&file)?;
    set_size(&caller, &file, len)
}

/// `ftruncate(fd, len)`.
pub fn ftruncate(frame: &mut TrapFrame) -> SysResult {
    let [fd, len, ..] = frame.args();
    let len = length(len)?;
    let file = args::opened_file(fd)?;
    // A file that is open for something else is a bad argument here, not a bad descriptor.
    file.check_writable().map_err(|_| Errno::EINVAL)?;
    let location = file.location().ok_or(Errno::EINVAL)?;
    if location.cache().is_none() {
        return Err(Errno::EINVAL);
    }
    set_size(&args::caller(), &location, len)
}

fn length(len: u64) -> Result<u64, Errno> {
    i64::try_from(len).map(|_| len).map_err(|_| Errno::EINVAL)
}

fn set_size(caller: &Caller, inode: &Inode, len: u64) -> SysResult {
    inode.truncate(len)?;
    inode.drop_set_ids(&caller.cred);
    Ok(0)
}

/// Fails where nothing may be changed because of how it is mounted.
fn check_writable(location: &Location) -> Result<(), Errno> {
    match location.mount.is_read_only() {
        true => Err(Errno::EROFS),
        false => Ok(()),
    }
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
    let caller = args::caller();
    let file = args::location_at(&caller, HERE, path, Follow::Yes)?;
    set_mode(&caller, &file, mode)
}

/// `fchmodat(dirfd, path, mode)`.
pub fn fchmodat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, mode, ..] = frame.args();
    let caller = args::caller();
    let file = args::location_at(&caller, dirfd, path, Follow::Yes)?;
    set_mode(&caller, &file, mode)
}

/// `fchmodat2(dirfd, path, mode, flags)`.
pub fn fchmodat2(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, mode, flags, ..] = frame.args();
    let caller = args::caller();
    set_mode(&caller, &named(&caller, dirfd, path, flags as u32)?, mode)
}

/// `fchmod(fd, mode)`.
pub fn fchmod(frame: &mut TrapFrame) -> SysResult {
    let [fd, mode, ..] = frame.args();
    set_mode(&args::caller(), &opened(fd)?, mode)
}

/// `chown(path, uid, gid)`.
pub fn chown(frame: &mut TrapFrame) -> SysResult {
    let [path, uid, gid, ..] = frame.args();
    let caller = args::caller();
    let file = args::location_at(&caller, HERE, path, Follow::Yes)?;
    set_owner(&caller, &file, uid, gid)
}

/// `lchown(path, uid, gid)`.
pub fn lchown(frame: &mut TrapFrame) -> SysResult {
    let [path, uid, gid, ..] = frame.args();
    let caller = args::caller();
    let file = args::location_at(&caller, HERE, path, Follow::No)?;
    set_owner(&caller, &file, uid, gid)
}

/// `fchown(fd, uid, gid)`.
pub fn fchown(frame: &mut TrapFrame) -> SysResult {
    let [fd, uid, gid, ..] = frame.args();
    set_owner(&args::caller(), &opened(fd)?, uid, gid)
}

/// `fchownat(dirfd, path, uid, gid, flags)`.
pub fn fchownat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, uid, gid, flags, _] = frame.args();
    let caller = args::caller();
    let file = named(&caller, dirfd, path, flags as u32)?;
    set_owner(&caller, &file, uid, gid)
}

/// `statfs(path, buf)`.
pub fn statfs(frame: &mut TrapFrame) -> SysResult {
    let [path, buf, ..] = frame.args();
    let file = args::location_at(&args::caller(), HERE, path, Follow::Yes)?;
    store(buf, &file.mount.fs, Some(&file.mount))
}

/// `fstatfs(fd, buf)`.
pub fn fstatfs(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, ..] = frame.args();
    let file = args::file(fd)?;
    match file.location() {
        Some(location) => store(buf, &location.mount.fs, Some(&location.mount)),
        None if file.file().is_socket() => store(buf, &filesystem::SOCKETS, None),
        None => store(buf, &filesystem::PIPES, None),
    }
}

/// Marks the flags of `statfs` as filled in.
const ST_VALID: u64 = 0x20;

fn store(buf: u64, fs: &FileSystem, mount: Option<&MountRef>) -> SysResult {
    let flags = mount.map_or(0, |mount| {
        let read_only = u64::from(mount.is_read_only());
        u64::from(mount.flags().bits()) | read_only
    });
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
        flags: ST_VALID | flags,
        ..Statfs::default()
    };
    args::write(buf, &facts)?;
    Ok(0)
}

/// Finds what a path with `AT_*` flags names.
pub(super) fn named(caller: &Caller, dirfd: u64, path: u64, flags: u32) -> Result<Location, Errno> {
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let follow = match flags & AT_SYMLINK_NOFOLLOW {
        0 => Follow::Yes,
        _ => Follow::No,
    };
    args::location_or_fd(caller, dirfd, path, follow, flags & AT_EMPTY_PATH != 0)
}

/// The file behind a descriptor; pipes and sockets have no facts that can be changed.
pub(super) fn opened(fd: u64) -> Result<Location, Errno> {
    args::opened_file(fd)?.location().ok_or(Errno::EPERM)
}

/// Fails where a file's facts cannot be changed, whoever asks.
pub(super) fn check_changeable(file: &Location) -> Result<(), Errno> {
    check_writable(file)?;
    match file.inode.kind {
        Kind::Proc(_) => Err(Errno::EPERM),
        _ => Ok(()),
    }
}

fn set_mode(caller: &Caller, file: &Location, mode: u64) -> SysResult {
    check_changeable(file)?;
    if file.file_type() == S_IFLNK {
        return Err(Errno::EOPNOTSUPP);
    }
    let mode = change::chmod(&caller.cred, file.facts(), mode as u32);
    let mode = mode.map_err(|Denied| Errno::EPERM)? & 0o7777;
    let executable = (file.attributes().permissions ^ mode) & 0o111 != 0;
    if executable && file.seals().contains(Seals::EXEC) {
        return Err(Errno::EPERM);
    }
    file.change(|facts| facts.permissions = mode);
    Ok(0)
}

fn set_owner(caller: &Caller, file: &Location, uid: u64, gid: u64) -> SysResult {
    check_changeable(file)?;
    let wanted = |id: u64| Some(id as u32).filter(|id| *id != KEEP);
    let new = change::chown(&caller.cred, file.facts(), wanted(uid), wanted(gid));
    let new = new.map_err(|Denied| Errno::EPERM)?;
    file.change(|facts| {
        facts.uid = new.uid;
        facts.gid = new.gid;
        facts.permissions = new.mode & 0o7777;
    });
    Ok(0)
}
