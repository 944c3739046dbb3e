//! An open file: what it is, how it was opened, and where the next transfer begins.
//!
//! Descriptors that came from one another by fork or dup share one [`OpenFile`] and so its position.
//! A transfer that uses the position holds its lock throughout, so that two readers never get the
//! same bytes; files without a position (pipes, the console) take no lock here, since they block.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use abi::file::OpenFlags;
use bitflags::bitflags;
use vfs::seek::{self, SeekError, Whence};

use super::epoll::{self, Watch};
use super::inode::{InodeRef, Metadata};
use super::mount::Location;
use super::pipe::Pipe;
use super::poll::PollQueue;
use super::rank;
use super::tty::file::TtyFile;
use super::unix::SocketError;
use super::user_buf::{BadAddress, UserBuf};
use super::write_access::WriteAccess;
use crate::locks::{Interrupted, Mutex, SpinLock};
use crate::mm::PageSource;

bitflags! {
    /// What can be done with a file at once.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Readiness: u16 {
        /// A read would not block: `POLLIN` and `POLLRDNORM`.
        const READABLE = 0x041;
        /// There is something urgent to read.
        const URGENT = 0x002;
        /// A write would not block: `POLLOUT` and `POLLWRNORM`.
        const WRITABLE = 0x104;
        /// There is nobody at the other end to read.
        const ERROR = 0x008;
        /// There is nobody at the other end to write.
        const HANG_UP = 0x010;
        /// The same for messages of a lower band.
        const READ_BAND = 0x080;
        /// The same for messages of a lower band.
        const WRITE_BAND = 0x200;
        /// The other end will write no more.
        const READ_HANG_UP = 0x2000;
        /// What is told though nobody asked.
        const ALWAYS = 0x018;
    }
}

/// Why a transfer failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoError {
    /// The program's memory is not there.
    BadAddress,
    /// The file was not opened for that.
    NotOpenForThat,
    /// It is a directory.
    IsDirectory,
    /// It is not a directory.
    NotDirectory,
    /// It would block, and must not.
    WouldBlock,
    /// The process has to end.
    Interrupted,
    /// Nobody will ever read what is written.
    BrokenPipe,
    /// It has no position.
    NotSeekable,
    /// Not possible with this file.
    Invalid,
    /// There is no data or hole that far.
    BeyondEnd,
    /// A message is longer than any may be.
    TooLong,
    /// It is sealed against that.
    NotPermitted,
    /// The file would be longer than any may be.
    TooLarge,
    /// The file system is full.
    NoSpace,
    /// It is a socket, and this has happened.
    Socket(SocketError),
    /// The process it is about has gone.
    NoProcess,
    /// The other end has gone.
    Io,
    /// No memory.
    OutOfMemory,
}

/// Where a write begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriteAt {
    /// The position.
    pub position: u64,
    /// Whether it is the end instead, wherever that is by then.
    pub append: bool,
}

/// What a mapping of a file shows.
pub enum Mapping {
    /// The pages of a source.
    Source(Arc<dyn PageSource>),
    /// Zeros: `/dev/zero` is anonymous memory.
    Zeros,
}

/// One kind of open file. The defaults are those of a file that can do nothing.
pub trait File: Send + Sync {
    /// Returns what `stat` says about it.
    fn metadata(&self) -> Metadata;

    /// Returns its inode, if it is more than an open file.
    fn inode(&self) -> Option<InodeRef> {
        None
    }

    /// Returns whether it has a position.
    fn has_position(&self) -> bool {
        false
    }

    /// Reads at `at` (of no meaning without a position). May sleep unless `nonblocking`.
    fn read(&self, _at: u64, _to: &mut UserBuf<'_>, _nonblocking: bool) -> Result<(), IoError> {
        Err(IoError::Invalid)
    }

    /// Writes at `at`, which it may move (of no meaning without a position). May sleep unless
    /// `nonblocking`.
    fn write(
        &self,
        _at: &mut WriteAt,
        _from: &mut UserBuf<'_>,
        _nonblocking: bool,
    ) -> Result<(), IoError> {
        Err(IoError::Invalid)
    }

    /// Says what would not block.
    fn readiness(&self) -> Readiness {
        Readiness::READABLE | Readiness::WRITABLE
    }

    /// Returns the queue that is told when its readiness changes; `None` for what is always ready.
    fn poll_queue(&self) -> Option<&PollQueue> {
        None
    }

    /// Returns the file as what it is, if calls of its own kind need that.
    fn as_any(&self) -> Option<&dyn Any> {
        None
    }

