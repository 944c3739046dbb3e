//! Reading, writing and positions.

use abi::file::OpenFlags;
use abi::linux::{SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET};
use abi::{Errno, Signal};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::file::Whence;
use crate::fs::user_buf::{UserBuf, UserSpan};
use crate::fs::{self, IoError};
use crate::process::{self, signal};

/// `read(fd, buf, count)`.
pub fn read(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, count, ..] = frame.args();
    read_spans(fd, &[args::span(buf, count)?])
}

/// `readv(fd, iov, count)`.
pub fn readv(frame: &mut TrapFrame) -> SysResult {
    let [fd, iov, count, ..] = frame.args();
    args::file(fd)?;
    read_spans(fd, &args::spans(iov, count)?)
}

/// `write(fd, buf, count)`.
pub fn write(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, count, ..] = frame.args();
    let file = args::file(fd)?;
    write_spans(&file, &[args::span(buf, count)?])
}

/// Writes as `write` does, without SIGPIPE if so wished.
pub(super) fn write_quietly(fd: u64, buf: u64, count: u64, quiet: bool) -> SysResult {
    let file = args::file(fd)?;
    let spans = [args::span(buf, count)?];
    match quiet {
        true => Ok(file.write(&mut UserBuf::new(&spans))? as u64),
        false => write_spans(&file, &spans),
    }
}

/// `writev(fd, iov, count)`.
pub fn writev(frame: &mut TrapFrame) -> SysResult {
    let [fd, iov, count, ..] = frame.args();
    let file = args::file(fd)?;
    write_spans(&file, &args::spans(iov, count)?)
}

/// `pread64(fd, buf, count, offset)`.
pub fn pread64(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, count, offset, ..] = frame.args();
    if i64::try_from(offset).is_err() {
        return Err(Errno::EINVAL);
    }
    let file = args::file(fd)?;
    let spans = [args::span(buf, count)?];
    Ok(file.read_at(offset, &mut UserBuf::new(&spans))? as u64)
}

/// `open(path, flags, mode)`.
pub fn open(frame: &mut TrapFrame) -> SysResult {
    let [path, flags, ..] = frame.args();
    open_at(abi::linux::AT_FDCWD as u64, path, flags)
}

/// `openat(dirfd, path, flags, mode)`.
pub fn openat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, flags, ..] = frame.args();
    open_at(dirfd, path, flags)
}

/// `creat(path, mode)`.
pub fn creat(frame: &mut TrapFrame) -> SysResult {
    let [path, ..] = frame.args();
    let flags = OpenFlags::CREAT | OpenFlags::WRONLY | OpenFlags::TRUNC;
    open_at(abi::linux::AT_FDCWD as u64, path, flags.bits().into())
}

/// `lseek(fd, offset, whence)`.
pub fn lseek(frame: &mut TrapFrame) -> SysResult {
    let [fd, offset, whence, ..] = frame.args();
    let file = args::file(fd)?;
    let whence = match whence as u32 {
        SEEK_SET => Whence::Start,
        SEEK_CUR => Whence::Current,
        SEEK_END => Whence::End,
        SEEK_DATA => Whence::Data,
        SEEK_HOLE => Whence::Hole,
        _ => return Err(Errno::EINVAL),
    };
    Ok(file.seek(offset.cast_signed(), whence)?)
}

fn read_spans(fd: u64, spans: &[UserSpan]) -> SysResult {
    let file = args::file(fd)?;
    Ok(file.read(&mut UserBuf::new(spans))? as u64)
}

fn write_spans(file: &fs::OpenFile, spans: &[UserSpan]) -> SysResult {
    let outcome = file.write(&mut UserBuf::new(spans));
    if outcome == Err(IoError::BrokenPipe) {
        signal::raise(Signal::PIPE);
    }
    Ok(outcome? as u64)
}

fn open_at(dirfd: u64, path: u64, flags: u64) -> SysResult {
    let path = args::path(path)?;
    let flags = OpenFlags::from_bits_retain(flags as u32);
    let file = fs::open(args::directory(dirfd, &path)?, &path, flags)?;
    let process = process::current();
    let limit = process.fd_limit();
    let inserted = process
        .with_files(|files| files.insert(file, flags.contains(OpenFlags::CLOEXEC), 0, limit));
    Ok(inserted? as u64)
}
