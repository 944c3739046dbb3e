//! Reading, writing and positions.

use alloc::sync::Arc;

use abi::file::OpenFlags;
use abi::linux::{MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, MFD_NOEXEC_SEAL};
use abi::linux::{
    RESOLVE_BENEATH, RESOLVE_CACHED, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV,
};
use abi::linux::{RWF_APPEND, RWF_DSYNC, RWF_HIPRI, RWF_SYNC};
use abi::linux::{SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET};
use abi::{Errno, Signal};

use super::path::HERE;
use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::path::Limits;
use crate::fs::seals::Seals;
use crate::fs::user_buf::{UserBuf, UserSpan};
use crate::fs::{self, How, IoError};
use crate::mm::uaccess::{self, CstrError};
use crate::process::oom::{self, Verdict};
use crate::process::{self, signal};
use vfs::seek::Whence;

/// Longest name of a file in memory: with `memfd:` before it, it is a name.
const MEMFD_NAME_MAX: usize = 249;

/// `read(fd, buf, count)`.
pub fn read(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, count, ..] = frame.args();
    let file = args::file(fd)?;
    read_spans(&file, &[args::span(buf, count)?])
}

/// `readv(fd, iov, count)`.
pub fn readv(frame: &mut TrapFrame) -> SysResult {
    let [fd, iov, count, ..] = frame.args();
    let file = args::file(fd)?;
    read_spans(&file, &args::spans(iov, count)?)
}

