//! Pipes: bytes go in at one end and come out at the other. A FIFO is a pipe that has a name.
//!
//! Read in this order: this file, what all ends share; [`transfer`]: bytes in and out; [`buffers`]: whole buffers; [`end`]: an open end. [`page`]: what a
//! buffer's page is. Which bytes go where is decided in the pure crate `pipebuf`.
//!
//! The buffers are under a sleeping lock that is held across the user copy, so nothing is copied twice.
//! Nobody sleeps for room or data with that lock held; what such a wait looks at is atomic, which is
//! all that may be looked at on the way to sleep.
//!
//! Who adds the first buffer wakes the readers, who frees the first place of a full pipe the writers: nobody sleeps while
//! there is something for him to do, so nobody else need be woken.

mod buffers;
mod end;
mod page;
mod transfer;

use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use abi::file::OpenFlags;
use pipebuf::{BadSize, DEFAULT, PAGE, Ring, buffers_for};

use super::file::{IoError, OpenFile, Readiness};
use super::filesystem::{self, FsRef};
use super::inode::{Attributes, Inode, InodeRef, Kind};
use super::mount::Location;
use super::poll::PollQueue;
use super::rank;
use crate::locks::{KernelHooks, Mutex, WaitQueue};

pub use end::PipeEnd;
pub use page::PipePage;

/// How many bytes a pipe may be enlarged to without a privilege; a setting.
pub static MAX_SIZE: AtomicU32 = AtomicU32::new(1 << 20);

/// A pipe.
pub struct Pipe {
    contents: Mutex<Contents, { rank::PIPE }>,
    /// How many buffers are in use, and how many there may be, fewer than its size where memory is short; written under the
    /// lock.
    used: AtomicUsize,
    max: AtomicUsize,
    /// Open ends of each kind, written under the lock, and how often one was opened.
    readers: AtomicUsize,
    writers: AtomicUsize,
    readers_seen: AtomicU32,
    writers_seen: AtomicU32,
    /// Those who wait for bytes, or for somebody to write; for room, or for somebody to read.
    reading: WaitQueue,
    writing: WaitQueue,
    pollers: Arc<PollQueue>,
}

/// What is in a pipe.
struct Contents {
    ring: Ring<PipePage>,
    /// Pages that the ring keeps for later.
    kept: usize,
}

type ContentsGuard<'a> = sync::MutexGuard<'a, Contents, { rank::PIPE }, KernelHooks>;

/// Why a pipe keeps its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResizeError {
    /// No pipe is that large.
    Invalid,
    /// It is above the limit.
    NotPermitted,
    /// More is in it.
    Busy,
}

/// Makes a pipe without a name; returns the end to read and the end to write.
pub fn pipe(flags: OpenFlags) -> Result<(Arc<OpenFile>, Arc<OpenFile>), IoError> {
    let fifo = Kind::Fifo(Arc::new(Pipe::new(Arc::default())));
    let inode = Inode::new(
        &FsRef::Built(&filesystem::PIPES),
        fifo,
        Attributes::new(0o600),
    );
    let inode = inode.map_err(|_| IoError::OutOfMemory)?;
    let place = Location::nowhere(inode);
    let open = |flags| PipeEnd::open(place.clone(), flags).map_err(|_| IoError::OutOfMemory);
    Ok((open(flags)?, open(flags | OpenFlags::WRONLY)?))
}

impl Pipe {
    /// Makes a pipe that nobody has opened, and that tells these when its readiness changes.
    fn new(pollers: Arc<PollQueue>) -> Self {
        Self {
            contents: Mutex::new(Contents {
                ring: Ring::new(),
                kept: 0,
            }),
            used: AtomicUsize::new(0),
            max: AtomicUsize::new(DEFAULT),
            readers: AtomicUsize::new(0),
            writers: AtomicUsize::new(0),
            readers_seen: AtomicU32::new(0),
            writers_seen: AtomicU32::new(0),
            reading: WaitQueue::new(),
            writing: WaitQueue::new(),
            pollers,
        }
    }

