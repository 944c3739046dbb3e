//! Shared anonymous memory: a file without a name (HF-6).
//!
//! It survives fork as shared because both mappings name the same object. A page is made at first
//! touch and kept until the last mapping goes; beyond the length it was made with there is nothing.

use alloc::sync::Arc;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use addr::{Frame, PAGE_SIZE};
use vfs::pages::{Pages, Slot};

use super::backing::{PageSource, SourceError, SourceId};
use super::counters::SHARED_ANON_PAGES;
use super::frame::{self, Owner};
use super::rmap::{self, Mappings, Scope};
use super::{OutOfMemory, commit};
use crate::locks::{SpinLock, rank};

/// Device number of the nameless files, 0:1 as on Linux.
const DEV: u64 = 1;

static NEXT_INO: AtomicU64 = AtomicU64::new(1);

/// The pages of one `mmap` with `MAP_SHARED | MAP_ANONYMOUS`.
pub struct SharedAnon {
    len: u64,
    /// Pages that are charged to the commitment for it.
    charged: u64,
    ino: u64,
    pages: SpinLock<Pages, { rank::SOURCE }>,
    mappings: Mappings,
}

impl SharedAnon {
    /// Makes an object of `len` bytes, all zero; all of it is charged unless nothing is reserved.
    pub fn new(len: u64, reserve: bool) -> Result<Arc<Self>, OutOfMemory> {
        let charged = match reserve {
            true => len.div_ceil(PAGE_SIZE),
            false => 0,
        };
        commit::charge_shared(charged)?;
        Ok(Arc::new(Self {
            len,
            charged,
            ino: NEXT_INO.fetch_add(1, Relaxed),
            pages: SpinLock::new(Pages::new()),
            mappings: Mappings::new(),
        }))
    }
}

impl PageSource for SharedAnon {
    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str("/dev/zero (deleted)")
    }

    fn id(&self) -> SourceId {
        SourceId {
            dev: DEV,
            ino: self.ino,
        }
    }

    fn page(&self, index: u64) -> Result<Frame, SourceError> {
        if index >= self.len.div_ceil(PAGE_SIZE) {
            return Err(SourceError::BeyondEnd);
        }
        if let Some(frame) = self.cached(index) {
            return Ok(frame);
        }
        let new = frame::alloc_zeroed(Owner::Anon).ok_or(SourceError::OutOfMemory)?;
        let mut pages = self.pages.lock();
        if let Some(slot) = pages.get(index) {
            // Somebody else was here first.
            frame::get(slot.frame);
            drop(pages);
            frame::put(new);
            return Ok(slot.frame);
        }
        frame::get(new);
        let slot = Slot {
            frame: new,
            dirty: true,
        };
        pages.insert(index, slot);
        SHARED_ANON_PAGES.inc();
        Ok(new)
    }

    fn cached(&self, index: u64) -> Option<Frame> {
        let pages = self.pages.lock();
        let frame = pages.get(index)?.frame;
        frame::get(frame);
        Some(frame)
    }

    fn cached_in(&self, pages: Range<u64>, found: &mut dyn FnMut(u64, Frame)) {
        self.pages.lock().each_in(pages, |index, slot| {
            frame::get(slot.frame);
            found(index, slot.frame);
        });
    }

    fn punch_hole(&self, hole: Range<u64>) -> Result<(), SourceError> {
        while let Some((_, slot)) = self.pages.lock().remove_in(hole.start, hole.end) {
            SHARED_ANON_PAGES.dec();
            frame::put(slot.frame);
        }
        rmap::unmap_pages(self, hole, Scope::FilePages);
        Ok(())
    }

    fn mappings(&self) -> &Mappings {
        &self.mappings
    }
}

impl Drop for SharedAnon {
    fn drop(&mut self) {
        commit::uncharge_shared(self.charged);
        for slot in self.pages.get_mut().take_all() {
            SHARED_ANON_PAGES.dec();
            frame::put(slot.frame);
        }
    }
}
