//! sendfile, splice, tee, vmsplice and copy_file_range.

use alloc::sync::Arc;

use abi::file::OpenFlags;
use abi::linux::{S_IFDIR, S_IFMT, S_IFREG};
use abi::{Errno, Signal};

use super::{SysResult, args};
use crate::arch::trapframe::TrapFrame;
use crate::fs::splice::{self, End, is_nonblocking, pipe_of};
use crate::fs::user_buf::UserBuf;
use crate::fs::{IoError, OpenFile};
use crate::process::signal;

/// `SPLICE_F_NONBLOCK`, and all flags there are.
const NONBLOCK: u32 = 2;
const FLAGS: u32 = 0xf;

fn readable(fd: u64) -> Result<Arc<OpenFile>, Errno> {
    let file = args::opened_file(fd)?;
    match file.flags().reads() {
        true => Ok(file),
        false => Err(Errno::EBADF),
    }
}

fn writable(fd: u64) -> Result<Arc<OpenFile>, Errno> {
    let file = args::opened_file(fd)?;
    match file.flags().writes() {
        true => Ok(file),
        false => Err(Errno::EBADF),
    }
}

/// Reads the offset at `addr`, if there is one; it must not be negative.
fn offset(addr: u64) -> Result<Option<u64>, Errno> {
    match args::read_optional::<i64>(addr)? {
        None => Ok(None),
        Some(at) => Ok(Some(u64::try_from(at).map_err(|_| Errno::EINVAL)?)),
    }
}

/// Stores where a move has come to.
fn tell(addr: u64, end: &End<'_>) -> Result<(), Errno> {
    match end.at {
        Some(at) if addr != 0 => args::write(addr, &at),
        _ => Ok(()),
    }
}

fn result(outcome: Result<usize, IoError>) -> SysResult {
    if outcome == Err(IoError::BrokenPipe) {
        signal::raise(Signal::PIPE);
    }
    Ok(outcome? as u64)
}

fn limited(len: u64) -> usize {
    len.min(args::MAX_TRANSFER) as usize
}

/// `sendfile(out, in, offset, count)`.
pub fn sendfile(frame: &mut TrapFrame) -> SysResult {
    let [out, from, offset_addr, count, ..] = frame.args();
    let at = offset(offset_addr)?;
    let from = readable(from)?;
    if !from.file().has_position() {
        return Err(if at.is_some() {
            Errno::ESPIPE
        } else {
            Errno::EINVAL
        });
    }
    let out = writable(out)?;
    if i64::try_from(count).is_err() || out.flags().contains(OpenFlags::APPEND) {
        return Err(Errno::EINVAL);
    }
    check_no_directory(&from)?;
    let mut from = End { file: &from, at };
    let mut to = End {
        file: &out,
        at: None,
    };
    let outcome = splice::copy(&mut from, &mut to, limited(count));
    tell(offset_addr, &from)?;
    result(outcome)
}

