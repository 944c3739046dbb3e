//! The channel to the host: input, output and errors of a command that was started from there, byte by byte.
//!
//! It is the third serial port, used if the command line says `bare`. Three devices are its ends; none is a terminal. Both
//! ways bytes travel in frames, so that an end can be told:
//!
//! ```text
//!   to us:      LENGTH BYTES…       a length of 0 is the end of input
//!   to the host: KIND LENGTH BYTES…  1 output, 2 errors, 3 how it ended (one byte), 4 ready
//! ```
//!
//! What has no room stays in the port, and the sender waits.

use core::cmp::min;

use crate::arch::pic;
use crate::arch::serial::COM3;
use crate::locks::{SpinLock, WaitQueue, rank};

use super::file::{File, IoError, Readiness, WriteAt};
use super::inode::{InodeRef, Metadata};
use super::poll::PollQueue;
use super::user_buf::UserBuf;

/// Input that waits at most.
const ROOM: usize = 1024;
/// The most that a frame carries.
const MOST: usize = 255;

/// What a frame to the host is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Frame {
    Output = 1,
    Errors = 2,
    Ended = 3,
    Ready = 4,
}

/// One end of the channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// What the host sends.
    Input,
    /// What it is sent.
    Output,
    /// The same, as messages of errors.
    Errors,
}

struct Channel {
    is_open: bool,
    bytes: [u8; ROOM],
    head: usize,
    len: usize,
    /// Bytes of the frame being received that are still to come.
    left: u8,
    is_ended: bool,
}

static CHANNEL: SpinLock<Channel, { rank::SOURCE }> = SpinLock::new(Channel {
    is_open: false,
    bytes: [0; ROOM],
    head: 0,
    len: 0,
    left: 0,
    is_ended: false,
});
static READERS: WaitQueue = WaitQueue::new();
static POLLERS: PollQueue = PollQueue::new();

/// Opens the channel, if the port is there, and tells the host.
pub fn open() {
    if !COM3.init() {
        log::warn!(target: "fs", "command line: bare, but there is no third serial port");
        return;
    }
    CHANNEL.lock().is_open = true;
    send(Frame::Ready, &[]);
    COM3.enable_receive_interrupt();
    pic::unmask(pic::COM3_LINE);
    interrupt();
}

/// Tells the host how the command ended.
pub fn ended(code: u8) {
    send(Frame::Ended, &[code]);
}

/// Takes what the port has; called in its interrupt too.
pub fn interrupt() {
    if CHANNEL.lock().fetch() {
        READERS.wake_all();
        POLLERS.notify(Readiness::READABLE);
    }
}

fn send(kind: Frame, bytes: &[u8]) {
    let channel = CHANNEL.lock();
    if channel.is_open {
        COM3.write(&[kind as u8, bytes.len() as u8]);
        COM3.write(bytes);
    }
}

impl Channel {
    /// Takes bytes from the port while there is room; returns whether that changed anything for readers.
    fn fetch(&mut self) -> bool {
        let mut any = false;
        while self.is_open && self.len < ROOM {
            let Some(byte) = COM3.read_byte() else { break };
            if self.left == 0 {
                self.left = byte;
                self.is_ended |= byte == 0;
            } else {
                self.left -= 1;
                self.bytes[(self.head + self.len) % ROOM] = byte;
                self.len += 1;
            }
            any = true;
        }
        any
    }

    fn take(&mut self, to: &mut [u8]) -> usize {
        let count = min(to.len(), self.len);
        for slot in &mut to[..count] {
            *slot = self.bytes[self.head];
            self.head = (self.head + 1) % ROOM;
        }
        self.len -= count;
        count
    }

    fn is_readable(&self) -> bool {
        self.len > 0 || self.is_ended
    }
}

/// One end, open.
pub struct Host {
    inode: InodeRef,
    way: Way,
}

impl Host {
    /// Opens one end; `None` if there is no channel.
    pub fn open(inode: InodeRef, way: Way) -> Option<Self> {
        let is_open = CHANNEL.lock().is_open;
        is_open.then_some(Self { inode, way })
    }
}

impl File for Host {
    fn metadata(&self) -> Metadata {
        self.inode.metadata()
    }

    fn inode(&self) -> Option<InodeRef> {
        Some(self.inode.clone())
    }

    fn read(&self, _: u64, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        if self.way != Way::Input {
            return Err(IoError::Invalid);
        }
        let mut bytes = [0; MOST];
        while to.left() > 0 {
            let wanted = min(MOST, to.left());
            let len = CHANNEL.lock().take(&mut bytes[..wanted]);
            // There is room again for what the port kept.
            interrupt();
            to.put(&bytes[..len])?;
            if len > 0 {
                continue;
            }
            let is_ended = {
                let channel = CHANNEL.lock();
                channel.is_ended && channel.len == 0
            };
            if to.done() > 0 || is_ended {
                return Ok(());
            }
            if nonblocking {
                return Err(IoError::WouldBlock);
            }
            READERS.wait_until_interruptible(|| CHANNEL.lock().is_readable())?;
        }
        Ok(())
    }

    fn write(&self, _: &mut WriteAt, from: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        let kind = match self.way {
            Way::Input => return Err(IoError::Invalid),
            Way::Output => Frame::Output,
            Way::Errors => Frame::Errors,
        };
        let mut piece = [0; MOST];
        while from.left() > 0 {
            let piece = &mut piece[..min(MOST, from.left())];
            let before = from.done();
            let outcome = from.take(piece);
            if from.done() > before {
                send(kind, &piece[..from.done() - before]);
            }
            outcome?;
        }
        Ok(())
    }

    fn readiness(&self) -> Readiness {
        match self.way {
            Way::Input if CHANNEL.lock().is_readable() => Readiness::READABLE,
            Way::Input => Readiness::empty(),
            _ => Readiness::WRITABLE,
        }
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        (self.way == Way::Input).then_some(&POLLERS)
    }
}
