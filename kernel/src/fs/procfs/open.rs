//! An open file of `/proc`: its contents are made when it is read from the start.

use core::fmt;

use super::registry::{Refused, What, entry};
use super::text::Text;
use super::{ProcNode, descriptors, process};
use crate::fs::file::{File, IoError, WriteAt};
use crate::fs::inode::{InodeRef, Metadata};
use crate::fs::user_buf::UserBuf;
use crate::fs::{OpenError, rank};
use crate::locks::Mutex;

/// Most bytes that a setting takes at once.
const MAX_WRITTEN: usize = 4096;
/// Bytes of a binary file that pass through the kernel at a time.
const PIECE: usize = 512;
/// Bytes of one entry of a binary file; nobody reads a part of one.
const WORD: u64 = 8;

/// An open file of `/proc`.
pub struct OpenProc {
    inode: InodeRef,
    what: What,
    pid: u32,
    /// What it said when it was last read from the start. The lock is held across the user copy.
    text: Mutex<Option<Text>, { rank::PROC_TEXT }>,
}

impl OpenProc {
    /// Opens a registered file.
    pub fn new(inode: InodeRef, node: ProcNode) -> Result<Self, OpenError> {
        let (what, pid) = match node {
            ProcNode::Registered(index, pid) => {
                (entry(index).ok_or(OpenError::NoDevice)?.what, pid)
            }
            ProcNode::DescriptorFact(pid, fd) => (What::Descriptor(fd), pid),
            _ => return Err(OpenError::NoDevice),
        };
        Ok(Self {
            inode,
            what,
            pid,
            text: Mutex::new(None),
        })
    }

    fn make(&self) -> Result<Text, IoError> {
        let mut text = Text::new();
        let process = || process(self.pid).ok_or(IoError::NoProcess);
        let made = match self.what {
            What::Text(make) | What::Setting(make, _) | What::Sys(make) => make(&mut text),
            What::ProcessText(make) | What::ProcessSetting(make, _) => {
                make(&*process()?, &mut text)
            }
            What::Descriptor(fd) => {
                let process = process()?;
                let file = process.file(fd).ok_or(IoError::NoProcess)?;
                descriptors::write(&file, process.closes_on_exec(fd), &mut text)
            }
            What::ProcessBytes(_) => Ok(()),
        };
        made.map_err(|fmt::Error| IoError::OutOfMemory)?;
        Ok(text)
    }

    fn read_bytes(
        &self,
        at: u64,
        to: &mut UserBuf<'_>,
        read: super::registry::ReadProcess,
    ) -> Result<(), IoError> {
        let process = process(self.pid).ok_or(IoError::NoProcess)?;
        if !at.is_multiple_of(WORD) || !(to.left() as u64).is_multiple_of(WORD) {
            return Err(IoError::Invalid);
        }
        let mut piece = [0; PIECE];
        let mut at = at;
        while to.left() > 0 {
            let wanted = to.left().min(PIECE);
            let len = read(&*process, at, &mut piece[..wanted])?;
            if len == 0 {
                return Ok(());
            }
            to.put(&piece[..len])?;
            at += len as u64;
        }
        Ok(())
    }
}

impl File for OpenProc {
    fn metadata(&self) -> Metadata {
        self.inode.metadata()
    }

    fn inode(&self) -> Option<InodeRef> {
        Some(self.inode.clone())
    }

    fn has_position(&self) -> bool {
        true
    }

    fn read(&self, at: u64, to: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        if let What::ProcessBytes(read) = self.what {
            return self.read_bytes(at, to, read);
        }
        let mut text = self.text.lock();
        if at == 0 || text.is_none() {
            *text = Some(self.make()?);
        }
        text.as_ref().map_or(Ok(()), |text| text.read(at, to))
    }

    fn write(&self, _: &mut WriteAt, from: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        let mut bytes = [0; 128];
        if from.left() > MAX_WRITTEN.min(bytes.len()) {
            return Err(IoError::Invalid);
        }
        let start = from.clone();
        let len = from.left();
        if len == 0 {
            return Ok(());
        }
        from.take(&mut bytes[..len])?;
        let outcome = self.set(&bytes[..len]);
        outcome.inspect_err(|_| *from = start)
    }
}

impl OpenProc {
    fn set(&self, bytes: &[u8]) -> Result<(), IoError> {
        let text = core::str::from_utf8(bytes).map_err(|_| IoError::Invalid)?;
        let text = text.trim_end_matches('\0').trim();
        Ok(match self.what {
            What::Setting(_, set) => set(text),
            What::ProcessSetting(_, set) => {
                set(&*process(self.pid).ok_or(IoError::NoProcess)?, text)
            }
            _ => Err(Refused::Invalid),
        }?)
    }
}

impl From<Refused> for IoError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid => Self::Invalid,
            Refused::Gone => Self::NoProcess,
            Refused::OutOfMemory => Self::OutOfMemory,
        }
    }
}
