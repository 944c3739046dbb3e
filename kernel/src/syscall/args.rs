//! What the registers point to: paths, vectors, times, directories.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::Iovec;
use abi::linux::{AT_FDCWD, UIO_MAXIOV};
use abi::time::Timespec;
use addr::PAGE_SIZE;
use zerocopy::{FromBytes, IntoBytes};

use crate::fs::path::{PATH_MAX, Place, place};
use crate::fs::user_buf::UserSpan;
use crate::fs::{Caller, Follow, Location, OpenFile, resolve};
use crate::mm::uaccess;
use crate::process;

/// The most bytes one read or write transfers, as on Linux.
pub(super) const MAX_TRANSFER: u64 = 0x7fff_f000;

/// Returns the open file that a descriptor in a register stands for.
#[inline]
pub fn file(fd: u64) -> Result<Arc<OpenFile>, Errno> {
    process::current().file(fd as i32).ok_or(Errno::EBADF)
}

/// The same for a file that was opened, and not only named (`O_PATH`).
pub fn opened_file(fd: u64) -> Result<Arc<OpenFile>, Errno> {
    let file = file(fd)?;
    match file.is_name_only() {
        true => Err(Errno::EBADF),
        false => Ok(file),
    }
}

/// Reads a path.
pub fn path(addr: u64) -> Result<Vec<u8>, Errno> {
    Ok(uaccess::read_cstr(addr, PATH_MAX - 1)?)
}

/// Returns who calls, as the files see it.
pub fn caller() -> Caller {
    process::caller::caller()
}

/// Returns the directory that a relative path of an `…at` call begins in.
pub fn directory(caller: &Caller, fd: u64, path: &[u8]) -> Result<Location, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    base(caller, fd, path)
}

/// [`directory`] for a path that may be empty.
pub fn base(caller: &Caller, fd: u64, path: &[u8]) -> Result<Location, Errno> {
    if fd as i32 == AT_FDCWD || path.starts_with(b"/") {
        return Ok(caller.cwd.clone());
    }
    let location = file(fd)?.location().ok_or(Errno::ENOTDIR)?;
    match location.is_directory() {
        true => Ok(location),
        false => Err(Errno::ENOTDIR),
    }
}

/// Finds what the path at `addr` stands for, seen from the directory `fd`.
pub fn location_at(caller: &Caller, fd: u64, addr: u64, follow: Follow) -> Result<Location, Errno> {
    let path = path(addr)?;
    let base = directory(caller, fd, &path)?;
    Ok(resolve(caller, &base, &path, follow)?)
}

/// Finds what the path at `addr` stands for; an empty one, if that is allowed, stands for `fd` itself.
pub fn location_or_fd(
    caller: &Caller,
    fd: u64,
    addr: u64,
    follow: Follow,
    empty: bool,
) -> Result<Location, Errno> {
    location_named_or_fd(caller, fd, &path(addr)?, follow, empty)
}

/// [`location_or_fd`] for a path that was read already.
pub fn location_named_or_fd(
    caller: &Caller,
    fd: u64,
    path: &[u8],
    follow: Follow,
    empty: bool,
) -> Result<Location, Errno> {
    match path.is_empty() && empty {
        true if fd as i32 == AT_FDCWD => Ok(caller.cwd.clone()),
        true => file(fd)?.location().ok_or(Errno::EINVAL),
        false => {
            let base = directory(caller, fd, path)?;
            Ok(resolve(caller, &base, path, follow)?)
        }
    }
}

/// Finds the directory that the last component of the path at `addr` is in.
pub fn place_at(caller: &Caller, fd: u64, addr: u64) -> Result<Place, Errno> {
    let path = path(addr)?;
    Ok(place(caller, &directory(caller, fd, &path)?, &path)?)
}

/// Makes a span of a buffer's address and length; what lies outside user space is refused, even
/// if it is more than one call transfers.
pub fn span(addr: u64, len: u64) -> Result<UserSpan, Errno> {
    addr::user_range(addr, len).ok_or(Errno::EFAULT)?;
    let len = len.min(MAX_TRANSFER);
    Ok(UserSpan { addr, len })
}

/// Reads a vector of spans.
pub fn spans(addr: u64, count: u64) -> Result<Vec<UserSpan>, Errno> {
    if count > u64::from(UIO_MAXIOV) {
        return Err(Errno::EINVAL);
    }
    let mut left = MAX_TRANSFER;
    let vectors = (0..count).map(|index| read::<Iovec>(addr + index * size_of::<Iovec>() as u64));
    vectors
        .map(|vector| {
            let vector = vector?;
            if i64::try_from(vector.len).is_err() {
                return Err(Errno::EINVAL);
            }
            let mut span = span(vector.base, vector.len)?;
            span.len = span.len.min(left);
            left -= span.len;
            Ok(span)
        })
        .collect()
}

/// Reads one value.
pub fn read<T: FromBytes + IntoBytes>(addr: u64) -> Result<T, Errno> {
    Ok(uaccess::read_user(addr)?)
}

/// Reads a structure that has grown, and may be shorter or longer than this kernel knows it: what is not there is 0, and
/// what is not known has to be (E2BIG).
pub fn extensible<T: FromBytes + IntoBytes>(addr: u64, size: u64, first: u64) -> Result<T, Errno> {
    if size < first {
        return Err(Errno::EINVAL);
    }
    if size > PAGE_SIZE {
        return Err(Errno::E2BIG);
    }
    let mut bytes = [0; PAGE_SIZE as usize];
    let given = &mut bytes[..size as usize];
    if uaccess::copy_from_user_partial(given, addr) < given.len() {
        return Err(Errno::EFAULT);
    }
    let (known, unknown) = bytes.split_at(size_of::<T>());
    if unknown.iter().any(|byte| *byte != 0) {
        return Err(Errno::E2BIG);
    }
    T::read_from_bytes(known).map_err(|_| Errno::EINVAL)
}

/// Reads one value, if there is an address.
pub fn read_optional<T: FromBytes + IntoBytes>(addr: u64) -> Result<Option<T>, Errno> {
    if addr == 0 {
        Ok(None)
    } else {
        read(addr).map(Some)
    }
}

/// Writes one value.
pub fn write<T: IntoBytes + zerocopy::Immutable>(addr: u64, value: &T) -> Result<(), Errno> {
    Ok(uaccess::write_user(addr, value)?)
}

/// Writes one value, if there is an address.
pub fn write_optional<T: IntoBytes + zerocopy::Immutable>(
    addr: u64,
    value: &T,
) -> Result<(), Errno> {
    if addr == 0 {
        Ok(())
    } else {
        write(addr, value)
    }
}

/// Reads a time in nanoseconds.
pub fn nanoseconds(addr: u64) -> Result<u64, Errno> {
    read::<Timespec>(addr)?.to_ns().ok_or(Errno::EINVAL)
}