/// `write(fd, buf, count)`.
pub fn write(frame: &mut TrapFrame) -> SysResult {
    let [fd, buf, count, ..] = frame.args();
    let file = args::file(fd)?;
    write_spans(&file, &[args::span(buf, count)?])
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

/// What `preadv2` and `pwritev2` may be told that changes nothing here: to poll, and to keep files safe.
const RWF_NOTHING: u32 = RWF_HIPRI | RWF_DSYNC | RWF_SYNC;

/// `preadv2(fd, iov, count, offset, _, flags)`; the offset -1 stands for the file's own position.
pub fn preadv2(frame: &mut TrapFrame) -> SysResult {
    let [fd, iov, count, offset, _, flags] = frame.args();
    if flags as u32 & !(RWF_NOTHING | RWF_APPEND) != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    match offset {
        u64::MAX => readv(frame),
        _ => read_spans_at(fd, &args::spans(iov, count)?, offset),
    }
}

/// `pwritev2(fd, iov, count, offset, _, flags)`.
pub fn pwritev2(frame: &mut TrapFrame) -> SysResult {
    let [fd, iov, count, offset, _, flags] = frame.args();
    if flags as u32 & !(RWF_NOTHING | RWF_APPEND) != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let appends = flags as u32 & RWF_APPEND != 0;
    match offset {
        u64::MAX if !appends => writev(frame),
        u64::MAX => Err(Errno::EOPNOTSUPP),
        _ if appends => {
            let file = args::file(fd)?;
            let spans = args::spans(iov, count)?;
            let written = with_room(|| file.append(&mut UserBuf::new(&spans)))?;
            note_written(&file);
            Ok(written as u64)
        }
        _ => write_spans_at(fd, &args::spans(iov, count)?, offset),
    }
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
    let file = fs::open::memory_file(&args::caller(), &name, permissions, seals)?;
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
#[inline(always)]
fn with_room(transfer: impl Fn() -> Result<usize, IoError>) -> Result<usize, IoError> {
    loop {
        match transfer() {
            Err(IoError::OutOfMemory) if has_made_room() => {}
            outcome => return outcome,
        }
    }
}

#[cold]
fn has_made_room() -> bool {
    oom::make_room("a page of a file") == Verdict::TryAgain
}

#[inline(always)]
fn read_spans(file: &fs::OpenFile, spans: &[UserSpan]) -> SysResult {
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
    let written = with_room(|| file.write_at(offset, &mut UserBuf::new(spans)))?;
    note_written(&file);
    Ok(written as u64)
}

/// A program that was written to runs as nobody else any more.
#[inline(always)]
fn note_written(file: &fs::OpenFile) {
    if file.runs_as_somebody()
        && let Some(location) = file.location()
    {
        location.drop_set_ids(&args::caller().cred);
    }
}

#[inline(always)]
fn write_spans(file: &fs::OpenFile, spans: &[UserSpan]) -> SysResult {
    loop {
        let mut from = UserBuf::new(spans);
        let outcome = file.write(&mut from);
        if outcome == Err(IoError::OutOfMemory) && has_made_room() {
            continue;
        }
        note_written(file);
        if from.is_broken() {
            signal::raise(Signal::PIPE);
        }
        return Ok(outcome? as u64);
    }
}

/// The flags of `open` that mean something; it passes over others.
const KNOWN: u32 = 0o37_777_703;
/// The part of `O_SYNC` that is not `O_DSYNC`, and that.
const SYNC: [u32; 2] = [0o4_000_000, 0o10_000];

fn open_at(dirfd: u64, path: u64, flags: u64, mode: u64) -> SysResult {
    let path = args::path(path)?;
    let flags = flags as u32 & KNOWN;
    let limits = Limits::default();
    open_how(dirfd, &path, flags, mode as u32 & 0o7777, limits)
}

fn open_how(dirfd: u64, path: &[u8], flags: u32, mode: u32, limits: Limits) -> SysResult {
    let [sync, dsync] = SYNC;
    let implied = if flags & sync != 0 { dsync } else { 0 };
    let mut flags = OpenFlags::from_bits_retain(flags | implied);
    if !flags.contains(OpenFlags::PATH) {
        flags |= OpenFlags::LARGEFILE;
    }
    let caller = args::caller();
    let start: &[u8] = if limits.in_root || limits.beneath {
        b"."
    } else {
        path
    };
    let base = match path.is_empty() {
        true => return Err(Errno::ENOENT),
        // Where the walk is to stay begins at the descriptor, whatever the path says.
        false => args::base(&caller, dirfd, start)?,
    };
    let how = How {
        flags,
        mode,
        limits,
    };
    let file = fs::open(&caller, &base, path, how)?;
    insert(file, flags.contains(OpenFlags::CLOEXEC))
}

/// `openat2(dirfd, path, how, size)`: like `openat`, but what is not known is refused.
pub fn openat2(frame: &mut TrapFrame) -> SysResult {
    let [dirfd, path, how, size, ..] = frame.args();
    let [flags, mode, resolve] = args::extensible::<[u64; 3]>(how, size, 24)?;
    let limits = walk_limits(resolve)?;
    let opens = OpenFlags::from_bits_retain(flags as u32);
    let makes = opens.intersects(OpenFlags::CREAT | OpenFlags::TMPFILE);
    let with_path =
        OpenFlags::PATH | OpenFlags::DIRECTORY | OpenFlags::NOFOLLOW | OpenFlags::CLOEXEC;
    let contradicts = opens.contains(OpenFlags::PATH) && !with_path.contains(opens);
    if flags & !u64::from(KNOWN) != 0 || mode & !0o7777 != 0 || mode != 0 && !makes || contradicts {
        return Err(Errno::EINVAL);
    }
    let changes = makes || opens.contains(OpenFlags::TRUNC);
    if resolve & u64::from(RESOLVE_CACHED) != 0 && changes {
        return Err(Errno::EAGAIN);
    }
    open_how(dirfd, &args::path(path)?, flags as u32, mode as u32, limits)
}

fn walk_limits(resolve: u64) -> Result<Limits, Errno> {
    let has = |bit: u32| resolve & u64::from(bit) != 0;
    let known = RESOLVE_NO_XDEV
        | RESOLVE_NO_MAGICLINKS
        | RESOLVE_NO_SYMLINKS
        | RESOLVE_BENEATH
        | RESOLVE_IN_ROOT
        | RESOLVE_CACHED;
    if resolve & !u64::from(known) != 0 || has(RESOLVE_BENEATH) && has(RESOLVE_IN_ROOT) {
        return Err(Errno::EINVAL);
    }
    Ok(Limits {
        no_links: has(RESOLVE_NO_SYMLINKS),
        no_magic_links: has(RESOLVE_NO_MAGICLINKS),
        beneath: has(RESOLVE_BENEATH),
        in_root: has(RESOLVE_IN_ROOT),
        one_mount: has(RESOLVE_NO_XDEV),
    })
}

fn insert(file: Arc<fs::OpenFile>, close_on_exec: bool) -> SysResult {
    let process = process::current();
    let limit = process.fd_limit();
    let inserted = process.with_files(|files| files.insert(file, close_on_exec, 0, limit));
    Ok(inserted? as u64)
}
