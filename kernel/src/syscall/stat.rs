//! What files are: stat, statx, directory entries.

use core::mem::offset_of;

use abi::Errno;
use abi::file::{DirentHead, Stat, Statx, StatxTimestamp};
use abi::linux::{
    AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_STATX_SYNC_TYPE, AT_SYMLINK_NOFOLLOW,
    STATX__RESERVED, STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID,
};
use zerocopy::IntoBytes;

use super::path::HERE;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::directory::{Entry, entry_after};
use crate::fs::{Follow, Location, Metadata, resolve};
use crate::mm::uaccess;

/// Size of the pieces in which files are best read.
const BLOCK_SIZE: u64 = 4096;
/// The attribute of a file where a mount begins.
const MOUNT_ROOT: u64 = 0x2000;
/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// `stat(path, buf)`.
pub fn stat(frame: &mut TrapFrame) -> SysResult {
    let [path, buf, ..] = frame.args();
    let file = args::location_at(&args::caller(), HERE, path, Follow::Yes)?;
    store(buf, &file.metadata())
}

/// `lstat(path, buf)`.
pub fn lstat(frame: &mut TrapFrame) -> SysResult {
    let [path, buf, ..] = frame.args();
    let file = args::location_at(&args::caller(), HERE, path, Follow::No)?;
    store(buf, &file.metadata())
}

/// `fstat(fd, buf)`.
pub fn fstat(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, ..] = frame.args();
    store(buf, &args::file(fd)?.file().metadata())
}

/// `newfstatat(dirfd, path, buf, flags)`.
pub fn newfstatat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, buf, flags, ..] = frame.args();
    let flags = flags as u32;
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    store(buf, &metadata_at(dirfd, path, flags)?.0)
}

/// `statx(dirfd, path, flags, mask, buf)`.
pub fn statx(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, flags, mask, buf, _] = frame.args();
    let (flags, mask) = (flags as u32, mask as u32);
    let known = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
    if flags & !known != 0
        || mask & STATX__RESERVED != 0
        || flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE
    {
        return Err(Errno::EINVAL);
    }
    let (metadata, location) = metadata_at(dirfd, path, flags)?;
    args::write(buf, &extended(&metadata, location.as_ref()))?;
    Ok(0)
}

/// `getdents64(fd, buf, size)`.
pub fn getdents64(frame: &mut TrapFrame) -> SysResult {
    list(frame, false)
}

/// `getdents(fd, buffer, size)`: the same with the file's type at the end of each record.
pub fn getdents(frame: &mut TrapFrame) -> SysResult {
    list(frame, true)
}

fn list(frame: &mut TrapFrame, is_old: bool) -> SysResult {
    let [fd, buf, size, ..] = frame.args();
    let file = args::opened_file(fd)?;
    let directory = file.location().ok_or(Errno::ENOTDIR)?;
    if !directory.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    let is_gone = directory.names().is_some_and(|names| names.lock().is_dead);
    if is_gone {
        return Err(Errno::ENOENT);
    }
    directory.accessed();
    let mut records = Records {
        at: buf,
        left: size as i32,
        fault: false,
        is_old,
    };
    let fits = file.with_position(|position| {
        while let Some(entry) = entry_after(&directory, *position) {
            if !records.push(&entry) {
                return records.at > buf;
            }
            *position = entry.next;
        }
        true
    });
    match fits {
        true => Ok(records.at - buf),
        false if records.fault => Err(Errno::EFAULT),
        false => Err(Errno::EINVAL),
    }
}

/// Directory entries on their way to the program.
struct Records {
    at: u64,
    /// Bytes of room; an end could lie beyond all addresses.
    left: i32,
    fault: bool,
    /// Whether a record's last byte is the file's type, and not the last of its head.
    is_old: bool,
}

