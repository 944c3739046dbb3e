//! Pipes: bytes go in at one end and come out at the other.
//!
//! The ring is under a sleeping lock that is held across the user copy, so nothing is copied twice.
//! Nobody sleeps for room or data with that lock held; the counts that such a wait looks at are
//! atomics, which is all that may be looked at on the way to sleep.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::min;
use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use abi::file::OpenFlags;
use abi::linux::S_IFIFO;

use super::file::{File, IoError, OpenFile, Readiness, WriteAt};
use super::inode::Metadata;
use super::poll::PollQueue;
use super::ring::Ring;
use super::user_buf::UserBuf;
use super::{filesystem, rank};
use crate::locks::{KernelHooks, Mutex, WaitQueue};

type RingGuard<'a> = sync::MutexGuard<'a, Ring, { rank::PIPE }, KernelHooks>;

/// How many bytes a pipe holds.
const CAPACITY: usize = 64 * 1024;
/// Writes up to this size are not mixed with others.
const ATOMIC_SIZE: usize = 4096;

static NEXT_NUMBER: AtomicUsize = AtomicUsize::new(1 << 32);

/// What both ends share.
struct Pipe {
    number: usize,
    ring: Mutex<Ring, { rank::PIPE }>,
    /// Bytes in the ring, written under its lock.
    len: AtomicUsize,
    has_reader: AtomicBool,
    has_writer: AtomicBool,
    readers: WaitQueue,
    writers: WaitQueue,
    pollers: Arc<PollQueue>,
}

/// The end that is read.
pub(super) struct ReadEnd(Arc<Pipe>);

/// The end that is written.
pub(super) struct WriteEnd(Arc<Pipe>);

/// Makes a pipe; returns the end to read and the end to write.
pub fn pipe(flags: OpenFlags) -> (Arc<OpenFile>, Arc<OpenFile>) {
    let (read, write) = ends(Arc::default());
    let write = OpenFile::new(write, flags | OpenFlags::WRONLY);
    (OpenFile::new(read, flags), write)
}

/// Makes a pipe's two ends, not opened yet.
pub(super) fn ends(pollers: Arc<PollQueue>) -> (ReadEnd, WriteEnd) {
    let pipe = Arc::new(Pipe {
        number: NEXT_NUMBER.fetch_add(1, Relaxed),
        ring: Mutex::new(Ring::new(CAPACITY)),
        len: AtomicUsize::new(0),
        has_reader: AtomicBool::new(true),
        has_writer: AtomicBool::new(true),
        readers: WaitQueue::new(),
        writers: WaitQueue::new(),
        pollers,
    });
    (ReadEnd(pipe.clone()), WriteEnd(pipe))
}

impl Pipe {
    fn metadata(&self) -> Metadata {
        Metadata {
            dev: filesystem::PIPES.dev,
            ino: self.number as u64,
            mode: S_IFIFO | 0o600,
            nlink: 1,
            ..Metadata::default()
        }
    }

    fn len(&self) -> usize {
        self.len.load(Acquire)
    }

    /// Returns whether a read has something to say: bytes, or that there will be none.
    fn is_readable(&self) -> bool {
        self.len() > 0 || !self.has_writer.load(Acquire)
    }

    /// Returns whether a write that needs this room can go on, or has nobody to go on for.
    fn is_writable(&self, room: usize) -> bool {
        CAPACITY - self.len() >= room || !self.has_reader.load(Acquire)
    }

    /// Publishes the new length and wakes the other side.
    fn changed(&self, ring: RingGuard<'_>, others: &WaitQueue, what: Readiness) {
        self.len.store(ring.len(), Release);
        drop(ring);
        others.wake_all();
        self.pollers.notify(what);
    }

    fn closed(&self, end: &AtomicBool) {
        end.store(false, Release);
        self.readers.wake_all();
        self.writers.wake_all();
        self.pollers.notify(Readiness::all());
    }

