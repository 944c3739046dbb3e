//! A file as the memory that it is mapped into sees it: a source of pages.

use core::fmt::{self, Write};
use core::ops::Range;

use addr::{Frame, PAGE_SIZE};

use super::inode::Inode;
use super::regular::Allocate;
use crate::mm::rmap::Mappings;
use crate::mm::{PageSource, SourceError, SourceId};

/// Only a regular file is ever mapped.
impl PageSource for Inode {
    fn write_name(&self, out: &mut dyn Write) -> fmt::Result {
        self.write_path(out)?;
        match self.is_gone() {
            true => out.write_str(" (deleted)"),
            false => Ok(()),
        }
    }

    fn id(&self) -> SourceId {
        SourceId {
            dev: self.fs.dev,
            ino: self.ino,
        }
    }

    fn page(&self, index: u64) -> Result<Frame, SourceError> {
        let cache = self.cache().ok_or(SourceError::BeyondEnd)?;
        cache.page(index)
    }

    fn cached(&self, index: u64) -> Option<Frame> {
        self.cache()?.cached(index)
    }

    fn cached_in(&self, pages: Range<u64>, found: &mut dyn FnMut(u64, Frame)) {
        if let Some(cache) = self.cache() {
            cache.cached_in(pages, found);
        }
    }

    fn make_writable(&self, index: u64) -> Result<(), SourceError> {
        let cache = self.cache().ok_or(SourceError::BeyondEnd)?;
        cache.make_dirty(index)?;
        self.modified();
        Ok(())
    }

    fn punch_hole(&self, pages: Range<u64>) -> Result<(), SourceError> {
        let start = pages.start.saturating_mul(PAGE_SIZE);
        let len = (pages.end - pages.start).saturating_mul(PAGE_SIZE);
        self.allocate(start, len, Allocate::Punch)
            .map_err(|_| SourceError::OutOfMemory)
    }

    fn mappings(&self) -> &Mappings {
        &self.mappings
    }
}
