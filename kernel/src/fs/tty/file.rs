//! A terminal, open: at its own end, as `/dev/console`, or at a pseudo-terminal's master end.

use alloc::sync::Arc;

use abi::file::OpenFlags;

use super::{Tty, jobs, pty, serial};
use crate::fs::dev::Device;
use crate::fs::file::{File, IoError, Readiness, WriteAt};
use crate::fs::inode::{InodeRef, Metadata};
use crate::fs::poll::PollQueue;
use crate::fs::user_buf::UserBuf;

/// At which end a terminal is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    /// Its own, since it was hung up so many times.
    Own(u32),
    /// The console: no job control, and it survives.
    Console,
    /// A pseudo-terminal's other end.
    Master,
}

/// An open terminal.
pub struct TtyFile {
    inode: InodeRef,
    tty: Arc<Tty>,
    side: Side,
}

/// Why a terminal was not opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TtyOpenError {
    /// There is none: no such pair, or no controlling terminal.
    NoDevice,
    /// Somebody has it for itself alone.
    Busy,
    /// The master has locked it, or has gone.
    Io,
    /// There are too many.
    TooMany,
    /// No memory.
    OutOfMemory,
}

impl TtyFile {
    /// Opens the terminal that a device is. A session's leader without a terminal may get it as its own.
    pub fn open(inode: InodeRef, device: Device, flags: OpenFlags) -> Result<Self, TtyOpenError> {
        let (tty, side) = match device {
            Device::Ptmx => (pty::create()?, Side::Master),
            Device::Console => (serial::console().clone(), Side::Console),
            Device::Serial => (serial::console().clone(), Side::Own(0)),
            Device::Pts(index) => {
                let tty = pty::find(index).ok_or(TtyOpenError::Io)?;
                (tty, Side::Own(0))
            }
            Device::Tty => {
                let own = jobs::caller().and_then(|caller| caller.terminal);
                (own.ok_or(TtyOpenError::NoDevice)?, Side::Own(0))
            }
            _ => return Err(TtyOpenError::NoDevice),
        };
        if side == Side::Master {
            return Ok(Self { inode, tty, side });
        }
        let file = Self::open_own(inode, tty, side)?;
        let may_become_own = side != Side::Console && device != Device::Tty && flags.reads();
        if may_become_own && !flags.contains(OpenFlags::NOCTTY) {
            file.tty.take_on_open();
        }
        Ok(file)
    }

    fn open_own(inode: InodeRef, tty: Arc<Tty>, side: Side) -> Result<Self, TtyOpenError> {
        let is_admin = jobs::caller().is_none_or(|caller| caller.is_admin);
        let generation = {
            let mut state = tty.lock();
            let is_pty = tty.pty_number().is_some();
            if is_pty && (state.master.is_locked || !state.master.is_open) {
                return Err(TtyOpenError::Io);
            }
            if state.exclusive && !is_admin {
                return Err(TtyOpenError::Busy);
            }
            state.opens += 1;
            state.master.is_left = false;
            state.hangups
        };
        let side = match side {
            Side::Own(_) => Side::Own(generation),
            other => other,
        };
        Ok(Self { inode, tty, side })
    }

    /// Opens the other end of a pseudo-terminal from its master (`TIOCGPTPEER`).
    pub fn open_peer(&self, flags: OpenFlags) -> Result<Self, TtyOpenError> {
        let index = self.tty.pty_number().ok_or(TtyOpenError::Io)?;
        let inode = pty::inode(index).ok_or(TtyOpenError::Io)?;
        let file = Self::open_own(inode, self.tty.clone(), Side::Own(0))?;
        if !flags.contains(OpenFlags::NOCTTY) && flags.reads() {
            file.tty.take_on_open();
        }
        Ok(file)
    }

    /// Returns the terminal.
    pub fn tty(&self) -> &Arc<Tty> {
        &self.tty
    }

    /// Returns whether this is a pseudo-terminal's master end.
    pub fn is_master(&self) -> bool {
        self.side == Side::Master
    }

    /// Returns whether the terminal was hung up since this was opened.
    pub fn is_hung(&self) -> bool {
        match self.side {
            Side::Own(generation) => self.tty.lock().is_hung(generation),
            _ => false,
        }
    }

    fn generation(&self) -> u32 {
        match self.side {
            Side::Own(generation) => generation,
            _ => self.tty.lock().hangups,
        }
    }
}

impl File for TtyFile {
    fn metadata(&self) -> Metadata {
        self.inode.metadata()
    }

    fn inode(&self) -> Option<InodeRef> {
        Some(self.inode.clone())
    }

    fn read(&self, _: u64, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        match self.side {
            Side::Master => self.tty.read_master(to, nonblocking),
            side => {
                let done = self
                    .tty
                    .read(self.generation(), side == Side::Console, to, nonblocking);
                if self.tty.is_serial() {
                    serial::work();
                }
                done
            }
        }
    }

    fn write(
        &self,
        _: &mut WriteAt,
        from: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        match self.side {
            Side::Master => self.tty.write_master(from, nonblocking),
            _ => self.tty.write(self.generation(), from, nonblocking),
        }
    }

    fn readiness(&self) -> Readiness {
        if self.is_master() {
            return self.tty.master_readiness();
        }
        if self.is_hung() {
            return Readiness::READABLE
                | Readiness::WRITABLE
                | Readiness::ERROR
                | Readiness::HANG_UP;
        }
        let state = self.tty.lock();
        let mut ready = Readiness::empty();
        if state.line.is_readable() {
            ready |= Readiness::READABLE;
        }
        if self.tty.is_writable(&state) {
            ready |= Readiness::WRITABLE;
        }
        ready
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        let end = if self.is_master() {
            &self.tty.far
        } else {
            &self.tty.near
        };
        Some(&end.pollers)
    }

    fn terminal(&self) -> Option<&TtyFile> {
        Some(self)
    }
}

impl Drop for TtyFile {
    fn drop(&mut self) {
        if self.is_master() {
            return self.tty.close_master();
        }
        let is_left = {
            let mut state = self.tty.lock();
            state.opens -= 1;
            state.master.is_left = state.opens == 0;
            state.master.is_left
        };
        if is_left {
            self.tty.far.wake();
        }
    }
}

impl From<pty::PtyError> for TtyOpenError {
    fn from(error: pty::PtyError) -> Self {
        match error {
            pty::PtyError::TooMany => Self::TooMany,
            pty::PtyError::OutOfMemory => Self::OutOfMemory,
        }
    }
}
