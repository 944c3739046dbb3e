//! The pages of a regular file: which are in memory, and what the others would hold.
//!
//! Behind a page stands the archive, as far as the file still reaches into it, and zeros beyond. A
//! page gets a frame when somebody maps, writes or reads it (a read of the archive or of a hole needs
//! none). Until it is written to it is clean: it can be dropped and made anew. A dirty page is all
//! there is of its contents, and takes room in the file system.
//!
//! All who use a page use one frame: a store through a shared mapping is seen by the next read, and
//! a write by whoever has the page mapped.
//!
//! Reading and writing are in [`transfer`], changes of the size in [`resize`].
//!
//! The lock is a leaf below mmap_lock, since faults take it, within a peek or under that. No user memory is touched under it: a
//! copy holds a reference to the frame instead. Writers and those who change the size exclude each
//! other with the inode's own lock, which is taken before all that.

mod resize;
mod transfer;

use alloc::vec::Vec;
use core::ops::Range;

use addr::{Frame, PAGE_SIZE};
use vfs::pages::{Pages, Slot};

use super::filesystem::{FsRef, NoSpace};
use super::rank;
use crate::locks::SpinLock;
use crate::mm::frame::{self, Owner};
use crate::mm::{OutOfMemory, SourceError, physmap};

/// No file is longer.
pub const MAX_SIZE: u64 = i64::MAX as u64;
/// Blocks of a page in `st_blocks`.
const BLOCKS: u64 = PAGE_SIZE / 512;

/// The pages of a regular file.
pub struct PageCache {
    fs: FsRef,
    archive: &'static [u8],
    state: SpinLock<State, { rank::PAGE_CACHE }>,
}

struct State {
    size: u64,
    /// Bytes of the archive that still stand behind the file; it only shrinks.
    from_archive: u64,
    pages: Pages,
    /// How many pages are dirty, and so charged.
    dirty: u64,
}

impl PageCache {
    /// Makes the pages of a file that begins as `archive`.
    pub fn new(fs: &FsRef, archive: &'static [u8]) -> Self {
        let len = archive.len() as u64;
        Self {
            fs: fs.clone(),
            archive,
            state: SpinLock::new(State {
                size: len,
                from_archive: len,
                pages: Pages::new(),
                dirty: 0,
            }),
        }
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.state.lock().size
    }

    /// Returns how many blocks of 512 bytes it takes: pages that are in memory or in the archive.
    pub fn blocks(&self) -> u64 {
        let state = self.state.lock();
        let archived = state.from_archive.div_ceil(PAGE_SIZE);
        (archived + state.pages.count_from(archived)) * BLOCKS
    }

