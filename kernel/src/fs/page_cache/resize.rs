//! Changes of a file's size, and of which pages it has.

use core::ops::Range;

use addr::PAGE_SIZE;
use vfs::pages::edges;

use super::PageCache;
use crate::fs::file::IoError;
use crate::locks::must_end;
use crate::mm::{frame, physmap};

impl PageCache {
    /// Makes the file longer, with zeros; the caller holds the inode's own lock.
    pub fn grow(&self, size: u64) {
        let mut state = self.state.lock();
        state.size = state.size.max(size);
    }

    /// Makes the file shorter; the caller holds the inode's own lock and calls `unmap` afterwards.
    ///
    /// The size comes first: from then on no fault finds a page beyond it.
    pub fn shrink(&self, size: u64) -> Result<(), IoError> {
        self.clear_tail(size)?;
        {
            let mut state = self.state.lock();
            state.size = size;
            state.from_archive = state.from_archive.min(size);
        }
        self.forget(size.div_ceil(PAGE_SIZE)..u64::MAX);
        Ok(())
    }

    /// Zeroes what lies behind `size` in its page, so that it is not seen when the file grows again.
    fn clear_tail(&self, size: u64) -> Result<(), IoError> {
        let within = (size % PAGE_SIZE) as usize;
        let index = size / PAGE_SIZE;
        if within != 0 && !self.is_hole(index) {
            let frame = self.page_to_write(index)?;
            physmap::zero_range(frame, within..PAGE_SIZE as usize);
            frame::put(frame);
        }
        Ok(())
    }

    /// Makes the bytes of `range`, which lies inside the file, read as zeros.
    pub fn punch(&self, range: Range<u64>) -> Result<(), IoError> {
        let whole = range.start.div_ceil(PAGE_SIZE)..range.end / PAGE_SIZE;
        for edge in edges(&range) {
            let index = edge.start / PAGE_SIZE;
            if !self.is_hole(index) {
                let frame = self.page_to_write(index)?;
                let within = (edge.start % PAGE_SIZE) as usize;
                physmap::zero_range(frame, within..within + (edge.end - edge.start) as usize);
                frame::put(frame);
            }
        }
        // Behind a page of the archive there is no zero: it is written.
        let archived = self.state.lock().from_archive.div_ceil(PAGE_SIZE);
        for index in whole.start..whole.end.min(archived) {
            let frame = self.page_to_write(index)?;
            physmap::zero(frame);
            frame::put(frame);
        }
        self.clear(whole.start.max(archived)..whole.end.max(archived));
        Ok(())
    }

    /// Makes holes of pages; one that is in use, since somebody was fast and mapped it anew, is zeroed.
    fn clear(&self, pages: Range<u64>) {
        let mut next = pages.start;
        loop {
            let mut state = self.state.lock();
            let Some(index) = state.pages.next_present(next) else {
                return;
            };
            let Some(slot) = state.pages.get(index).filter(|_| index < pages.end) else {
                return;
            };
            next = index + 1;
            // A reference is taken under this lock only: with none but the cache's own it is idle.
            if frame::refs(slot.frame) == 1 {
                state.pages.remove(index);
                state.dirty -= u64::from(slot.dirty);
                drop(state);
                self.fs.uncharge(slot.dirty.into());
            } else {
                frame::get(slot.frame);
                drop(state);
                physmap::zero(slot.frame);
            }
            frame::put(slot.frame);
        }
    }

    /// Returns whether page `index` reads as zeros because nothing stands behind it.
    fn is_hole(&self, index: u64) -> bool {
        let state = self.state.lock();
        state.pages.get(index).is_none() && index.saturating_mul(PAGE_SIZE) >= state.from_archive
    }

    /// Gives every page of `range` that lies in a hole a frame of its own (`fallocate`). More than there can ever be is refused at
    /// once, as on Linux; who has to end does not go on.
    pub fn reserve(&self, range: Range<u64>) -> Result<(), IoError> {
        let pages = range.start / PAGE_SIZE..range.end.div_ceil(PAGE_SIZE);
        if pages.end - pages.start > self.fs.most_pages() {
            return Err(IoError::NoSpace);
        }
        for index in pages {
            if must_end() {
                return Err(IoError::Interrupted);
            }
            frame::put(self.page_to_write(index)?);
        }
        Ok(())
    }
}
