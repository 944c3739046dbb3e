//! Signals that are read (`signalfd`): a read takes what has arrived of a set, for the thread that reads or its process.
//!
//! Whoever sends a signal tells the watchers of the process ([`Process::signal_pollers`]); what is really there depends on who asks.

use alloc::sync::Arc;
use core::any::Any;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::SigSet;
use abi::event::SignalfdSigInfo;
use abi::file::OpenFlags;
use zerocopy::IntoBytes;

use super::{Process, alarm, current, signal, timer};
use crate::fs::eventfd::anonymous;
use crate::fs::file::{File, Readiness};
use crate::fs::inode::Metadata;
use crate::fs::poll::{self, PollQueue};
use crate::fs::user_buf::UserBuf;
use crate::fs::{IoError, OpenFile};

/// An open signalfd.
pub struct SignalFd {
    set: AtomicU64,
    /// Whose signals wake who waits: those of the process that made it. (A child may read it, but has to look by itself.)
    process: Arc<Process>,
}

/// Makes one that is about the signals in `set`.
pub fn signalfd(set: SigSet, flags: OpenFlags) -> Arc<OpenFile> {
    let signalfd = SignalFd {
        set: AtomicU64::new(0),
        process: super::current_thread().process.clone(),
    };
    signalfd.set_signals(set);
    OpenFile::new(signalfd, flags | OpenFlags::RDWR)
}

impl SignalFd {
    /// Changes which signals it is about; KILL and STOP are never among them.
    pub fn set_signals(&self, set: SigSet) {
        self.set
            .store(set.minus(SigSet::UNMASKABLE).bits(), Relaxed);
        self.process.signal_pollers.notify(Readiness::READABLE);
    }

    fn set(&self) -> SigSet {
        SigSet::from_bits(self.set.load(Relaxed))
    }

    /// Takes a signal and stores it.
    fn read_one(&self, to: &mut UserBuf<'_>) -> Result<bool, IoError> {
        let Some((signal, mut info)) = signal::with_own(|signals| signals.take_wanted(self.set()))
        else {
            return Ok(false);
        };
        alarm::signal_taken(&current(), signal);
        timer::signal_taken(&current(), &mut info);
        to.put(SignalfdSigInfo::from(info).as_bytes())?;
        Ok(true)
    }

    fn waits(&self) -> bool {
        signal::with_own(|signals| signals.waits(self.set()))
    }
}

impl File for SignalFd {
    fn metadata(&self) -> Metadata {
        anonymous()
    }

    fn describe(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        writeln!(out, "sigmask:\t{:016x}", self.set().bits())
    }

    fn read(&self, _: u64, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        let room = to.left() / size_of::<SignalfdSigInfo>();
        if room == 0 {
            return Err(IoError::Invalid);
        }
        while !self.read_one(to)? {
            if nonblocking {
                return Err(IoError::WouldBlock);
            }
            let process = current();
            poll::wait_on(&process.signal_pollers, Readiness::READABLE, || {
                self.waits()
            })?;
        }
        for _ in 1..room {
            if !self.read_one(to)? {
                break;
            }
        }
        Ok(())
    }

    fn readiness(&self) -> Readiness {
        match self.waits() {
            true => Readiness::from_bits_truncate(0x1),
            false => Readiness::empty(),
        }
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        Some(&self.process.signal_pollers)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }

    fn name(&self) -> &'static str {
        "anon_inode:[signalfd]"
    }
}
