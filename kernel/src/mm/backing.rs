//! What a VMA shows: nothing yet (anonymous memory), or the pages of a source.
//!
//! [`PageSource`] is all that mm knows of files. Shared anonymous memory is a nameless source of its
//! own (HF-6): it survives fork as shared because both mappings name the same object.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use addr::{Frame, PAGE_SIZE};
use vma::Backing;

use super::frame::{self, Owner};
use crate::locks::{Mutex, rank};

/// Something that has pages: a file, or shared anonymous memory.
pub trait PageSource: Send + Sync {
    /// Returns the name shown in `/proc/PID/maps`; may be empty.
    fn name(&self) -> &str;

    /// Returns the frame that holds page `index`, reading it in if need be. May sleep.
    ///
    /// The source keeps the frame alive as long as it lives itself.
    fn page(&self, index: u64) -> Result<Frame, SourceError>;

    /// Returns the frame that holds page `index` if it is in memory already; never sleeps.
    fn cached(&self, _index: u64) -> Option<Frame> {
        None
    }
}

/// Why a source has no page to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceError {
    /// The page lies wholly beyond the end (HF-11).
    BeyondEnd,
    /// No frame was free.
    OutOfMemory,
}

/// What a VMA maps.
#[derive(Clone)]
pub enum MapBacking {
    /// Private anonymous memory.
    Anon,
    /// A source from page `page` on.
    File {
        /// Where the pages come from.
        source: Arc<dyn PageSource>,
        /// The source's page that the VMA begins with.
        page: u64,
    },
}

impl PartialEq for MapBacking {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Anon, Self::Anon) => true,
            (
                Self::File { source, page },
                Self::File {
                    source: other,
                    page: other_page,
                },
            ) => same_source(source, other) && page == other_page,
            _ => false,
        }
    }
}

impl Backing for MapBacking {
    fn advance(&self, pages: u64) -> Self {
        match self {
            Self::Anon => Self::Anon,
            Self::File { source, page } => Self::File {
                source: source.clone(),
                page: page + pages,
            },
        }
    }

    fn continues(&self, prev: &Self, prev_pages: u64) -> bool {
        prev.advance(prev_pages) == *self
    }
}

fn same_source(a: &Arc<dyn PageSource>, b: &Arc<dyn PageSource>) -> bool {
    core::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

/// Shared anonymous memory: pages made at first touch, kept until the last mapping goes.
pub struct SharedAnon {
    len: u64,
    pages: Mutex<BTreeMap<u64, Frame>, { rank::SOURCE }>,
}

impl SharedAnon {
    /// Makes an object of `len` bytes, all zero.
    pub fn new(len: u64) -> Arc<Self> {
        Arc::new(Self {
            len,
            pages: Mutex::new(BTreeMap::new()),
        })
    }
}

impl PageSource for SharedAnon {
    fn name(&self) -> &str {
        "/dev/zero (deleted)"
    }

    fn page(&self, index: u64) -> Result<Frame, SourceError> {
        if index >= self.len.div_ceil(PAGE_SIZE) {
            return Err(SourceError::BeyondEnd);
        }
        let mut pages = self.pages.lock();
        if let Some(frame) = pages.get(&index) {
            return Ok(*frame);
        }
        let frame = frame::alloc_zeroed(Owner::Anon).ok_or(SourceError::OutOfMemory)?;
        pages.insert(index, frame);
        Ok(frame)
    }
}

impl Drop for SharedAnon {
    fn drop(&mut self) {
        for frame in self.pages.get_mut().values() {
            frame::put(*frame);
        }
    }
}
