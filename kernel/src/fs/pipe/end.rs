//! An open end of a pipe, or both in one.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};

use abi::file::OpenFlags;
use abi::linux::S_IFIFO;

use super::super::file::{File, IoError, OpenFile, Readiness, WriteAt};
use super::super::filesystem;
use super::super::inode::{InodeRef, Kind, Metadata};
use super::super::mount::Location;
use super::super::open::OpenError;
use super::super::poll::PollQueue;
use super::super::user_buf::UserBuf;
use super::Pipe;
use crate::locks::Interrupted;

/// An open end of a pipe.
pub struct PipeEnd {
    pipe: Arc<Pipe>,
    /// Where it was opened; a pipe inside a socket has no inode.
    inode: Option<InodeRef>,
    has_name: bool,
    reads: bool,
    writes: bool,
    /// How many writers had come when it was opened, if it did not wait for one: until another comes nobody has hung up.
    seen: u32,
    /// Whether each write is a message.
    packets: AtomicBool,
}

impl PipeEnd {
    /// Opens a pipe; one that has a name waits for somebody to open the other end, unless told not to.
    pub fn open(file: Location, flags: OpenFlags) -> Result<Arc<OpenFile>, OpenError> {
        let Kind::Fifo(pipe) = &file.inode.kind else {
            return Err(OpenError::Invalid);
        };
        let (reads, writes) = (flags.reads(), flags.writes());
        if !reads && !writes {
            return Err(OpenError::Invalid);
        }
        let has_name = !file.fs.is(&filesystem::PIPES);
        let nonblocking = flags.contains(OpenFlags::NONBLOCK);
        if has_name && nonblocking && !reads && !pipe.has_reader() {
            return Err(OpenError::NoDevice);
        }
        let mut end = Self::attach(pipe.clone(), Some(file.inode.clone()), reads, writes);
        if has_name && reads && !writes {
            let seen = pipe.writers_seen.load(SeqCst);
            match pipe.has_writer() {
                true => {}
                false if nonblocking => end.seen = seen,
                false => pipe
                    .reading
                    .wait_until_interruptible(|| pipe.writers_seen.load(SeqCst) != seen)?,
            }
        } else if has_name && !reads {
            let seen = pipe.readers_seen.load(SeqCst);
            if !pipe.has_reader() {
                pipe.writing
                    .wait_until_interruptible(|| pipe.readers_seen.load(SeqCst) != seen)?;
            }
        }
        Ok(OpenFile::at(file, None, end, flags))
    }

    /// Counts a new end, and tells those who wait for one.
    fn attach(pipe: Arc<Pipe>, inode: Option<InodeRef>, reads: bool, writes: bool) -> Self {
        let contents = pipe.contents.lock();
        // First the count, then how often: who saw the old number sees the new one, or the count.
        if reads {
            pipe.readers.fetch_add(1, SeqCst);
            pipe.readers_seen.fetch_add(1, SeqCst);
        }
        if writes {
            pipe.writers.fetch_add(1, SeqCst);
            pipe.writers_seen.fetch_add(1, SeqCst);
        }
        drop(contents);
        pipe.ends_changed();
        let has_name = inode
            .as_ref()
            .is_some_and(|inode| !inode.fs.is(&filesystem::PIPES));
        Self {
            pipe,
            inode,
            has_name,
            reads,
            writes,
            seen: 0,
            packets: AtomicBool::new(false),
        }
    }

    #[cold]
    fn note_written(&self) {
        if let Some(inode) = &self.inode {
            inode.modified();
        }
    }
}

impl File for PipeEnd {
    fn metadata(&self) -> Metadata {
        match &self.inode {
            Some(inode) => inode.metadata(),
            None => Metadata {
                mode: S_IFIFO | 0o600,
                nlink: 1,
                ..Metadata::default()
            },
        }
    }

    fn inode(&self) -> Option<InodeRef> {
        self.inode.clone()
    }

    fn read(&self, _: u64, to: &mut UserBuf<'_>, nonblocking: bool) -> Result<(), IoError> {
        self.pipe.read(to, nonblocking)
    }

    fn write(
        &self,
        _: &mut WriteAt,
        from: &mut UserBuf<'_>,
        nonblocking: bool,
    ) -> Result<(), IoError> {
        let packets = self.packets.load(Relaxed);
        let outcome = self.pipe.write(from, nonblocking, packets);
        if self.has_name && from.done() > 0 {
            self.note_written();
        }
        outcome
    }

    fn readiness(&self) -> Readiness {
        let pipe = &*self.pipe;
        let mut readiness = Readiness::empty();
        if self.reads {
            let hung_up = !pipe.has_writer() && self.seen != pipe.writers_seen.load(Relaxed);
            readiness.set(Readiness::READABLE, pipe.used() > 0);
            readiness.set(Readiness::HANG_UP, hung_up);
        }
        if self.writes {
            readiness.set(Readiness::WRITABLE, !pipe.is_full());
            readiness.set(Readiness::ERROR, !pipe.has_reader());
        }
        readiness
    }

    fn poll_queue(&self) -> Option<&PollQueue> {
        Some(&self.pipe.pollers)
    }

    fn pipe(&self) -> Option<&Arc<Pipe>> {
        self.inode.is_some().then_some(&self.pipe)
    }

    fn set_packets(&self, packets: bool) {
        self.packets.store(packets, Relaxed);
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let pipe = &*self.pipe;
        let mut contents = pipe.contents.lock();
        let readers = pipe.readers.fetch_sub(self.reads.into(), SeqCst) - usize::from(self.reads);
        let writers = pipe.writers.fetch_sub(self.writes.into(), SeqCst) - usize::from(self.writes);
        if readers + writers == 0 {
            // A name may live longer: who opens it next finds it empty, and as large as a new one.
            contents.forget_spares();
            contents.ring.clear();
            pipe.publish(&contents);
            pipe.max.store(contents.ring.max(), SeqCst);
        }
        drop(contents);
        pipe.ends_changed();
    }
}

impl From<Interrupted> for OpenError {
    fn from(Interrupted: Interrupted) -> Self {
        Self::Interrupted
    }
}
