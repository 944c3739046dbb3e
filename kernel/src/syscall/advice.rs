//! What programs say about files that are on no disk: it is checked, and that is all.

use abi::Errno;

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::OpenFile;

/// The highest advice of `fadvise64`.
const LAST_ADVICE: u32 = 5;
/// All flags of `sync_file_range`.
const SYNC_FLAGS: u32 = 7;

/// `fadvise64(fd, offset, len, advice)`.
pub fn fadvise64(frame: &mut TrapFrame) -> SysResult {
    let [fd, _, len, advice, ..] = frame.args();
    let file = args::opened_file(fd)?;
    if !file.file().has_position() {
        return Err(Errno::ESPIPE);
    }
    match len.cast_signed() < 0 || advice as u32 > LAST_ADVICE {
        true => Err(Errno::EINVAL),
        false => Ok(0),
    }
}

/// `readahead(fd, offset, count)`.
pub fn readahead(frame: &mut TrapFrame) -> SysResult {
    let [fd, ..] = frame.args();
    let file = args::opened_file(fd)?;
    match () {
        () if !file.flags().reads() => Err(Errno::EBADF),
        () if is_regular(&file) => Ok(0),
        () => Err(Errno::EINVAL),
    }
}

/// `sync_file_range(fd, offset, count, flags)`.
pub fn sync_file_range(frame: &mut TrapFrame) -> SysResult {
    let [fd, offset, count, flags, ..] = frame.args();
    let file = args::opened_file(fd)?;
    let end = offset.cast_signed().checked_add(count.cast_signed());
    let is_range = offset.cast_signed() >= 0 && end.is_some_and(|end| end >= offset.cast_signed());
    match () {
        () if flags as u32 & !SYNC_FLAGS != 0 || !is_range => Err(Errno::EINVAL),
        () if is_regular(&file) || is_directory(&file) => Ok(0),
        () => Err(Errno::ESPIPE),
    }
}

/// `syncfs(fd)`.
pub fn syncfs(frame: &mut TrapFrame) -> SysResult {
    let [fd, ..] = frame.args();
    args::opened_file(fd)?;
    Ok(0)
}

fn is_regular(file: &OpenFile) -> bool {
    file.location().is_some_and(|file| file.cache().is_some())
}

fn is_directory(file: &OpenFile) -> bool {
    file.location().is_some_and(|file| file.is_directory())
}
