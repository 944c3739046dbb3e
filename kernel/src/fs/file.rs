//! What every open file can do, whatever it is; [`OpenFile`] is how it was opened.

use alloc::sync::Arc;
use core::any::Any;
use core::fmt;

use bitflags::bitflags;
use vfs::seek::{self, SeekError, Whence};

use super::inode::{InodeRef, Metadata};
pub use super::open_file::OpenFile;
use super::pipe::Pipe;
use super::poll::PollQueue;
use super::tty::file::TtyFile;
use super::unix::SocketError;
use super::user_buf::{BadAddress, UserBuf};
use crate::locks::Interrupted;
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
    /// The clock that it goes by was set.
    Canceled,
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

    /// Writes what `/proc/PID/fdinfo` tells of this kind of file alone.
    fn describe(&self, _out: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
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