    /// Returns how many bytes wait in it.
    pub fn bytes(&self) -> usize {
        self.contents.lock().ring.bytes()
    }

    /// Returns how many bytes it holds at most.
    pub fn size(&self) -> usize {
        self.contents.lock().ring.max() * PAGE
    }

    /// Makes it hold at least `bytes` bytes; returns how many it does.
    pub fn resize(&self, bytes: u32, privileged: bool) -> Result<usize, ResizeError> {
        let mut contents = self.contents.lock();
        let limit = MAX_SIZE.load(Relaxed);
        let max = buffers_for(bytes, contents.ring.max(), limit, privileged);
        let max = max.map_err(|error| match error {
            BadSize::Invalid => ResizeError::Invalid,
            BadSize::NotPermitted => ResizeError::NotPermitted,
        })?;
        contents.forget_spares();
        contents
            .ring
            .resize(max)
            .map_err(|pipebuf::InUse| ResizeError::Busy)?;
        let was_full = self.is_full();
        self.publish_all(&contents);
        drop(contents);
        self.freed(was_full && !self.is_full());
        Ok(max * PAGE)
    }

    #[inline]
    fn used(&self) -> usize {
        self.used.load(Acquire)
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.used() >= self.max.load(Acquire)
    }

    #[inline]
    fn has_reader(&self) -> bool {
        self.readers.load(Acquire) > 0
    }

    #[inline]
    fn has_writer(&self) -> bool {
        self.writers.load(Acquire) > 0
    }

    /// Returns whether a read has something to say: bytes, or that there will be none.
    fn is_readable(&self) -> bool {
        self.used() > 0 || !self.has_writer()
    }

    /// Returns whether a write can go on, or has nobody to go on for.
    fn is_writable(&self) -> bool {
        !self.is_full() || !self.has_reader()
    }

    /// Tells those who look without the lock what is in it.
    #[inline]
    fn publish(&self, contents: &ContentsGuard<'_>) {
        self.used.store(contents.ring.used(), Release);
    }

    /// There is no memory for a page beside those it has: it is full until something is taken out.
    #[cold]
    fn close_for_now(&self, contents: &ContentsGuard<'_>) -> Result<(), IoError> {
        self.max.store(contents.ring.used(), Release);
        Ok(())
    }

    /// Returns whether a pipe that was full is so no more; a page may be asked for again.
    fn open_again(&self, contents: &ContentsGuard<'_>) -> bool {
        let has_room = contents.ring.used() < self.max.load(Relaxed);
        if has_room {
            let ring = &contents.ring;
            self.max.store(ring.max() - ring.lent(), Release);
        }
        has_room
    }

    /// The same where how many there may be has changed as well: less what was lent.
    fn publish_all(&self, contents: &ContentsGuard<'_>) {
        let ring = &contents.ring;
        self.max.store(ring.max() - ring.lent(), Release);
        self.publish(contents);
    }

    /// Tells of bytes that were added, to what was `empty`.
    #[inline]
    fn added(&self, empty: bool) {
        if empty {
            self.reading.wake_all();
        }
        self.pollers.notify(Readiness::READABLE);
    }

    /// Tells of room that there is again, where it was `full`.
    #[inline]
    fn freed(&self, full: bool) {
        if full {
            self.writing.wake_all();
        }
        self.pollers.notify(Readiness::WRITABLE);
    }

    /// Tells everybody that an end came or went.
    fn ends_changed(&self) {
        self.reading.wake_all();
        self.writing.wake_all();
        self.pollers.notify(Readiness::all());
    }
}

/// Makes a FIFO that has no name yet.
pub fn fifo(fs: &FsRef, attributes: Attributes) -> Result<InodeRef, filesystem::NoSpace> {
    let fifo = Kind::Fifo(Arc::new(Pipe::new(Arc::default())));
    Inode::new(fs, fifo, attributes)
}
