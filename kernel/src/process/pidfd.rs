//! Descriptors of processes and threads: what `pidfd_open` and `clone` give.
//!
//! They name a process as long as they are there, whoever gets its number afterwards.

use alloc::sync::Arc;
use core::fmt;

use abi::file::OpenFlags;
use abi::process::CloneFlags;

use super::fork::{CloneError, CloneRequest};
use super::{Process, current, tree};
use crate::fs::file::{File, Readiness};
use crate::fs::poll::PollQueue;
use crate::fs::{Metadata, OpenFile, filesystem};
use crate::mm::uaccess;

/// A process or thread as an open file.
pub struct PidFd {
    process: Arc<Process>,
    number: u32,
    /// Whether it is one thread that is meant.
    is_thread: bool,
}

/// Makes a descriptor of the process, or of its thread with that number.
pub fn open(
    process: Arc<Process>,
    number: u32,
    is_thread: bool,
    nonblocking: bool,
) -> Arc<OpenFile> {
    let mut flags = OpenFlags::RDWR;
    if nonblocking {
        flags |= OpenFlags::NONBLOCK;
    }
    if is_thread {
        // Linux's `PIDFD_THREAD` is this bit.
        flags |= OpenFlags::from_bits_retain(abi::linux::O_EXCL);
    }
    let file = PidFd {
        process,
        number,
        is_thread,
    };
    OpenFile::new(file, flags)
}

impl PidFd {
    /// Returns the process that is meant, or that the thread is of.
    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// Returns the number, and whether it is a thread's.
    pub fn number(&self) -> (u32, bool) {
        (self.number, self.is_thread)
    }

    /// Returns whether whoever is meant is still in the tree: it lives, or waits to be waited for.
    pub fn is_there(&self) -> bool {
        let found = tree::find_by_tid(self.number);
        found.is_some_and(|found| Arc::ptr_eq(&found, &self.process))
    }

    fn has_ended(&self) -> bool {
        match self.is_thread {
            true => self.process.task_of(self.number).is_none(),
            // With the last thread, however the first one ended.
            false => self.process.threads() == 0,
        }
    }
}

impl File for PidFd {
    fn metadata(&self) -> Metadata {
        Metadata {
            dev: filesystem::PIPES.dev,
            ino: u64::from(self.number) + (1 << 32),
            mode: 0o600,
            nlink: 1,
            ..Metadata::default()
        }
    }

    /// The number, and -1 once nobody can wait for it any more.
    fn describe(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let number = match self.is_there() {
            true => i64::from(self.number),
            false => -1,
        };
        writeln!(out, "Pid:\t{number}\nNSpid:\t{number}")
    }

    /// Readable once it has ended, and hung up once nobody can wait for it any more.
    fn readiness(&self) -> Readiness {
        match (self.has_ended(), self.is_there()) {
            (false, _) => Readiness::empty(),
            (true, true) => Readiness::READABLE,
            (true, false) => Readiness::READABLE | Readiness::HANG_UP,
        }
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        Some(&self.process.watchers)
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

/// A descriptor that was made for the child, to be closed if there is no child after all.
pub(super) struct Opened(Option<i32>);

impl Opened {
    /// Closes it again.
    pub(super) fn close(&self) {
        if let Some(fd) = self.0 {
            drop(current().with_files(|files| files.remove(fd)));
        }
    }
}

/// Gives the parent a descriptor of the child, if it wants one.
pub(super) fn open_for(
    request: &CloneRequest,
    child: &Arc<Process>,
    number: u32,
) -> Result<Opened, CloneError> {
    if !request.flags.contains(CloneFlags::PIDFD) {
        return Ok(Opened(None));
    }
    let thread = request.flags.contains(CloneFlags::THREAD);
    let file = open(child.clone(), number, thread, false);
    let process = current();
    let limit = process.fd_limit();
    let inserted = process.with_files(|files| files.insert(file, true, 0, limit));
    let opened = Opened(Some(
        inserted.map_err(|refused| CloneError::NoDescriptor(refused.why))?,
    ));
    let told = uaccess::write_user(request.pidfd, &opened.0.unwrap_or(-1));
    told.map_err(|_| {
        opened.close();
        CloneError::BadAddress
    })?;
    Ok(opened)
}
