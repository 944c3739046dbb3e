//! A file for programs to map: its pages are read in when somebody asks, go when memory is wanted, and
//! vanish when it is made shorter.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Weak};

use addr::Frame;

use crate::locks::{Mutex, rank};
use crate::mm::backing::{SourceError, SourceId};
use crate::mm::frame::{self, Owner};
use crate::mm::rmap::{self, Mappings, Scope};
use crate::mm::{PageSource, physmap};
use crate::model::Cells;
use crate::model::space::OFFSETS;

std::thread_local! {
    /// Whom to ask for pages.
    static FILES: RefCell<Vec<Weak<SimFile>>> = const { RefCell::new(Vec::new()) };
}

/// A page: where it is in memory, if it is, and what is on the disk.
struct FilePage {
    frame: Option<Frame>,
    disk: Cells,
}

/// The file.
pub struct SimFile {
    number: u64,
    pages: Mutex<Vec<FilePage>, { rank::SOURCE }>,
    mappings: Mappings,
}

impl SimFile {
    /// Makes file `number` of `pages` pages.
    pub fn new(number: u64, pages: u64) -> Arc<Self> {
        let page = |index| FilePage {
            frame: None,
            disk: Self::first_contents(number, index),
        };
        let file = Arc::new(Self {
            number,
            pages: Mutex::new((0..pages).map(page).collect()),
            mappings: Mappings::new(),
        });
        FILES.with_borrow_mut(|files| {
            files.retain(|file| file.strong_count() > 0);
            files.push(Arc::downgrade(&file));
        });
        file
    }

    /// Makes the file `pages` pages long: new ones are zeros, and what is no longer there goes from
    /// every address space, private copies included (HF-13).
    pub fn resize(&self, pages: usize) {
        let mut all = self.pages.lock();
        let kept = pages.min(all.len());
        let gone = all.split_off(kept);
        all.resize_with(pages, || FilePage {
            frame: None,
            disk: Cells::default(),
        });
        drop(all);
        if !gone.is_empty() {
            rmap::unmap_pages(self, pages as u64..u64::MAX, Scope::CopiesToo);
        }
        let frames = gone.into_iter().filter_map(|page| page.frame);
        frames.for_each(frame::put);
    }

    /// Writes pages that nobody maps to the disk and forgets them, `wanted` at most; says how many.
    fn shrink(&self, wanted: u64) -> u64 {
        let mut pages = self.pages.lock();
        let idle = |page: &&mut FilePage| page.frame.is_some_and(|frame| frame::refs(frame) == 1);
        let mut freed = 0;
        for page in pages.iter_mut().filter(idle).take(wanted as usize) {
            let frame = page.frame.take().expect("just looked at");
            page.disk = OFFSETS.map(|offset| {
                let mut bytes = [0; 8];
                physmap::read(frame, offset, &mut bytes);
                u64::from_le_bytes(bytes)
            });
            frame::put(frame);
            freed += 1;
        }
        freed
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
        let page = pages
            .get_mut(index as usize)
            .ok_or(SourceError::BeyondEnd)?;
        let frame = match page.frame {
            Some(frame) => frame,
            None => {
                let frame =
                    frame::alloc_zeroed(Owner::PageCache).ok_or(SourceError::OutOfMemory)?;
                for (offset, value) in OFFSETS.into_iter().zip(page.disk) {
                    physmap::write(frame, offset, &value.to_le_bytes());
                }
                page.frame = Some(frame);
                frame
            }
        };
        frame::get(frame);
        Ok(frame)
    }

    fn cached(&self, index: u64) -> Option<Frame> {
        let frame = self.pages.lock().get(index as usize)?.frame?;
        frame::get(frame);
        Some(frame)
    }

    fn mappings(&self) -> &Mappings {
        &self.mappings
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let frames = self.pages.get_mut().iter().filter_map(|page| page.frame);
        frames.for_each(frame::put);
    }
}

/// Gives at most `wanted` pages of files back, as whoever looks for memory asks.
pub fn shrink(wanted: u64) -> u64 {
    let files = FILES.with_borrow(Vec::clone);
    let mut freed = 0;
    for file in files.iter().filter_map(Weak::upgrade) {
        freed += file.shrink(wanted - freed);
    }
    freed
}
