//! Sockets of the `AF_UNIX` family: streams, datagrams and sequences of packets between processes of this machine.
//!
//! Read in this order:
//! 1. This file: what a socket is as a file.
//! 2. [`endpoint`]: its state, and how it ends. [`outgoing`]: how much of what it sent is on its way. [`options`].
//! 3. [`names`]: who is called what. [`connect`]: how two come together.
//! 4. [`send`] and [`receive`]: messages. [`rights`]: open files in them.
//!
//! What is sent waits at the receiver. No lock is held of two sockets at once; a sender takes what it needs of its own state,
//! then looks at the receiver's.

pub mod connect;
pub mod endpoint;
pub mod names;
pub mod options;
pub mod outgoing;
pub mod receive;
pub mod rights;
pub mod send;

use alloc::sync::Arc;
use core::any::Any;

use abi::file::OpenFlags;
use abi::linux::S_IFSOCK;
use abi::socket::Ucred;

use super::file::{File, IoError, OpenFile, Readiness, WriteAt};
use super::filesystem;
use super::inode::Metadata;
use super::poll::PollQueue;
use super::user_buf::UserBuf;
use crate::locks::Once;

pub use endpoint::Endpoint;
pub use receive::{Received, Wanted};
pub use send::Ancillary;

/// What a socket carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Bytes between two.
    Stream,
    /// Messages to anybody.
    Datagram,
    /// Messages between two.
    Packets,
}

/// Why an operation on a socket failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SocketError {
    /// The program's memory is not there.
    BadAddress,
    /// It would block, and must not, or not as long.
    WouldBlock,
    /// A signal came.
    Interrupted,
    /// A signal came, and the wait had an end, so that it cannot be made again.
    InterruptedInTime,
    /// Nobody will ever read what is sent; the sender feels a signal.
    BrokenPipe,
    /// The same, without a signal.
    Shut,
    /// The other end has gone with something unread.
    Reset,
    /// Nobody is there, or does not listen.
    Refused,
    /// It is not connected.
    NotConnected,
    /// It is connected already.
    IsConnected,
    /// The other is a socket of another kind.
    WrongKind,
    /// The other is connected to somebody else.
    NotPermitted,
    /// Its state or its arguments do not allow that.
    Invalid,
    /// It has no such operation.
    NotSupported,
    /// The name is taken.
    InUse,
    /// The message is longer than what may be on its way.
    TooLong,
    /// As many open files are in messages as may be.
    TooManyFiles,
    /// No memory.
    OutOfMemory,
}

/// How long an operation may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// Not at all.
    None,
    /// Until this time (ns since boot).
    Until(u64),
    /// As long as it takes.
    Endless,
}

/// Who the current process is, for what is written without saying so.
static SENDER: Once<fn() -> Ucred> = Once::new();

/// Says how to find out who the current process is.
pub fn set_sender(who: fn() -> Ucred) {
    SENDER.call_once(|| who);
}

fn sender() -> Ucred {
    SENDER.get().map_or(Ucred::NOBODY, |who| who())
}

/// An open socket.
pub struct Socket(Arc<Endpoint>);

impl Socket {
    /// Returns the socket itself.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.0
    }
}

/// Makes a socket that is not connected.
pub fn socket(kind: Kind, flags: OpenFlags) -> Arc<OpenFile> {
    open(Endpoint::new(kind), flags)
}

/// Makes two sockets that are connected with each other.
pub fn pair(kind: Kind, flags: OpenFlags) -> (Arc<OpenFile>, Arc<OpenFile>) {
    let (a, b) = (Endpoint::new(kind), Endpoint::new(kind));
    let who = sender();
    a.become_connected(&b, who);
    b.become_connected(&a, who);
    (open(a, flags), open(b, flags))
}

fn open(endpoint: Arc<Endpoint>, flags: OpenFlags) -> Arc<OpenFile> {
    OpenFile::new(Socket(endpoint), flags | OpenFlags::RDWR)
}

impl File for Socket {
    fn metadata(&self) -> Metadata {
        Metadata {
            dev: filesystem::SOCKETS.dev,
            ino: self.0.number,
            mode: S_IFSOCK | 0o777,
            nlink: 1,
            ..Metadata::default()
        }
    }

    fn read(&self, _: u64, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        let patience = self.0.options.receive_patience(nonblocking);
        let received = self.0.receive(to, Wanted::default(), patience)?;
        drop(received);
        Ok(())
    }

    fn write(
        &self,
        _: &mut WriteAt,
        from: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        let patience = self.0.options.send_patience(nonblocking);
        let ancillary = Ancillary::from(sender());
        Ok(self.0.send(from, None, ancillary, patience)?)
    }

    fn readiness(&self) -> Readiness {
        self.0.readiness()
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        Some(&self.0.outgoing.pollers)
    }

    fn is_socket(&self) -> bool {
        true
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.close();
        rights::collect();
    }
}

impl From<SocketError> for IoError {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::BrokenPipe => Self::BrokenPipe,
            other => Self::Socket(other),
        }
    }
}
