//! A file for programs to map: its pages are read in, by making them up, when somebody asks.

use std::fmt;
use std::sync::Arc;

use addr::Frame;

use crate::locks::{Mutex, rank};
use crate::mm::backing::{SourceError, SourceId};
use crate::mm::frame::{self, Owner};
use crate::mm::rmap::Mappings;
use crate::mm::{PageSource, physmap};
use crate::model::Cells;
use crate::model::space::OFFSETS;

/// The file.
pub struct SimFile {
    number: u64,
    pages: Mutex<Vec<Option<Frame>>, { rank::SOURCE }>,
    mappings: Mappings,
}

impl SimFile {
    /// Makes file `number` of `pages` pages.
    pub fn new(number: u64, pages: u64) -> Arc<Self> {
        Arc::new(Self {
            number,
            pages: Mutex::new(vec![None; pages as usize]),
            mappings: Mappings::new(),
        })
    }

    /// Returns what its page `index` holds at first.
    pub fn first_contents(number: u64, index: u64) -> Cells {
        std::array::from_fn(|cell| (number << 32) + (index << 8) + cell as u64 + 1)
    }
}

impl PageSource for SimFile {
    fn write_name(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "/file{}", self.number)
    }

    fn id(&self) -> SourceId {
        SourceId {
            dev: 0x801,
            ino: self.number,
        }
    }

    fn page(&self, index: u64) -> Result<Frame, SourceError> {
        let mut pages = self.pages.lock();
        let slot = pages
            .get_mut(index as usize)
            .ok_or(SourceError::BeyondEnd)?;
        if slot.is_none() {
            let frame = frame::alloc_zeroed(Owner::PageCache).ok_or(SourceError::OutOfMemory)?;
            for (offset, value) in OFFSETS
                .into_iter()
                .zip(Self::first_contents(self.number, index))
            {
                physmap::write(frame, offset, &value.to_le_bytes());
            }
            *slot = Some(frame);
        }
        let frame = slot.expect("the page was just read in");
        frame::get(frame);
        Ok(frame)
    }

    fn cached(&self, index: u64) -> Option<Frame> {
        let frame = (*self.pages.lock().get(index as usize)?)?;
        frame::get(frame);
        Some(frame)
    }

    fn mappings(&self) -> &Mappings {
        &self.mappings
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        for frame in self.pages.get_mut().iter().flatten() {
            frame::put(*frame);
        }
    }
}
