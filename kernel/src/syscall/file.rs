//! Reading, writing and positions.

use alloc::sync::Arc;
use core::cell::Cell;

use abi::file::OpenFlags;
use abi::linux::{MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, MFD_NOEXEC_SEAL};
use abi::linux::{SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET};
use abi::{Errno, Signal};

use super::path::HERE;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::seals::Seals;
use crate::fs::user_buf::{UserBuf, UserSpan};
use crate::fs::{self, IoError};
use crate::mm::uaccess::{self, CstrError};
use crate::process::oom::{self, Verdict};
use crate::process::{self, signal};
use vfs::seek::Whence;

/// Longest name of a file in memory: with `memfd:` before it, it is a name.
const MEMFD_NAME_MAX: usize = 249;

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
    read_spans_at(fd, &[args::span(buf, count)?], offset)
}

/// `pwrite64(fd, buf, count, offset)`.
pub fn pwrite64(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, count, offset, ..] = frame.args();
    write_spans_at(fd, &[args::span(buf, count)?], offset)
}

/// `preadv(fd, iov, count, offset)`.
pub fn preadv(frame: &mut TrapFrame) -> SysResult {
    let [fd, iov, count, offset, ..] = frame.args();
    read_spans_at(fd, &args::spans(iov, count)?, offset)
}

/// `pwritev(fd, iov, count, offset)`.
pub fn pwritev(frame: &mut TrapFrame) -> SysResult {
    let [fd, iov, count, offset, ..] = frame.args();
    write_spans_at(fd, &args::spans(iov, count)?, offset)
}

/// `open(path, flags, mode)`.
pub fn open(frame: &mut TrapFrame) -> SysResult {
    let [path, flags, mode, ..] = frame.args();
    open_at(HERE, path, flags, mode)
}

/// `openat(dirfd, path, flags, mode)`.
pub fn openat(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, flags, mode, ..] = frame.args();
    open_at(dirfd, path, flags, mode)
}

/// `creat(path, mode)`.
pub fn creat(frame: &mut TrapFrame) -> SysResult {
    let [path, mode, ..] = frame.args();
    let flags = OpenFlags::CREAT | OpenFlags::WRONLY | OpenFlags::TRUNC;
    open_at(HERE, path, flags.bits().into(), mode)
}

/// `memfd_create(name, flags)`.
pub fn memfd_create(frame: &mut TrapFrame) -> SysResult {
    let [name, flags, ..] = frame.args();
    let flags = flags as u32;
    let kinds = flags & (MFD_NOEXEC_SEAL | MFD_EXEC);
    if flags & !(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC) != 0
        || kinds == MFD_NOEXEC_SEAL | MFD_EXEC
    {
        return Err(Errno::EINVAL);
    }
    let name = uaccess::read_cstr(name, MEMFD_NAME_MAX).map_err(|error| match error {
        CstrError::Fault => Errno::EFAULT,
        CstrError::TooLong => Errno::EINVAL,
    })?;
    let (permissions, seals) = match flags {
        flags if flags & MFD_NOEXEC_SEAL != 0 => (0o666, Seals::EXEC),
        flags if flags & MFD_ALLOW_SEALING != 0 => (0o777, Seals::empty()),
        _ => (0o777, Seals::SEAL),
    };
    let file = fs::open::memory_file(&name, permissions, seals)?;
    insert(file, flags & MFD_CLOEXEC != 0)
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

/// Transfers, and where there was no frame for a file's page asks for room first, as a fault does (HF-19).
fn with_room(transfer: impl Fn() -> Result<usize, IoError>) -> Result<usize, IoError> {
    loop {
        match transfer() {
            Err(IoError::OutOfMemory)
                if oom::make_room("a page of a file") == Verdict::TryAgain => {}
            outcome => return outcome,
        }
    }
}

fn read_spans(fd: u64, spans: &[UserSpan]) -> SysResult {
    let file = args::file(fd)?;
    Ok(with_room(|| file.read(&mut UserBuf::new(spans)))? as u64)
}

fn read_spans_at(fd: u64, spans: &[UserSpan], offset: u64) -> SysResult {
    if i64::try_from(offset).is_err() {
        return Err(Errno::EINVAL);
    }
    let file = args::file(fd)?;
    Ok(with_room(|| file.read_at(offset, &mut UserBuf::new(spans)))? as u64)
}

fn write_spans_at(fd: u64, spans: &[UserSpan], offset: u64) -> SysResult {
    if i64::try_from(offset).is_err() {
        return Err(Errno::EINVAL);
    }
    let file = args::file(fd)?;
    Ok(with_room(|| file.write_at(offset, &mut UserBuf::new(spans)))? as u64)
}

fn write_spans(file: &fs::OpenFile, spans: &[UserSpan]) -> SysResult {
    let is_broken = Cell::new(false);
    let outcome = with_room(|| {
        let mut from = UserBuf::new(spans);
        let outcome = file.write(&mut from);
        is_broken.set(from.is_broken());
        outcome
    });
    if is_broken.get() {
        signal::raise(Signal::PIPE);
    }
    Ok(outcome? as u64)
}

fn open_at(dirfd: u64, path: u64, flags: u64, mode: u64) -> SysResult {
    let path = args::path(path)?;
    let flags = OpenFlags::from_bits_retain(flags as u32);
    let permissions = mode as u32 & 0o7777 & !process::current().umask();
    let file = fs::open(&args::directory(dirfd, &path)?, &path, flags, permissions)?;
    insert(file, flags.contains(OpenFlags::CLOEXEC))
}

fn insert(file: Arc<fs::OpenFile>, close_on_exec: bool) -> SysResult {
    let process = process::current();
    let limit = process.fd_limit();
    let inserted = process.with_files(|files| files.insert(file, close_on_exec, 0, limit));
    Ok(inserted? as u64)
}