fn check_no_directory(file: &OpenFile) -> Result<(), Errno> {
    match file.file().metadata().mode & S_IFMT {
        S_IFDIR => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

/// `splice(in, in offset, out, out offset, len, flags)`.
pub fn splice(frame: &mut TrapFrame) -> SysResult {
    let [from_fd, from_addr, to_fd, to_addr, len, flags] = frame.args();
    let flags = flags as u32;
    if len == 0 {
        return Ok(0);
    }
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let (from, to) = (readable(from_fd)?, writable(to_fd)?);
    let pipes = (pipe_of(&from), pipe_of(&to));
    if (pipes.0.is_some() && from_addr != 0) || (pipes.1.is_some() && to_addr != 0) {
        return Err(Errno::ESPIPE);
    }
    let len = limited(len);
    let asked = flags & NONBLOCK != 0;
    match pipes {
        (Some(a), Some(b)) if Arc::ptr_eq(a, b) => Err(Errno::EINVAL),
        (Some(a), Some(b)) => {
            let nonblocking = asked || is_nonblocking(&from) || is_nonblocking(&to);
            result(splice::between(a, b, len, nonblocking))
        }
        (Some(pipe), None) => {
            check_seekable(&to, to_addr)?;
            check_no_directory(&to)?;
            if to.flags().contains(OpenFlags::APPEND) {
                return Err(Errno::EINVAL);
            }
            let at = offset(to_addr)?;
            let mut end = End { file: &to, at };
            let nonblocking = asked || is_nonblocking(&from);
            let outcome = splice::from_pipe(pipe, &mut end, len, nonblocking);
            tell(to_addr, &end)?;
            result(outcome)
        }
        (None, Some(pipe)) => {
            check_seekable(&from, from_addr)?;
            check_no_directory(&from)?;
            let at = offset(from_addr)?;
            let mut end = End { file: &from, at };
            let nonblocking = asked || is_nonblocking(&to);
            let outcome = splice::to_pipe(&mut end, pipe, len, nonblocking);
            tell(from_addr, &end)?;
            result(outcome)
        }
        (None, None) => Err(Errno::EINVAL),
    }
}

/// An offset is for what has a position.
fn check_seekable(file: &OpenFile, addr: u64) -> Result<(), Errno> {
    match addr != 0 && !file.file().has_position() {
        true => Err(Errno::EINVAL),
        false => Ok(()),
    }
}

/// `tee(in, out, len, flags)`.
pub fn tee(frame: &mut TrapFrame) -> SysResult {
    let [from, to, len, flags, ..] = frame.args();
    let flags = flags as u32;
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let (from, to) = (readable(from)?, writable(to)?);
    match (pipe_of(&from), pipe_of(&to)) {
        (Some(a), Some(b)) if !Arc::ptr_eq(a, b) => {
            let nonblocking = flags & NONBLOCK != 0 || is_nonblocking(&from) || is_nonblocking(&to);
            result(splice::tee(a, b, limited(len), nonblocking))
        }
        _ => Err(Errno::EINVAL),
    }
}

/// `vmsplice(fd, iov, count, flags)`: the pages are copied, whether they were given away or not.
pub fn vmsplice(frame: &mut TrapFrame) -> SysResult {
    let [fd, iov, count, flags, ..] = frame.args();
    let flags = flags as u32;
    if flags & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    let file = args::opened_file(fd)?;
    let pipe = pipe_of(&file).ok_or(Errno::EBADF)?;
    let spans = args::spans(iov, count)?;
    let mut buf = UserBuf::new(&spans);
    if buf.left() == 0 {
        return Ok(0);
    }
    let nonblocking = flags & NONBLOCK != 0 || is_nonblocking(&file);
    if !file.flags().writes() {
        if !pipe.wait_for_bytes(nonblocking)? {
            return Ok(0);
        }
        return result(file.read(&mut buf));
    }
    // Waits for some room, and not until there is enough for all.
    let outcome = pipe.wait_for_room(nonblocking).and_then(|()| {
        let at = &mut crate::fs::file::WriteAt {
            position: 0,
            append: false,
        };
        match file.file().write(at, &mut buf, true) {
            Err(error) if buf.done() == 0 => Err(error),
            _ => Ok(buf.done()),
        }
    });
    result(outcome)
}

/// `copy_file_range(in, in offset, out, out offset, len, flags)`.
pub fn copy_file_range(frame: &mut TrapFrame) -> SysResult {
    let [from_fd, from_addr, to_fd, to_addr, len, flags] = frame.args();
    let (from, to) = (args::opened_file(from_fd)?, args::opened_file(to_fd)?);
    let (from_at, to_at) = (offset(from_addr)?, offset(to_addr)?);
    if flags as u32 != 0 {
        return Err(Errno::EINVAL);
    }
    let kinds = [&from, &to].map(|file| file.file().metadata().mode & S_IFMT);
    match kinds {
        [S_IFREG, S_IFREG] => {}
        kinds if kinds.contains(&S_IFDIR) => return Err(Errno::EISDIR),
        _ => return Err(Errno::EINVAL),
    }
    let out = to.flags();
    if !from.flags().reads() || !out.writes() || out.contains(OpenFlags::APPEND) {
        return Err(Errno::EBADF);
    }
    let start = from_at.unwrap_or_else(|| from.with_position(|at| *at));
    let target = to_at.unwrap_or_else(|| to.with_position(|at| *at));
    let len = len.min(args::MAX_TRANSFER);
    let len = len.min(from.file().len().saturating_sub(start));
    let facts = [&from, &to].map(|file| {
        let facts = file.file().metadata();
        (facts.dev, facts.ino)
    });
    if facts[0] == facts[1] && start < target + len && target < start + len {
        return Err(Errno::EINVAL);
    }
    let mut ends = (
        End {
            file: &from,
            at: from_at,
        },
        End {
            file: &to,
            at: to_at,
        },
    );
    let outcome = splice::copy(&mut ends.0, &mut ends.1, len as usize);
    tell(from_addr, &ends.0)?;
    tell(to_addr, &ends.1)?;
    result(outcome)
}
