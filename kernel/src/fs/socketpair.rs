//! Pairs of connected sockets, the only sockets there are: bytes that go in at one end come out at
//! the other, both ways.
//!
//! A stream is two pipes. A sequence of packets keeps the messages apart: a read takes one message,
//! and what does not fit is lost, as on Linux. (Rust's `Command` reports a failed exec this way.)

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Release},
};

use abi::file::OpenFlags;
use abi::linux::S_IFSOCK;
use addr::PAGE_SIZE;

use super::file::{File, IoError, OpenFile, Readiness, WriteAt};
use super::inode::Metadata;
use super::pipe::{PipeEnd, ends};
use super::poll::PollQueue;
use super::user_buf::UserBuf;
use super::{filesystem, rank};
use crate::locks::{Mutex, WaitQueue};
use crate::mm::frame;

/// How many bytes wait in one direction at most, and how long a message may be.
const CAPACITY: usize = 64 * 1024;

/// Makes a pair of streams.
pub fn streams(flags: OpenFlags) -> (Arc<OpenFile>, Arc<OpenFile>) {
    let pollers = Arc::new(PollQueue::new());
    let ((read_a, write_b), (read_b, write_a)) = (ends(pollers.clone()), ends(pollers));
    let open = |read, write| OpenFile::new(Stream { read, write }, flags | OpenFlags::RDWR);
    (open(read_a, write_a), open(read_b, write_b))
}

/// Makes a pair of packet sockets.
pub fn packets(flags: OpenFlags) -> (Arc<OpenFile>, Arc<OpenFile>) {
    let pollers = Arc::new(PollQueue::new());
    let (a, b) = (Channel::new(pollers.clone()), Channel::new(pollers));
    let open =
        |incoming, outgoing| OpenFile::new(Packets { incoming, outgoing }, flags | OpenFlags::RDWR);
    (open(a.clone(), b.clone()), open(b, a))
}

/// One end of a pair of streams.
struct Stream {
    read: PipeEnd,
    write: PipeEnd,
}

/// One end of a pair of packet sockets.
struct Packets {
    incoming: Arc<Channel>,
    outgoing: Arc<Channel>,
}

/// Messages on their way in one direction.
struct Channel {
    messages: Mutex<VecDeque<Vec<u8>>, { rank::PIPE }>,
    /// How many messages there are, and how many bytes; written under the lock.
    count: AtomicUsize,
    bytes: AtomicUsize,
    /// Whether both ends are open.
    is_open: AtomicBool,
    changed: WaitQueue,
    pollers: Arc<PollQueue>,
}

impl Channel {
    fn new(pollers: Arc<PollQueue>) -> Arc<Self> {
        Arc::new(Self {
            messages: Mutex::new(VecDeque::new()),
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            is_open: AtomicBool::new(true),
            changed: WaitQueue::new(),
            pollers,
        })
    }

    fn is_readable(&self) -> bool {
        self.count.load(Acquire) > 0 || !self.is_open.load(Acquire)
    }

    fn is_writable(&self, len: usize) -> bool {
        self.bytes.load(Acquire) + len <= CAPACITY || !self.is_open.load(Acquire)
    }

    fn take(&self) -> Option<Vec<u8>> {
        let mut messages = self.messages.lock();
        let message = messages.pop_front()?;
        self.publish(&messages);
        Some(message)
    }

    /// Adds a message if there is room for it.
    fn add(&self, message: &mut Vec<u8>) -> Result<bool, IoError> {
        let mut messages = self.messages.lock();
        if !self.is_open.load(Acquire) {
            return Err(IoError::BrokenPipe);
        }
        if !self.is_writable(message.len()) {
            return Ok(false);
        }
        messages.try_reserve(1).map_err(|_| IoError::OutOfMemory)?;
        messages.push_back(core::mem::take(message));
        self.publish(&messages);
        Ok(true)
    }

    /// Adds a message, waiting for room unless `nonblocking`.
    fn send(&self, mut message: Vec<u8>, nonblocking: bool) -> Result<(), IoError> {
        let len = message.len();
        while !self.add(&mut message)? {
            if nonblocking {
                return Err(IoError::WouldBlock);
            }
            self.changed
                .wait_until_interruptible(|| self.is_writable(len))?;
        }
        Ok(())
    }

    fn publish(&self, messages: &VecDeque<Vec<u8>>) {
        self.count.store(messages.len(), Release);
        self.bytes
            .store(messages.iter().map(Vec::len).sum(), Release);
        self.tell();
    }

    fn close(&self) {
        self.is_open.store(false, Release);
        self.tell();
    }

    fn tell(&self) {
        self.changed.wake_all();
        self.pollers.notify(Readiness::all());
    }
}

fn metadata() -> Metadata {
    Metadata {
        dev: filesystem::SOCKETS.dev,
        mode: S_IFSOCK | 0o777,
        nlink: 1,
        ..Metadata::default()
    }
}

/// Copies a message out of the program.
fn message(from: &mut UserBuf<'_>) -> Result<Vec<u8>, IoError> {
    let len = from.left();
    if len > CAPACITY {
        return Err(IoError::TooLong);
    }
    let mut message = Vec::new();
    if !frame::can_spare((len as u64).div_ceil(PAGE_SIZE))
        || message.try_reserve_exact(len).is_err()
    {
        return Err(IoError::OutOfMemory);
    }
    message.resize(len, 0);
    from.take(&mut message)?;
    Ok(message)
}

impl File for Stream {
    fn metadata(&self) -> Metadata {
        metadata()
    }

    fn read(&self, at: u64, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        self.read.read(at, to, nonblocking)
    }

    fn write(
        &self,
        at: &mut WriteAt,
        from: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        self.write.write(at, from, nonblocking)
    }

    fn readiness(&self) -> Readiness {
        let (read, write) = (self.read.readiness(), self.write.readiness());
        read | write.difference(Readiness::ERROR)
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        self.read.poll_queue()
    }

    fn is_socket(&self) -> bool {
        true
    }
}

impl File for Packets {
    fn metadata(&self) -> Metadata {
        metadata()
    }

    fn read(&self, _: u64, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        loop {
            if let Some(message) = self.incoming.take() {
                return Ok(to.put(&message)?);
            }
            if !self.incoming.is_open.load(Acquire) && self.incoming.count.load(Acquire) == 0 {
                return Ok(());
            }
            if nonblocking {
                return Err(IoError::WouldBlock);
            }
            self.incoming
                .changed
                .wait_until_interruptible(|| self.incoming.is_readable())?;
        }
    }

    fn write(
        &self,
        _: &mut WriteAt,
        from: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        let start = from.clone();
        let sent = message(from).and_then(|message| self.outgoing.send(message, nonblocking));
        // A message that was copied but not sent does not count as transferred.
        sent.inspect_err(|_| *from = start)
    }

    fn readiness(&self) -> Readiness {
        let mut readiness = Readiness::empty();
        readiness.set(Readiness::READABLE, self.incoming.is_readable());
        readiness.set(Readiness::WRITABLE, self.outgoing.is_writable(1));
        readiness.set(Readiness::HANG_UP, !self.incoming.is_open.load(Acquire));
        readiness
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        Some(&self.incoming.pollers)
    }

    fn is_socket(&self) -> bool {
        true
    }
}

impl Drop for Packets {
    fn drop(&mut self) {
        self.incoming.close();
        self.outgoing.close();
    }
}
