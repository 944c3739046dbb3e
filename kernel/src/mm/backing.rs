//! What a VMA shows: nothing yet (anonymous memory), or the pages of a source.
//!
//! [`PageSource`] is all that mm knows of files. Shared anonymous memory is a nameless source of its
//! own ([`super::shared_anon`]).

use alloc::sync::Arc;
use core::fmt;
use core::ops::Range;

use addr::{Frame, Page};
use vma::Backing;

use super::rmap::Mappings;

/// Something that has pages: a file, or shared anonymous memory.
///
/// A frame that it hands out carries one reference for the caller, taken while the source could not
/// let go of the frame: a page that is truncated away meanwhile lives until the caller has noticed.
/// Faults call it within a peek at the VMAs, others with mmap_lock, and nobody with a page-table lock. What faults ask
/// for does not sleep.
pub trait PageSource: Send + Sync {
    /// Writes the name shown in `/proc/PID/maps`; may be empty.
    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result;

    /// Returns the numbers shown in `/proc/PID/maps`.
    fn id(&self) -> SourceId;

    /// Returns the frame that holds page `index`, filling it if need be.
    fn page(&self, index: u64) -> Result<Frame, SourceError>;

    /// Returns the frame that holds page `index` if it is in memory already.
    fn cached(&self, _index: u64) -> Option<Frame> {
        None
    }

    /// Calls `found` for the pages of `pages` that are in memory already, lowest first, as
    /// [`Self::cached`] returns them; for few pages. `found` takes no lock.
    fn cached_in(&self, pages: Range<u64>, found: &mut dyn FnMut(u64, Frame)) {
        for index in pages {
            if let Some(frame) = self.cached(index) {
                found(index, frame);
            }
        }
    }

    /// Tells that page `index` is about to become writable in a shared mapping (HF-7).
    fn make_writable(&self, _index: u64) -> Result<(), SourceError> {
        Ok(())
    }

    /// Makes the pages read zero, in every mapping and for every reader (MADV_REMOVE). The caller
    /// holds no lock.
    fn punch_hole(&self, _pages: Range<u64>) -> Result<(), SourceError> {
        Err(SourceError::Unsupported)
    }

    /// Returns who maps it.
    fn mappings(&self) -> &Mappings;
}

/// Which file a source is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SourceId {
    /// Device number as `stat` gives it.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
}

/// Why a source has no page to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceError {
    /// The page lies wholly beyond the end (HF-11).
    BeyondEnd,
    /// No frame was free.
    OutOfMemory,
    /// This kind of source cannot do that.
    Unsupported,
}

/// What a VMA maps.
#[derive(Clone)]
pub enum MapBacking {
    /// Private anonymous memory.
    Anon {
        /// The page where the memory was first mapped, as if it were an offset in a file: memory that
        /// was moved joins its neighbours only where that fits (VM-6).
        first: u64,
    },
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
            (Self::Anon { first }, Self::Anon { first: other }) => first == other,
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
            Self::Anon { first } => Self::Anon {
                first: first.wrapping_add(pages),
            },
            Self::File { source, page } => Self::File {
                source: source.clone(),
                page: page + pages,
            },
        }
    }

    fn retreat(&self, pages: u64) -> Self {
        match self {
            Self::Anon { first } => Self::Anon {
                first: first.wrapping_sub(pages),
            },
            Self::File { source, page } => Self::File {
                source: source.clone(),
                page: page.wrapping_sub(pages),
            },
        }
    }

    fn continues(&self, prev: &Self, prev_pages: u64) -> bool {
        match (prev, self) {
            (Self::Anon { first }, Self::Anon { first: next }) => {
                first.wrapping_add(prev_pages) == *next
            }
            (
                Self::File { source, page },
                Self::File {
                    source: next_source,
                    page: next,
                },
            ) => page + prev_pages == *next && same_source(source, next_source),
            _ => false,
        }
    }
}

impl MapBacking {
    /// Anonymous memory that has no address yet; [`MapBacking::placed_at`] gives it one.
    pub const ANON: Self = Self::Anon { first: 0 };

    /// Returns the backing of a mapping that begins at `start`.
    #[must_use]
    pub fn placed_at(self, start: Page) -> Self {
        match self {
            Self::Anon { .. } => Self::Anon {
                first: start.number(),
            },
            source @ Self::File { .. } => source,
        }
    }

    /// Returns the source, if there is one.
    pub fn source(&self) -> Option<&Arc<dyn PageSource>> {
        match self {
            Self::Anon { .. } => None,
            Self::File { source, .. } => Some(source),
        }
    }
}

fn same_source(a: &Arc<dyn PageSource>, b: &Arc<dyn PageSource>) -> bool {
    core::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}
