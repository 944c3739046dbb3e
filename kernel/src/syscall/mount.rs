//! Mounts.

use alloc::string::String;

use abi::Errno;
use abi::linux::{
    MNT_DETACH, MNT_EXPIRE, MNT_FORCE, MS_BIND, MS_MOVE, MS_NOATIME, MS_NODEV, MS_NODIRATIME,
    MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, MS_RELATIME, MS_REMOUNT, MS_SHARED,
    MS_SILENT, MS_SLAVE, MS_STRICTATIME, MS_UNBINDABLE, UMOUNT_NOFOLLOW,
};
use addr::PAGE_SIZE;
use cred::Cap;

use super::path::HERE;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::mount::MountFlags;
use crate::fs::mounting::{self, NewMount};
use crate::fs::{Caller, Follow};
use crate::mm::uaccess;

/// What old programs put into the upper half of the flags.
const MAGIC: u32 = 0xc0ed_0000;
/// That half.
const MAGIC_MASK: u32 = 0xffff_0000;

/// `mount(source, target, kind, flags, options)`.
pub fn mount(frame: &mut TrapFrame) -> SysResult {
    let [source, target, kind, flags, options, _] = frame.args();
    let kind = optional_text(kind)?;
    let source = optional_text(source)?;
    let options = option_text(options)?;
    let mut flags = flags as u32;
    if flags & MAGIC_MASK == MAGIC {
        flags &= !MAGIC_MASK;
    }
    let caller = args::caller();
    let at = args::location_at(&caller, HERE, target, Follow::Yes)?;
    check_right(&caller)?;
    let forbids = mount_flags(flags);
    match () {
        () if flags & MS_REMOUNT != 0 => {
            // Without a word about times of reading they stay as they are.
            let times =
                MountFlags::NO_ATIME | MountFlags::NO_DIR_ATIME | MountFlags::RELATIVE_ATIME;
            let says = MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME;
            let forbids = match flags & says {
                0 => forbids.difference(times) | at.mount.flags() & times,
                _ => forbids,
            };
            let mount_only = flags & MS_BIND != 0;
            mounting::remount(&at, forbids, &options, mount_only)?;
        }
        () if flags & MS_BIND != 0 => {
            let source = source
                .filter(|path| !path.is_empty())
                .ok_or(Errno::EINVAL)?;
            let base = args::directory(&caller, HERE, source.as_bytes())?;
            let source = crate::fs::resolve(&caller, &base, source.as_bytes(), Follow::Yes)?;
            mounting::bind(&source, at, flags & MS_REC != 0)?;
        }
        () if flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE) != 0 => {
            let kind = flags & !(MS_REC | MS_SILENT);
            if !at.is_mount_root() || !kind.is_power_of_two() {
                return Err(Errno::EINVAL);
            }
            // Every mount is private, and a private one is nobody's slave.
            if kind & (MS_PRIVATE | MS_SLAVE) == 0 {
                return Err(Errno::EINVAL);
            }
        }
        () if flags & MS_MOVE != 0 => {
            let source = source
                .filter(|path| !path.is_empty())
                .ok_or(Errno::EINVAL)?;
            let base = args::directory(&caller, HERE, source.as_bytes())?;
            let source = crate::fs::resolve(&caller, &base, source.as_bytes(), Follow::Yes)?;
            mounting::move_mount(&source, at)?;
        }
        () => {
            let new = NewMount {
                kind: &kind.ok_or(Errno::EINVAL)?,
                source: source.as_deref().unwrap_or("none"),
                options: &options,
                flags: forbids,
            };
            mounting::mount(&new, at)?;
        }
    }
    Ok(0)
}

/// `umount2(target, flags)`.
pub fn umount2(frame: &mut TrapFrame) -> SysResult {
    let [target, flags, ..] = frame.args();
    let flags = flags as u32;
    if flags & !(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let follow = match flags & UMOUNT_NOFOLLOW {
        0 => Follow::Yes,
        _ => Follow::No,
    };
    let caller = args::caller();
    let at = args::location_at(&caller, HERE, target, follow)?;
    check_right(&caller)?;
    if flags & MNT_EXPIRE != 0 {
        // Nobody looks how long a mount has not been used.
        return Err(Errno::EINVAL);
    }
    drop(caller);
    mounting::unmount(at, flags & MNT_DETACH != 0)?;
    Ok(0)
}

fn check_right(caller: &Caller) -> Result<(), Errno> {
    match caller.cred.has(Cap::SysAdmin) {
        true => Ok(()),
        false => Err(Errno::EPERM),
    }
}

fn mount_flags(flags: u32) -> MountFlags {
    let mut forbids = MountFlags::empty();
    for (asked, flag) in [
        (MS_RDONLY, MountFlags::READ_ONLY),
        (MS_NOSUID, MountFlags::NO_SUID),
        (MS_NODEV, MountFlags::NO_DEV),
        (MS_NOEXEC, MountFlags::NO_EXEC),
        (MS_NOATIME, MountFlags::NO_ATIME),
        (MS_NODIRATIME, MountFlags::NO_DIR_ATIME),
    ] {
        forbids.set(flag, flags & asked != 0);
    }
    let relative = flags & (MS_NOATIME | MS_STRICTATIME) == 0;
    forbids.set(MountFlags::RELATIVE_ATIME, relative);
    forbids
}

/// Reads a text, if there is one.
fn optional_text(addr: u64) -> Result<Option<String>, Errno> {
    if addr == 0 {
        return Ok(None);
    }
    let bytes = uaccess::read_cstr(addr, PAGE_SIZE as usize - 1).map_err(|error| match error {
        uaccess::CstrError::Fault => Errno::EFAULT,
        uaccess::CstrError::TooLong => Errno::EINVAL,
    })?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Reads the options, which may be a page without an end.
fn option_text(addr: u64) -> Result<String, Errno> {
    if addr == 0 {
        return Ok(String::new());
    }
    let mut page = [0; PAGE_SIZE as usize];
    let len = uaccess::copy_from_user_partial(&mut page, addr);
    if len == 0 {
        return Err(Errno::EFAULT);
    }
    let text = page[..len].split(|byte| *byte == 0).next().unwrap_or(&[]);
    Ok(String::from_utf8_lossy(text).into_owned())
}
