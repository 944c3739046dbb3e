//! What a page fault makes ready before it takes the lock of the entry: a frame with complete contents (HF-3).

use addr::{Frame, Page};
use fault::FaultAction;
use pte::Pte;

use super::backing::{MapBacking, PageSource, SourceError};
use super::fault::{FaultError, UserVma};
use super::frame::{self, Owner};
use super::physmap;

/// What an action needs before the page-table lock is taken again.
pub(super) enum Prepared {
    Nothing,
    /// A frame with complete contents that nobody else knows of.
    New(Frame),
    /// A frame of the page cache with a reference for the PTE.
    Cached(Frame),
}

impl Prepared {
    /// Prepares for `action`, which was decided for `page` of `vma` whose entry was `seen`.
    pub(super) fn new(
        action: FaultAction,
        vma: &UserVma,
        page: Page,
        seen: Pte,
    ) -> Result<Self, FaultError> {
        match action {
            FaultAction::NewAnon | FaultAction::UpgradeZero => Ok(Self::New(fresh(physmap::zero)?)),
            FaultAction::Copy => {
                let copy = fresh(|to| physmap::copy(to, seen.frame()));
                frame::put(seen.frame());
                Ok(Self::New(copy?))
            }
            FaultAction::CopyFile => {
                let from = file_page(vma, page)?;
                let copy = fresh(|to| physmap::copy(to, from));
                frame::put(from);
                Ok(Self::New(copy?))
            }
            FaultAction::MapFile { writable } => {
                let frame = file_page(vma, page)?;
                if writable && let Err(error) = make_writable(vma, page) {
                    frame::put(frame);
                    return Err(error);
                }
                Ok(Self::Cached(frame))
            }
            FaultAction::MkWriteShared => {
                make_writable(vma, page)?;
                Ok(Self::Nothing)
            }
            _ => Ok(Self::Nothing),
        }
    }

    /// Gives back what was prepared for nothing.
    pub(super) fn discard(self) {
        if let Self::New(frame) | Self::Cached(frame) = self {
            frame::put(frame);
        }
    }
}

/// Makes a frame of anonymous memory that `fill` fills.
#[inline]
fn fresh(fill: impl FnOnce(Frame)) -> Result<Frame, FaultError> {
    let frame = frame::alloc(Owner::Anon).ok_or(FaultError::OutOfMemory)?;
    fill(frame);
    Ok(frame)
}

fn file_page(vma: &UserVma, page: Page) -> Result<Frame, FaultError> {
    let (source, index) = source_of(vma, page);
    source.page(index).map_err(FaultError::from)
}

fn make_writable(vma: &UserVma, page: Page) -> Result<(), FaultError> {
    let (source, index) = source_of(vma, page);
    source.make_writable(index).map_err(FaultError::from)
}

fn source_of(vma: &UserVma, page: Page) -> (&dyn PageSource, u64) {
    let MapBacking::File {
        source,
        page: first,
    } = &vma.backing
    else {
        unreachable!("only a file-backed VMA is asked for a file page")
    };
    let index = first + (page.number() - vma.range.start.number());
    (&**source, index)
}

impl From<SourceError> for FaultError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::BeyondEnd | SourceError::Unsupported => Self::Bus,
            SourceError::OutOfMemory => Self::OutOfMemory,
        }
    }
}
