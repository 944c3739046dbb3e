//! A mapping to experiment on: pages of its own that Rust keeps nothing in.

use crate::mem::{self, PAGE};
use crate::sys;

/// No access at all.
pub const NONE: i32 = libc::PROT_NONE;
/// Reading.
pub const R: i32 = libc::PROT_READ;
/// Reading and writing.
pub const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;
/// Reading and executing.
pub const RX: i32 = libc::PROT_READ | libc::PROT_EXEC;
/// Everything.
pub const RWX: i32 = RW | libc::PROT_EXEC;

/// Private anonymous memory.
pub const ANON: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

/// Is a range of pages obtained from `mmap`. It is not unmapped when dropped: cases run in processes that end.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    /// Where it begins.
    pub start: u64,
    /// How many pages it has.
    pub pages: u64,
}

impl Map {
    /// Maps private anonymous pages wherever the kernel likes, kept apart from huge pages on Linux.
    pub fn anon(pages: u64, prot: i32) -> sys::Result<Self> {
        Self::with(pages, prot, ANON, -1)
    }

    /// Maps pages with these flags from this file.
    pub fn with(pages: u64, prot: i32, flags: i32, fd: i32) -> sys::Result<Self> {
        let start = sys::mmap(0, pages * PAGE, prot, flags, fd, 0)?;
        let _ = sys::call(
            libc::SYS_madvise,
            [start, pages * PAGE, libc::MADV_NOHUGEPAGE as u64],
        );
        Ok(Self { start, pages })
    }

    /// Maps `pages` with `hole` unmapped pages on either side, so that neighbours do not matter.
    pub fn apart(pages: u64, hole: u64, prot: i32) -> sys::Result<Self> {
        let whole = Self::anon(pages + 2 * hole, NONE)?;
        sys::munmap(whole.start, whole.bytes())?;
        let start = whole.page(hole);
        sys::mmap(start, pages * PAGE, prot, ANON | libc::MAP_FIXED, -1, 0)?;
        Ok(Self { start, pages })
    }

    /// Gives its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.pages * PAGE
    }

    /// Gives the address just past it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start + self.bytes()
    }

    /// Gives the address of a page, which may also lie past the end.
    #[must_use]
    pub fn page(&self, index: u64) -> u64 {
        self.start + index * PAGE
    }

    /// Writes `value + index` to the first byte of each page.
    pub fn fill(&self, value: u8) {
        for index in 0..self.pages {
            mem::poke(self.page(index), value.wrapping_add(index as u8));
        }
    }

    /// Says whether each page's first byte is still what [`Map::fill`] wrote.
    #[must_use]
    pub fn holds(&self, value: u8) -> bool {
        (0..self.pages).all(|index| mem::peek(self.page(index)) == value.wrapping_add(index as u8))
    }

    /// Says whether each page's first and last bytes are zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        (0..self.pages).all(|index| {
            mem::peek(self.page(index)) == 0 && mem::peek(self.page(index) + PAGE - 8) == 0
        })
    }

    /// Gives the whole range another protection.
    pub fn protect(&self, prot: i32) -> sys::Result {
        sys::mprotect(self.start, self.bytes(), prot)
    }

    /// Says for each page whether it is there without a fault, as `mincore` does; nothing where that fails.
    #[must_use]
    pub fn present(&self) -> Vec<bool> {
        let mut bytes = vec![0_u8; self.pages as usize];
        let args = [self.start, self.bytes(), bytes.as_mut_ptr() as u64];
        match sys::call(libc::SYS_mincore, args) {
            Ok(_) => bytes.iter().map(|byte| byte & 1 == 1).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Gives advice about the whole range.
    pub fn advise(&self, advice: i32) -> sys::Result {
        sys::call(libc::SYS_madvise, [self.start, self.bytes(), advice as u64])
    }

    /// Gives a part of it as a mapping of its own.
    #[must_use]
    pub fn part(&self, first: u64, pages: u64) -> Self {
        Self {
            start: self.page(first),
            pages,
        }
    }
}
