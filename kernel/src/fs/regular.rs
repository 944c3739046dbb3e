//! Regular files: bytes of the initramfs, and the frames in which programs see them.
//!
//! `read` copies straight from the archive. A mapping needs whole frames, so the first touch of a
//! page copies it into a frame of its own, the tail of the last page zero (HF-11). That frame is
//! the page cache: all who map the page see the same one.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};

use addr::{Frame, PAGE_SIZE};

use super::file::{File, IoError, Mapping, SeekError, Whence};
use super::node::{Metadata, Node};
use super::user_buf::UserBuf;
use crate::mm::frame::{self, Owner};
use crate::mm::rmap::Mappings;
use crate::mm::{PageSource, SourceError, SourceId, physmap};

/// A page that is in no frame yet. Frame 0 is never the page cache's.
const ABSENT: u64 = 0;

/// The bytes of a file and its page cache.
pub struct FileData {
    path: String,
    bytes: &'static [u8],
    /// For each page the number of its frame, or [`ABSENT`]; set once, by whoever comes first.
    frames: Vec<AtomicU64>,
    mappings: Mappings,
}

impl FileData {
    /// Wraps bytes of the archive.
    pub fn new(path: String, bytes: &'static [u8]) -> Arc<Self> {
        let pages = bytes.len().div_ceil(PAGE_SIZE as usize);
        let frames = (0..pages).map(|_| AtomicU64::new(ABSENT)).collect();
        Arc::new(Self {
            path,
            bytes,
            frames,
            mappings: Mappings::new(),
        })
    }

    /// Returns all bytes.
    pub fn bytes(&self) -> &'static [u8] {
        self.bytes
    }

    /// Makes a frame with the contents of page `index`.
    fn fill(&self, index: usize) -> Result<Frame, SourceError> {
        let frame = frame::alloc_zeroed(Owner::PageCache).ok_or(SourceError::OutOfMemory)?;
        let start = index * PAGE_SIZE as usize;
        let end = self.bytes.len().min(start + PAGE_SIZE as usize);
        physmap::write(frame, 0, &self.bytes[start..end]);
        Ok(frame)
    }
}

impl PageSource for FileData {
    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&self.path)
    }

    fn id(&self) -> SourceId {
        SourceId::default()
    }

    fn cached(&self, index: u64) -> Option<Frame> {
        let slot = self.frames.get(usize::try_from(index).ok()?)?;
        match slot.load(Acquire) {
            ABSENT => None,
            number => Some(referenced(Frame::new(number))),
        }
    }

    fn mappings(&self) -> &Mappings {
        &self.mappings
    }

    fn page(&self, index: u64) -> Result<Frame, SourceError> {
        let slot = usize::try_from(index)
            .ok()
            .and_then(|index| self.frames.get(index))
            .ok_or(SourceError::BeyondEnd)?;
        match slot.load(Acquire) {
            ABSENT => {}
            number => return Ok(referenced(Frame::new(number))),
        }
        // Filled before it is published (HF-3); who comes second takes the first one's.
        let frame = self.fill(index as usize)?;
        match slot.compare_exchange(ABSENT, frame.number(), AcqRel, Acquire) {
            Ok(_) => Ok(referenced(frame)),
            Err(number) => {
                frame::put(frame);
                Ok(referenced(Frame::new(number)))
            }
        }
    }
}

/// Takes the caller's reference; a frame leaves the cache only with the file.
fn referenced(frame: Frame) -> Frame {
    frame::get(frame);
    frame
}

impl Drop for FileData {
    fn drop(&mut self) {
        for slot in &self.frames {
            match slot.load(Acquire) {
                ABSENT => {}
                number => frame::put(Frame::new(number)),
            }
        }
    }
}

/// An open regular file.
pub struct Regular {
    node: &'static Node,
    data: Arc<FileData>,
}

impl Regular {
    /// Opens the node, whose bytes these are.
    pub fn new(node: &'static Node, data: Arc<FileData>) -> Self {
        Self { node, data }
    }
}

impl File for Regular {
    fn metadata(&self) -> Metadata {
        self.node.metadata()
    }

    fn node(&self) -> Option<&'static Node> {
        Some(self.node)
    }

    fn has_position(&self) -> bool {
        true
    }

    fn read(&self, at: u64, to: &mut UserBuf<'_>, _: bool) -> Result<(), IoError> {
        to.put(rest(self.data.bytes(), at))?;
        Ok(())
    }

    fn mapping(&self) -> Option<Mapping> {
        Some(Mapping::Source(self.data.clone()))
    }
}

/// Returns what lies at and above `at`.
pub(super) fn rest(bytes: &[u8], at: u64) -> &[u8] {
    usize::try_from(at)
        .ok()
        .and_then(|at| bytes.get(at..))
        .unwrap_or(&[])
}

/// Computes a new position in a file of `len` bytes, all of them data.
pub(super) fn seek(position: u64, len: u64, offset: i64, whence: Whence) -> Result<u64, SeekError> {
    let base = match whence {
        Whence::Start => 0,
        Whence::Current => position,
        Whence::End => len,
        Whence::Data | Whence::Hole => return seek_in_data(len, offset, whence),
    };
    base.checked_add_signed(offset)
        .filter(|position| i64::try_from(*position).is_ok())
        .ok_or(SeekError::Invalid)
}

fn seek_in_data(len: u64, offset: i64, whence: Whence) -> Result<u64, SeekError> {
    match u64::try_from(offset) {
        Ok(offset) if offset < len && whence == Whence::Data => Ok(offset),
        Ok(offset) if offset < len => Ok(len),
        _ => Err(SeekError::BeyondEnd),
    }
}