    /// Returns the whole contents if the archive still holds them.
    pub fn unwritten(&self) -> Option<&'static [u8]> {
        let state = self.state.lock();
        let len = self.archive.len() as u64;
        let is_whole = state.size == len && state.from_archive == len && state.dirty == 0;
        is_whole.then_some(self.archive)
    }

    /// Returns a copy of the first `max` bytes, or of all there are.
    pub fn head(&self, max: usize) -> Result<Vec<u8>, OutOfMemory> {
        let len = usize::try_from(self.size()).unwrap_or(max).min(max);
        let mut head = Vec::new();
        head.try_reserve_exact(len).map_err(|_| OutOfMemory)?;
        head.resize(len, 0);
        for (index, piece) in (0..).zip(head.chunks_mut(PAGE_SIZE as usize)) {
            match self.page(index) {
                Ok(frame) => {
                    physmap::read(frame, 0, piece);
                    frame::put(frame);
                }
                // Cut off meanwhile: zeros.
                Err(SourceError::BeyondEnd) => {}
                Err(_) => return Err(OutOfMemory),
            }
        }
        Ok(head)
    }

    /// Returns the frame of page `index` with a reference for the caller, filled if need be (HF-11).
    pub fn page(&self, index: u64) -> Result<Frame, SourceError> {
        let is_inside = |state: &State| index < state.size.div_ceil(PAGE_SIZE);
        {
            let state = self.state.lock();
            if !is_inside(&state) {
                return Err(SourceError::BeyondEnd);
            }
            if let Some(slot) = state.pages.get(index) {
                return Ok(referenced(slot.frame));
            }
        }
        self.fill(index, is_inside)
    }

    /// Brings page `index` in, unless `wanted` no longer holds when that is done.
    fn fill(&self, index: u64, wanted: impl Fn(&State) -> bool) -> Result<Frame, SourceError> {
        loop {
            let from_archive = self.state.lock().from_archive;
            let frame = self.filled(index, from_archive)?;
            let mut state = self.state.lock();
            let outcome = match state.pages.get(index) {
                _ if !wanted(&state) => Err(SourceError::BeyondEnd),
                // Somebody else was here first.
                Some(slot) => Ok(referenced(slot.frame)),
                None if state.from_archive != from_archive => {
                    drop(state);
                    frame::put(frame);
                    continue;
                }
                None => {
                    state.pages.insert(
                        index,
                        Slot {
                            frame,
                            dirty: false,
                        },
                    );
                    return Ok(referenced(frame));
                }
            };
            drop(state);
            frame::put(frame);
            return outcome;
        }
    }

    /// Makes a frame with what stands behind page `index`; complete before anybody sees it (HF-3).
    fn filled(&self, index: u64, from_archive: u64) -> Result<Frame, SourceError> {
        let frame = frame::alloc(Owner::PageCache).ok_or(SourceError::OutOfMemory)?;
        let bytes = self.archived(index, from_archive);
        if bytes.len() < PAGE_SIZE as usize {
            physmap::zero(frame);
        }
        physmap::write(frame, 0, bytes);
        Ok(frame)
    }

    /// The bytes of the archive that stand behind page `index`.
    fn archived(&self, index: u64, from_archive: u64) -> &'static [u8] {
        let start = index.saturating_mul(PAGE_SIZE).min(from_archive);
        let end = start.saturating_add(PAGE_SIZE).min(from_archive);
        &self.archive[start as usize..end as usize]
    }

    /// Returns the frame of page `index`, with a reference, if it is in memory and inside the file.
    pub fn cached(&self, index: u64) -> Option<Frame> {
        let state = self.state.lock();
        if index >= state.size.div_ceil(PAGE_SIZE) {
            return None;
        }
        Some(referenced(state.pages.get(index)?.frame))
    }

    /// Calls `found` for the pages of `pages` that are in memory and inside the file, each frame with a
    /// reference.
    pub fn cached_in(&self, pages: Range<u64>, found: &mut dyn FnMut(u64, Frame)) {
        let state = self.state.lock();
        let end = pages.end.min(state.size.div_ceil(PAGE_SIZE));
        let each = |index, slot: Slot| found(index, referenced(slot.frame));
        state.pages.each_in(pages.start..end, each);
    }

    /// Marks page `index` as one that will differ from what stands behind it; it takes room from now on.
    pub fn make_dirty(&self, index: u64) -> Result<(), SourceError> {
        let mut state = self.state.lock();
        match state.pages.get(index) {
            // Its frame is still the caller's, but no longer the file's.
            None => Err(SourceError::BeyondEnd),
            Some(slot) if slot.dirty => Ok(()),
            // Linux ends a store that finds no room with SIGBUS as well.
            Some(_) => match self.fs.charge() {
                Err(NoSpace) => Err(SourceError::BeyondEnd),
                Ok(()) => {
                    state.pages.mark_dirty(index);
                    state.dirty += 1;
                    Ok(())
                }
            },
        }
    }

    /// Takes pages out of the cache; whoever has them mapped keeps the frames until they are unmapped.
    pub fn forget(&self, pages: Range<u64>) {
        let mut next = pages.start;
        loop {
            let taken = {
                let mut state = self.state.lock();
                let taken = state.pages.remove_in(next, pages.end);
                state.dirty -= u64::from(taken.is_some_and(|(_, slot)| slot.dirty));
                taken
            };
            let Some((index, slot)) = taken else { return };
            self.fs.uncharge(slot.dirty.into());
            frame::put(slot.frame);
            next = index + 1;
        }
    }

    /// Drops clean pages that nobody uses at the moment, at most `max`; returns how many.
    pub fn drop_clean(&self, max: u64) -> u64 {
        let (mut dropped, mut next) = (0, 0);
        while dropped < max {
            let mut state = self.state.lock();
            let Some(index) = state.pages.next_clean(next) else {
                return dropped;
            };
            next = index + 1;
            // A reference is taken under this lock only: with none but the cache's own it is idle.
            let is_idle = |slot: Slot| frame::refs(slot.frame) == 1;
            if state.pages.get(index).is_some_and(is_idle)
                && let Some(slot) = state.pages.remove(index)
            {
                drop(state);
                frame::put(slot.frame);
                dropped += 1;
            }
        }
        dropped
    }
}

impl Drop for PageCache {
    fn drop(&mut self) {
        self.forget(0..u64::MAX);
    }
}

/// Takes the caller's reference; called under the cache's lock, which keeps its own.
fn referenced(frame: Frame) -> Frame {
    frame::get(frame);
    frame
}