    /// Returns what `/proc/PID/fd` shows of a file that has no name; empty for a pipe or a socket, which have numbers.
    fn name(&self) -> &'static str {
        ""
    }

    /// Returns what a mapping of it shows, if it can be mapped.
    fn mapping(&self) -> Option<Mapping> {
        None
    }

    /// Returns the open terminal that it is.
    fn terminal(&self) -> Option<&TtyFile> {
        None
    }

    /// Returns whether it is a socket.
    fn is_socket(&self) -> bool {
        false
    }

    /// Returns the pipe that it is an end of.
    fn pipe(&self) -> Option<&Arc<Pipe>> {
        None
    }

    /// Makes each write a message of its own, or no longer (`O_DIRECT` of a pipe).
    fn set_packets(&self, _packets: bool) {}

    /// Returns the length of what a position moves over.
    fn len(&self) -> u64 {
        self.metadata().size
    }

    /// Returns where a move from `position` leads.
    fn seek(&self, position: u64, offset: i64, whence: Whence) -> Result<u64, SeekError> {
        seek::seek(position, self.len(), offset, whence)
    }
}

/// An open file.
pub struct OpenFile {
    file: Box<dyn File>,
    /// Where it was found; nothing for pipes and the like.
    location: Option<Location>,
    /// Held as long as somebody can write through it.
    _access: Option<WriteAccess>,
    has_position: bool,
    flags: AtomicU32,
    position: Mutex<u64, { rank::POSITION }>,
    /// The epolls that watch it.
    hooks: SpinLock<Vec<Arc<Watch>>, { rank::POLL }>,
}

/// The flags that `fcntl` may change.
const CHANGEABLE: OpenFlags = OpenFlags::APPEND.union(OpenFlags::NONBLOCK);

impl OpenFile {
    /// Opens `file` with these flags; those that only matter while opening are dropped.
    pub fn new(file: impl File + 'static, flags: OpenFlags) -> Arc<Self> {
        Self::make(Box::new(file), None, None, flags)
    }

    /// Opens `file`, which was found at `location`.
    pub fn at(
        location: Location,
        access: Option<WriteAccess>,
        file: impl File + 'static,
        flags: OpenFlags,
    ) -> Arc<Self> {
        Self::make(Box::new(file), Some(location), access, flags)
    }

    fn make(
        file: Box<dyn File>,
        location: Option<Location>,
        access: Option<WriteAccess>,
        flags: OpenFlags,
    ) -> Arc<Self> {
        let once = OpenFlags::CREAT
            | OpenFlags::EXCL
            | OpenFlags::NOCTTY
            | OpenFlags::TRUNC
            | OpenFlags::CLOEXEC;
        file.set_packets(flags.contains(OpenFlags::DIRECT));
        Arc::new(Self {
            has_position: file.has_position(),
            file,
            location,
            _access: access,
            flags: AtomicU32::new(flags.difference(once).bits()),
            position: Mutex::new(0),
            hooks: SpinLock::new(Vec::new()),
        })
    }

    /// Returns the file itself.
    pub fn file(&self) -> &dyn File {
        &*self.file
    }

    /// Calls `visit` with the epolls that watch it.
    pub(super) fn with_hooks<R>(&self, visit: impl FnOnce(&mut Vec<Arc<Watch>>) -> R) -> R {
        visit(&mut self.hooks.lock())
    }

    /// Returns where it was found, if it is more than an open file.
    pub fn location(&self) -> Option<Location> {
        self.location.clone()
    }

    /// Returns whether it is a program that runs as its owner, or its group.
    pub fn runs_as_somebody(&self) -> bool {
        let location = self.location.as_ref();
        location.is_some_and(|file| file.cache().is_some() && file.has_set_ids())
    }

