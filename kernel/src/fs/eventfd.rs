//! A number to wait for (`eventfd`): writers add to it, readers take it. What that means is decided in `event::counter`.

use alloc::sync::Arc;
use core::any::Any;
use core::fmt;

use abi::file::OpenFlags;
use event::Counter;

use super::file::{File, IoError, OpenFile, Readiness, WriteAt};
use super::filesystem;
use super::inode::Metadata;
use super::poll::PollQueue;
use super::user_buf::UserBuf;
use crate::locks::{SpinLock, WaitQueue, rank};

/// What is read and written: a number of 64 bits.
const SIZE: usize = size_of::<u64>();

/// An open eventfd.
struct EventFd {
    counter: SpinLock<Counter, { rank::SOURCE }>,
    changed: WaitQueue,
    pollers: PollQueue,
}

/// Makes one that holds `value`.
pub fn eventfd(value: u32, semaphore: bool, flags: OpenFlags) -> Arc<OpenFile> {
    let eventfd = EventFd {
        counter: SpinLock::new(Counter::new(value.into(), semaphore)),
        changed: WaitQueue::new(),
        pollers: PollQueue::new(),
    };
    OpenFile::new(eventfd, flags | OpenFlags::RDWR)
}

impl EventFd {
    fn tell(&self, what: Readiness) {
        self.changed.wake_all();
        self.pollers.notify(what);
    }
}

impl File for EventFd {
    fn metadata(&self) -> Metadata {
        anonymous()
    }

    fn describe(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let (value, semaphore) = {
            let counter = self.counter.lock();
            (counter.value(), counter.is_semaphore())
        };
        writeln!(out, "eventfd-count: {value:16x}")?;
        writeln!(out, "eventfd-semaphore: {}", u8::from(semaphore))
    }

    fn read(&self, _: u64, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        if to.left() < SIZE {
            return Err(IoError::Invalid);
        }
        let take = || self.counter.lock().take();
        let taken = match take() {
            Some(taken) => taken,
            None if nonblocking => return Err(IoError::WouldBlock),
            None => self.changed.wait_for_interruptible(take)?,
        };
        self.tell(Readiness::WRITABLE);
        Ok(to.put(&taken.to_ne_bytes())?)
    }

    fn write(
        &self,
        _: &mut WriteAt,
        from: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        if from.left() != SIZE {
            return Err(IoError::Invalid);
        }
        let start = from.clone();
        let mut bytes = [0; SIZE];
        from.take(&mut bytes)?;
        let more = u64::from_ne_bytes(bytes);
        let added = self.add(more, nonblocking);
        // Bytes that were taken and not added do not count as transferred.
        added.inspect_err(|_| *from = start)?;
        self.tell(Readiness::READABLE);
        Ok(())
    }

    fn readiness(&self) -> Readiness {
        let counter = *self.counter.lock();
        let mut readiness = Readiness::empty();
        readiness.set(Readiness::READABLE, counter.is_readable());
        readiness.set(Readiness::WRITABLE, counter.is_writable());
        readiness & PLAIN
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        Some(&self.pollers)
    }

    fn name(&self) -> &'static str {
        "anon_inode:[eventfd]"
    }
}

/// Linux does not tell of normal and other bands here.
const PLAIN: Readiness = Readiness::from_bits_truncate(0x5);

impl EventFd {
    fn add(&self, more: u64, nonblocking: bool) -> Result<(), IoError> {
        if more == u64::MAX {
            return Err(IoError::Invalid);
        }
        let add = || self.counter.lock().add(more);
        match add() {
            true => Ok(()),
            false if nonblocking => Err(IoError::WouldBlock),
            false => Ok(self.changed.wait_until_interruptible(add)?),
        }
    }
}

/// What `stat` says of a file that is nothing but open.
pub fn anonymous() -> Metadata {
    Metadata {
        dev: filesystem::ANONYMOUS.dev,
        ino: 1,
        mode: 0o600,
        nlink: 1,
        ..Metadata::default()
    }
}

/// Finds out whether an open file is one of this kind.
pub fn downcast<T: 'static>(file: &OpenFile) -> Option<&T> {
    let any: &dyn Any = file.file().as_any()?;
    any.downcast_ref()
}
