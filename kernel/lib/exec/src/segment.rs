//! One segment: pages of the file, then anonymous pages.
//!
//! ```text
//!   page    |        file pages         |   anonymous pages   |
//!   bytes   ..[ p_filesz .............] zero_tail  ...p_memsz]
//! ```
//! The bytes between the end of the file part and the end of its page belong to whatever
//! follows in the file; they are zeroed only where the segment is writable (EX-5).

use core::ops::Range;

use addr::{MMAP_MIN_ADDR, PAGE_SIZE, Page, PageRange, USER_END, VirtAddr};
use elf::abi::{PF_R, PF_W, PF_X};
use elf::segment::ProgramHeader;
use pte::Prot;

use crate::ExecError;

/// What to map for one loadable program header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// All pages: those of the file first, anonymous ones above.
    pub pages: PageRange,
    /// How many of them come from the file.
    pub file_pages: u64,
    /// The page of the file that the first of them shows.
    pub file_page: u64,
    /// Addresses to zero at the end of the last file page; may be empty.
    pub zero_tail: Range<u64>,
    /// How they may be accessed.
    pub prot: Prot,
}

impl Segment {
    /// Reads a loadable program header of a file of `file_len` bytes.
    ///
    /// Returns `None` for a segment that takes no memory.
    pub(crate) fn new(
        header: &ProgramHeader,
        file_len: u64,
        floor: u64,
    ) -> Result<Option<Self>, ExecError> {
        check_file_part(header, file_len)?;
        let end = check_addresses(header, floor)?;
        if header.p_memsz == 0 {
            return Ok(None);
        }
        let file_end = header.p_vaddr + header.p_filesz;
        let start = VirtAddr::new(header.p_vaddr).page();
        let file_pages = match header.p_filesz {
            0 => 0,
            _ => page_above(file_end).number() - start.number(),
        };
        let mut segment = Self {
            pages: PageRange::new(start, page_above(end)),
            file_pages,
            file_page: header.p_offset / PAGE_SIZE,
            zero_tail: 0..0,
            prot: prot(header.p_flags),
        };
        if file_pages > 0 && header.p_memsz > header.p_filesz {
            segment.zero_from(file_end);
        }
        Ok(Some(segment))
    }

    /// Returns the pages that show the file.
    pub fn file_range(&self) -> PageRange {
        PageRange::new(self.pages.start, self.first_anon())
    }

    /// Returns the anonymous pages above them.
    pub fn anon_range(&self) -> PageRange {
        PageRange::new(self.first_anon(), self.pages.end)
    }

    /// Gives the last page to the segment above, whose mapping covers it.
    ///
    /// Linux maps segments in order, each over what is there, so of two that share a page
    /// the later one keeps it.
    pub(crate) fn give_up_last_page(&mut self) {
        let end = Page::new(self.pages.end.number() - 1);
        self.pages = PageRange::new(self.pages.start, end);
        if self.pages.len() < self.file_pages {
            self.file_pages = self.pages.len();
            self.zero_tail = 0..0;
        }
    }

    /// Moves the segment up by `bias` bytes, a multiple of the page size.
    pub(crate) fn relocate(&mut self, bias: u64) -> Option<()> {
        let start = self.pages.start.checked_add(bias / PAGE_SIZE)?;
        self.pages = PageRange::from_len(start, self.pages.len())?;
        self.zero_tail =
            self.zero_tail.start.checked_add(bias)?..self.zero_tail.end.checked_add(bias)?;
        Some(())
    }

    fn first_anon(&self) -> Page {
        Page::new(self.pages.start.number() + self.file_pages)
    }

    fn zero_from(&mut self, file_end: u64) {
        if self.prot.contains(Prot::WRITE) {
            self.zero_tail = file_end..file_end.next_multiple_of(PAGE_SIZE);
        }
    }
}

fn check_file_part(header: &ProgramHeader, file_len: u64) -> Result<(), ExecError> {
    if header.p_filesz > header.p_memsz {
        return Err(ExecError::FileLargerThanMemory);
    }
    if header.p_filesz == 0 {
        return Ok(());
    }
    if header.p_vaddr % PAGE_SIZE != header.p_offset % PAGE_SIZE {
        return Err(ExecError::Misaligned);
    }
    match header.p_offset.checked_add(header.p_filesz) {
        Some(end) if end <= file_len => Ok(()),
        _ => Err(ExecError::OutsideFile),
    }
}

/// Checks that the segment lies in user space, not below `floor`, and returns its end.
fn check_addresses(header: &ProgramHeader, floor: u64) -> Result<u64, ExecError> {
    match header.p_vaddr.checked_add(header.p_memsz) {
        Some(end) if end <= USER_END && header.p_vaddr >= floor => Ok(end),
        Some(end) if end <= USER_END => Err(ExecError::TooLow),
        _ => Err(ExecError::OutsideUserSpace),
    }
}

/// The lowest address a segment of a program that cannot be moved may have.
pub(crate) const FIXED_FLOOR: u64 = MMAP_MIN_ADDR;

fn page_above(end: u64) -> Page {
    VirtAddr::new(end.next_multiple_of(PAGE_SIZE)).page()
}

fn prot(flags: u32) -> Prot {
    [(PF_R, Prot::READ), (PF_W, Prot::WRITE), (PF_X, Prot::EXEC)]
        .into_iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|(_, prot)| prot)
        .collect()
}
