//! An open file: how it was opened, and where the next transfer begins.
//!
//! Descriptors that came from one another by fork or dup share one [`OpenFile`] and so its position.
//! A transfer that uses the position holds its lock throughout, so that two readers never get the
//! same bytes; files without a position (pipes, the console) take no lock here, since they block.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};

use abi::file::OpenFlags;
use vfs::seek::Whence;

use super::epoll::{self, Watch};
use super::file::{File, IoError, WriteAt};
use super::lock::Owner;
use super::mount::Location;
use super::rank;
use super::user_buf::UserBuf;
use super::write_access::WriteAccess;
use crate::locks::{Mutex, SpinLock};

/// An open file.
pub struct OpenFile {
    file: Box<dyn File>,
    /// Where it was found; nothing for pipes and the like.
    location: Option<Location>,
    /// Held as long as somebody can write through it.
    _access: Option<WriteAccess>,
    has_position: bool,
    /// Who is told when something can be done with it (`F_SETOWN`), and by which signal.
    pub told: [AtomicI32; 2],
    /// Whether the file was made as it was opened.
    pub was_made: AtomicBool,
    flags: AtomicU32,
    position: Mutex<u64, { rank::POSITION }>,
    /// The position as it was last left, for who only tells of it.
    left_at: AtomicU64,
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
            told: [const { AtomicI32::new(0) }; 2],
            was_made: AtomicBool::new(false),
            flags: AtomicU32::new(flags.difference(once).bits()),
            position: Mutex::new(0),
            left_at: AtomicU64::new(0),
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

    /// Gives up the locks on ranges of it that a table of descriptors holds, one of whose descriptors for it is closed.
    pub(super) fn release_locks(&self, table: u64) {
        if let Some(location) = self.location.as_ref().filter(|_| table != 0) {
            location.release_locks(Owner::table(table, 0));
        }
    }

    /// Returns whether it is a program that runs as its owner, or its group.
    #[inline]
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
        self.left_at.store(*position, Relaxed);
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
        self.left_at.store(*position, Relaxed);
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

    /// Writes at the end, leaving the position alone.
    pub fn append(&self, from: &mut UserBuf<'_>) -> Result<usize, IoError> {
        self.check_writable()?;
        if !self.has_position {
            return Err(IoError::NotSeekable);
        }
        let mut at = WriteAt {
            position: 0,
            append: true,
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
        self.left_at.store(*position, Relaxed);
        Ok(*position)
    }

    /// Calls `visit` with the position, which it may move.
    pub fn with_position<R>(&self, visit: impl FnOnce(&mut u64) -> R) -> R {
        let mut position = self.position.lock();
        let result = visit(&mut position);
        self.left_at.store(*position, Relaxed);
        result
    }

    /// Returns the position as it was last left; a transfer may be under way.
    pub fn position(&self) -> u64 {
        self.left_at.load(Relaxed)
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
        if let Some(location) = &self.location {
            location.release_locks(Owner::open_file(self));
        }
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