impl Records {
    /// Writes one record; returns false where it does not fit.
    fn push(&mut self, entry: &Entry) -> bool {
        let head_len = match self.is_old {
            true => offset_of!(DirentHead, kind),
            false => size_of::<DirentHead>(),
        };
        let ends = 1 + usize::from(self.is_old);
        let len = (head_len + entry.name.len() + ends).next_multiple_of(8);
        if self.left < len as i32 {
            return false;
        }
        let head = DirentHead {
            ino: entry.ino,
            off: entry.next,
            reclen: len as u16,
            kind: entry.kind,
        };
        let mut record = [0; size_of::<DirentHead>() + 256 + 8];
        record[..head_len].copy_from_slice(&head.as_bytes()[..head_len]);
        if self.is_old {
            record[len - 1] = entry.kind;
        }
        record[head_len..head_len + entry.name.len()].copy_from_slice(&entry.name);
        self.fault = uaccess::copy_to_user(self.at, &record[..len]).is_err();
        if !self.fault {
            self.at += len as u64;
            self.left -= len as i32;
        }
        !self.fault
    }
}

/// What is known of a file, and its place if it has one.
fn metadata_at(dirfd: u64, path: u64, flags: u32) -> Result<(Metadata, Option<Location>), Errno> {
    let caller = args::caller();
    let empty_is_allowed = flags & AT_EMPTY_PATH != 0;
    let name = if path == 0 && empty_is_allowed {
        Default::default()
    } else {
        args::path(path)?
    };
    if name.is_empty() && empty_is_allowed {
        return match dirfd as i32 {
            AT_FDCWD => Ok((caller.cwd.metadata(), Some(caller.cwd))),
            _ => {
                let file = args::file(dirfd)?;
                Ok((file.file().metadata(), file.location()))
            }
        };
    }
    let follow = if flags & AT_SYMLINK_NOFOLLOW != 0 {
        Follow::No
    } else {
        Follow::Yes
    };
    let base = args::directory(&caller, dirfd, &name)?;
    let file = resolve(&caller, &base, &name, follow)?;
    Ok((file.metadata(), Some(file)))
}

fn store(buf: u64, metadata: &Metadata) -> SysResult {
    let [atime, mtime, ctime] = metadata.times;
    let seconds = |ns: u64| [ns / SECOND, ns % SECOND];
    let stat = Stat {
        dev: metadata.dev,
        ino: metadata.ino,
        nlink: metadata.nlink.into(),
        mode: metadata.mode,
        uid: metadata.uid,
        gid: metadata.gid,
        rdev: metadata.rdev,
        size: metadata.size,
        blksize: BLOCK_SIZE,
        blocks: metadata.blocks,
        atime: seconds(atime),
        mtime: seconds(mtime),
        ctime: seconds(ctime),
        ..Stat::default()
    };
    args::write(buf, &stat)?;
    Ok(0)
}

fn extended(metadata: &Metadata, location: Option<&Location>) -> Statx {
    let time = |ns: u64| StatxTimestamp {
        sec: (ns / SECOND) as i64,
        nsec: (ns % SECOND) as u32,
        ..StatxTimestamp::default()
    };
    let [atime, mtime, ctime] = metadata.times.map(time);
    let is_root = location.is_some_and(Location::is_mount_root);
    let mut mask = STATX_BASIC_STATS | STATX_MNT_ID;
    if metadata.btime != 0 {
        mask |= STATX_BTIME;
    }
    let mut rest = [0; 14];
    rest[0] = location.map_or(0, |location| location.mount.id.into());
    Statx {
        mask,
        attributes: if is_root { MOUNT_ROOT } else { 0 },
        attributes_mask: MOUNT_ROOT,
        btime: time(metadata.btime),
        rest,
        blksize: BLOCK_SIZE as u32,
        nlink: metadata.nlink,
        uid: metadata.uid,
        gid: metadata.gid,
        mode: metadata.mode as u16,
        ino: metadata.ino,
        size: metadata.size,
        blocks: metadata.blocks,
        atime,
        ctime,
        mtime,
        rdev: [(metadata.rdev >> 8) as u32, metadata.rdev as u8 as u32],
        dev: [(metadata.dev >> 8) as u32, metadata.dev as u8 as u32],
        ..Statx::default()
    }
}