    /// Returns the flags.
    #[inline]
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Relaxed))
    }

    /// Changes the flags that can be changed.
    pub fn set_flags(&self, flags: OpenFlags) {
        let changeable = match self.file.pipe() {
            Some(_) => CHANGEABLE | OpenFlags::DIRECT,
            None => CHANGEABLE,
        };
        let kept = self.flags().difference(changeable);
        let flags = kept | flags.intersection(changeable);
        self.file.set_packets(flags.contains(OpenFlags::DIRECT));
        self.flags.store(flags.bits(), Relaxed);
    }

    /// Reads at the position and moves it.
    #[inline]
    pub fn read(&self, to: &mut UserBuf<'_>) -> Result<usize, IoError> {
        self.check_readable()?;
        if !self.has_position {
            let outcome = self.file.read(0, to, self.is_nonblocking());
            return transferred(to, outcome);
        }
        self.read_on(to)
    }

    fn read_on(&self, to: &mut UserBuf<'_>) -> Result<usize, IoError> {
        let mut position = self.position.lock();
        check_end(*position, to)?;
        let outcome = self.file.read(*position, to, self.is_nonblocking());
        *position += to.done() as u64;
        transferred(to, outcome)
    }

    /// Reads at `at`, leaving the position alone.
    pub fn read_at(&self, at: u64, to: &mut UserBuf<'_>) -> Result<usize, IoError> {
        self.check_readable()?;
        if !self.has_position {
            return Err(IoError::NotSeekable);
        }
        check_end(at, to)?;
        let outcome = self.file.read(at, to, self.is_nonblocking());
        transferred(to, outcome)
    }

    /// Writes at the position, or at the end, and moves it.
    #[inline]
    pub fn write(&self, from: &mut UserBuf<'_>) -> Result<usize, IoError> {
        self.check_writable()?;
        let mut at = WriteAt {
            position: 0,
            append: self.flags().contains(OpenFlags::APPEND),
        };
        if !self.has_position {
            let outcome = self.file.write(&mut at, from, self.is_nonblocking());
            return transferred(from, outcome);
        }
        self.write_on(at, from)
    }

    fn write_on(&self, mut at: WriteAt, from: &mut UserBuf<'_>) -> Result<usize, IoError> {
        let mut position = self.position.lock();
        check_end(*position, from)?;
        at.position = *position;
        let outcome = self.file.write(&mut at, from, self.is_nonblocking());
        *position = at.position + from.done() as u64;
        transferred(from, outcome)
    }

    /// Writes at `position`, leaving the file's own alone; a file opened to append appends, as on Linux.
    pub fn write_at(&self, position: u64, from: &mut UserBuf<'_>) -> Result<usize, IoError> {
        self.check_writable()?;
        if !self.has_position {
            return Err(IoError::NotSeekable);
        }
        check_end(position, from)?;
        let mut at = WriteAt {
            position,
            append: self.flags().contains(OpenFlags::APPEND),
        };
        let outcome = self.file.write(&mut at, from, self.is_nonblocking());
        transferred(from, outcome)
    }

    /// Fails unless the file was opened for writing.
    #[inline]
    pub fn check_writable(&self) -> Result<(), IoError> {
        match self.flags() {
            flags if !flags.writes() || flags.contains(OpenFlags::PATH) => {
                Err(IoError::NotOpenForThat)
            }
            _ => Ok(()),
        }
    }

    /// Moves the position and returns it.
    pub fn seek(&self, offset: i64, whence: Whence) -> Result<u64, IoError> {
        if self.flags().contains(OpenFlags::PATH) {
            return Err(IoError::NotOpenForThat);
        }
        if !self.has_position {
            return Err(IoError::NotSeekable);
        }
        let mut position = self.position.lock();
        *position = self.file.seek(*position, offset, whence)?;
        Ok(*position)
    }

    /// Calls `visit` with the position, which it may move.
    pub fn with_position<R>(&self, visit: impl FnOnce(&mut u64) -> R) -> R {
        visit(&mut self.position.lock())
    }

    #[inline]
    fn check_readable(&self) -> Result<(), IoError> {
        match self.flags() {
            flags if !flags.reads() || flags.contains(OpenFlags::PATH) => {
                Err(IoError::NotOpenForThat)
            }
            _ => Ok(()),
        }
    }

    /// Returns whether it was named and not opened.
    pub fn is_name_only(&self) -> bool {
        self.flags().contains(OpenFlags::PATH)
    }

    #[inline]
    fn is_nonblocking(&self) -> bool {
        self.flags().contains(OpenFlags::NONBLOCK)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let hooks = core::mem::take(self.hooks.get_mut());
        epoll::close_hooks(&*self.file, hooks);
    }
}

/// No position of a transfer is negative, its end included.
fn check_end(position: u64, buf: &UserBuf<'_>) -> Result<(), IoError> {
    let end = position.checked_add(buf.left() as u64);
    match end.is_some_and(|end| i64::try_from(end).is_ok()) {
        true => Ok(()),
        false => Err(IoError::Invalid),
    }
}

/// What was transferred counts; an error counts only if that is nothing.
#[inline]
fn transferred(buf: &mut UserBuf<'_>, outcome: Result<(), IoError>) -> Result<usize, IoError> {
    if outcome == Err(IoError::BrokenPipe) {
        buf.break_off();
    }
    match outcome {
        Err(error) if buf.done() == 0 => Err(error),
        _ => Ok(buf.done()),
    }
}

impl From<SeekError> for IoError {
    fn from(error: SeekError) -> Self {
        match error {
            SeekError::Invalid => Self::Invalid,
            SeekError::BeyondEnd => Self::BeyondEnd,
        }
    }
}

impl From<BadAddress> for IoError {
    fn from(BadAddress: BadAddress) -> Self {
        Self::BadAddress
    }
}

impl From<Interrupted> for IoError {
    fn from(Interrupted: Interrupted) -> Self {
        Self::Interrupted
    }
}