    /// Copies what there is to the program; returns false where there was nothing.
    ///
    /// A piece that cannot be copied whole stays in the pipe (PF-15).
    fn read_some(&self, to: &mut UserBuf<'_>) -> Result<bool, IoError> {
        let mut ring = self.ring.lock();
        if ring.len() == 0 {
            return Ok(false);
        }
        let mut outcome = Ok(true);
        while outcome.is_ok() && ring.len() > 0 && to.left() > 0 {
            let start = to.clone();
            let len = min(min(ring.front().len(), ATOMIC_SIZE), to.left());
            match to.put(&ring.front()[..len]) {
                Ok(()) => ring.consume(len),
                Err(error) => {
                    *to = start;
                    outcome = Err(error.into());
                }
            }
        }
        self.changed(ring, &self.writers, Readiness::WRITABLE);
        outcome
    }

    /// Copies one piece from the program if there is `room` for it; all of the piece or nothing.
    fn write_piece(
        &self,
        from: &mut UserBuf<'_>,
        room: usize,
        buffer: &mut [u8],
    ) -> Result<Wrote, IoError> {
        let mut ring = self.ring.lock();
        if !self.has_reader.load(Acquire) {
            return Err(IoError::BrokenPipe);
        }
        if ring.room() < room {
            return Ok(Wrote::NoRoom);
        }
        let len = min(ring.room(), min(buffer.len(), from.left()));
        let piece = &mut buffer[..len];
        let start = from.clone();
        let outcome = from
            .take(piece)
            .map_err(IoError::from)
            .and_then(|()| ring.append(piece).map_err(|_| IoError::OutOfMemory));
        if outcome.is_err() {
            *from = start;
        }
        self.changed(ring, &self.readers, Readiness::READABLE);
        outcome.map(|()| Wrote::Piece)
    }
}

/// How a step of a write went.
enum Wrote {
    Piece,
    NoRoom,
}

fn buffer(len: usize) -> Result<Vec<u8>, IoError> {
    let mut buffer = Vec::new();
    buffer
        .try_reserve_exact(len)
        .map_err(|_| IoError::OutOfMemory)?;
    buffer.resize(len, 0);
    Ok(buffer)
}

impl File for ReadEnd {
    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }

    fn read(&self, _: u64, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        let pipe = &*self.0;
        if to.left() == 0 {
            return Ok(());
        }
        while !pipe.read_some(to)? {
            if !pipe.has_writer.load(Acquire) && pipe.len() == 0 {
                return Ok(());
            }
            if nonblocking {
                return Err(IoError::WouldBlock);
            }
            pipe.readers
                .wait_until_interruptible(|| pipe.is_readable())?;
        }
        Ok(())
    }

    fn readiness(&self) -> Readiness {
        let mut readiness = Readiness::empty();
        readiness.set(Readiness::READABLE, self.0.len() > 0);
        readiness.set(Readiness::HANG_UP, !self.0.has_writer.load(Acquire));
        readiness
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        Some(&self.0.pollers)
    }
}

impl File for WriteEnd {
    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }

    fn write(
        &self,
        _: &mut WriteAt,
        from: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        let pipe = &*self.0;
        let mut buffer = buffer(min(ATOMIC_SIZE, from.left()))?;
        // A small write waits until all of it fits, a large one goes in pieces of any size.
        let room = if from.left() <= ATOMIC_SIZE {
            from.left()
        } else {
            1
        };
        while from.left() > 0 {
            match pipe.write_piece(from, room, &mut buffer)? {
                Wrote::Piece => {}
                Wrote::NoRoom if nonblocking => return Err(IoError::WouldBlock),
                Wrote::NoRoom => pipe
                    .writers
                    .wait_until_interruptible(|| pipe.is_writable(room))?,
            }
        }
        Ok(())
    }

    fn readiness(&self) -> Readiness {
        let mut readiness = Readiness::empty();
        readiness.set(Readiness::WRITABLE, CAPACITY - self.0.len() >= ATOMIC_SIZE);
        readiness.set(Readiness::ERROR, !self.0.has_reader.load(Acquire));
        readiness
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        Some(&self.0.pollers)
    }
}

impl Drop for ReadEnd {
    fn drop(&mut self) {
        self.0.closed(&self.0.has_reader);
    }
}

impl Drop for WriteEnd {
    fn drop(&mut self) {
        self.0.closed(&self.0.has_writer);
    }
}
